/*
 * Three named threads, looked at as a monitor would: by a child that lists /proc/PID/task, and by the kernel's count of
 * the CPU time of each thread (perf_event_open(2)), of which one computes and two sleep.
 *
 * Prints the names that the child saw, and each thread's time as itself and as perf counted it. Knows nothing of
 * grivet.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 3, MILLISECONDS = 300 };

static pthread_barrier_t looked;

/* A counter of the calling thread's CPU time in nanoseconds, or -1. */
static int open_counter(void)
{
    struct perf_event_attr what = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof what, .config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1};
    return (int)syscall(SYS_perf_event_open, &what, gettid(), -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void compute(void)
{
    struct timespec used;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    while (used.tv_sec == 0 && used.tv_nsec < MILLISECONDS * 1000000L);
}

static void *work(void *argument)
{
    const char *name = argument;
    pthread_setname_np(pthread_self(), name);
    int counter = open_counter();
    int error = errno;
    pthread_barrier_wait(&looked); /* all have their names */
    pthread_barrier_wait(&looked); /* the child has looked */

    if (strcmp(name, "computes") == 0)
        compute();
    else
        usleep(MILLISECONDS * 1000);
    uint64_t counted = 0;
    if (counter == -1)
        printf("%s: perf: %s\n", name, strerror(error));
    else if (read(counter, &counted, sizeof counted) == sizeof counted)
        printf("%s: perf: %s\n", name, counted > MILLISECONDS * 1000000 / 2 ? "computed" : "slept");
    return NULL;
}

/* Prints the name of each of the parent's threads that the kernel knows, but for the first one. */
static void look(pid_t parent)
{
    char path[64], name[32];
    snprintf(path, sizeof path, "/proc/%d/task", parent);
    DIR *tasks = opendir(path);
    int seen = 0;
    for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
        char file[512];
        snprintf(file, sizeof file, "%s/%s/comm", path, task->d_name);
        FILE *comm = task->d_name[0] == '.' ? NULL : fopen(file, "r");
        if (comm != NULL && fgets(name, sizeof name, comm) != NULL)
            printf("seen: %s", ++seen == 1 ? "the main thread\n" : name);
        if (comm != NULL)
            fclose(comm);
    }
    printf("seen: %d in all\n", seen);
}

int main(void)
{
    static char *names[THREADS] = {"computes", "sleeps-1", "sleeps-2"};
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */
    pthread_barrier_init(&looked, NULL, THREADS + 1);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, names[i]) != 0)
            return 1;
    pthread_barrier_wait(&looked);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        look(parent);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    pthread_barrier_wait(&looked);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
