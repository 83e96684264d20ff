/*
 * Fifty threads fork at once, and fifty more fork and exec, while others lock, allocate, print and read; a chain of
 * children, each of which makes threads and forks from one of them; a double fork, whose grandchild outlives its
 * parent. Every child makes threads that lock, sleep, write and read; every status comes back to the thread it
 * belongs to.
 */
#include "../check.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { FORKERS = 50, BACKGROUND = 4, DEPTH = 8 };
static volatile int stop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long counter;

/* Keeps the locks of malloc and of stdio busy. */
static void *background(void *argument)
{
    FILE *nowhere = fopen("/dev/null", "w");
    while (!stop) {
        free(malloc(200000));
        fprintf(nowhere, "%p\n", argument);
        fflush(nowhere);
        usleep(100);
    }
    fclose(nowhere);
    return NULL;
}

static void *echoes(void *argument)
{
    int *ends = argument;
    char byte;
    while (read(ends[0], &byte, 1) == 1) {
        pthread_mutex_lock(&lock);
        counter += byte;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* Threads and input and output in a fresh child; the sum of what was sent. */
static int threads_and_io(int count)
{
    pthread_t threads[8];
    int ends[8][2];
    counter = 0;
    for (int n = 0; n < count; n++) {
        CHECK(pipe(ends[n]) == 0, "pipe");
        threads[n] = start(echoes, ends[n]);
    }
    for (int n = 0; n < count; n++) {
        CHECK(write(ends[n][1], "\001\002\003", 3) == 3, "write");
        if (n % 2)
            sleep_ms(1);
        close(ends[n][1]);
    }
    for (int n = 0; n < count; n++) {
        join(threads[n]);
        close(ends[n][0]);
    }
    return (int)counter;
}

static int status_of(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "status %#x", status);
    return WEXITSTATUS(status);
}

static void *forks(void *argument)
{
    int me = AS_INTEGER(argument);
    pid_t parent = getpid(), child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        CHECK(getppid() == parent && gettid() == getpid(), "ids");
        char *text;
        CHECK(asprintf(&text, "%d", me) > 0 && atoi(text) == me, "asprintf");
        free(text);
        _exit(threads_and_io(1 + me % 3) + me);
    }
    CHECK(status_of(child) == 6 * (1 + me % 3) + me, "child %d", me);
    return NULL;
}

static void *forks_and_executes(void *argument)
{
    char script[32];
    snprintf(script, sizeof script, "exit %d", AS_INTEGER(argument));
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", script, NULL);
        _exit(127);
    }
    CHECK(status_of(child) == AS_INTEGER(argument), "program %d", AS_INTEGER(argument));
    return NULL;
}

static int chain(int depth);

static void *forks_deeper(void *argument)
{
    int depth = AS_INTEGER(argument);
    pid_t parent = getpid(), child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        CHECK(getppid() == parent && gettid() == getpid(), "ids at depth %d", depth);
        _exit(chain(depth - 1));
    }
    return AS_POINTER(status_of(child));
}

/* One more for each process of the chain, each of which has threads. */
static int chain(int depth)
{
    CHECK(threads_and_io(3) == 18, "threads at depth %d", depth);
    if (depth == 0)
        return 0;
    pthread_t other = start(echoes, (int[]){-1, -1});
    int below = AS_INTEGER(join(start(forks_deeper, AS_POINTER(depth))));
    join(other);
    return below + 1;
}

static void double_fork(void)
{
    int ends[2], status = 0;
    pid_t told[2];
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && pipe(ends) == 0, "subreaper");
    pid_t reaper = getpid(), child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        pid_t middle = getpid(), grandchild = fork();
        if (grandchild != 0)
            _exit(grandchild > 0 ? 0 : 1);
        while (getppid() == middle)
            sched_yield();
        CHECK(getppid() == reaper, "parent %d", getppid());
        told[0] = getpid();
        told[1] = threads_and_io(2);
        CHECK(write(ends[1], told, sizeof told) == sizeof told, "write");
        _exit(3);
    }
    CHECK(status_of(child) == 0, "child");
    CHECK(read(ends[0], told, sizeof told) == sizeof told && told[1] == 12, "grandchild told %d", told[1]);
    CHECK(waitpid(-1, &status, 0) == told[0] && WEXITSTATUS(status) == 3, "grandchild's status %#x", status);
    puts("double fork");
}

int main(void)
{
    pthread_t threads[FORKERS], others[BACKGROUND];
    for (int n = 0; n < BACKGROUND; n++)
        others[n] = start(background, NULL);
    for (int n = 0; n < FORKERS; n++)
        threads[n] = start(forks, AS_POINTER(n));
    for (int n = 0; n < FORKERS; n++)
        join(threads[n]);
    printf("%d threads forked\n", FORKERS);
    for (int n = 0; n < FORKERS; n++)
        threads[n] = start(forks_and_executes, AS_POINTER(n));
    for (int n = 0; n < FORKERS; n++)
        join(threads[n]);
    printf("%d threads forked and executed\n", FORKERS);
    stop = 1;
    for (int n = 0; n < BACKGROUND; n++)
        join(others[n]);
    printf("chain of %d\n", chain(DEPTH));
    fflush(stdout);
    double_fork();
    return 0;
}
