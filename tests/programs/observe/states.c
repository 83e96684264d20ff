/*
 * One thread in each state that a timeline shows, with a name of its own: sleeper, locker, reader (a pipe), poller,
 * signal waiter, child waiter. Then the process ends as argument 1 says: exit, _exit, return, segv, abort, term, kill
 * (a SIGTERM from another process), or fork (a child makes threads of its own and both exit).
 */
#include "../check.h"
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int pipes[2];
static pthread_barrier_t all_are_made;

static void *sleeps(void *argument)
{
    pthread_setname_np(pthread_self(), "sleeper");
    pthread_barrier_wait(&all_are_made);
    for (int n = 0; n < 5; n++)
        sleep_ms(4);
    return argument;
}

static void *locks(void *argument)
{
    pthread_setname_np(pthread_self(), "locker");
    pthread_barrier_wait(&all_are_made);
    ZERO(pthread_mutex_lock(&mutex));
    ZERO(pthread_mutex_unlock(&mutex));
    return argument;
}

static void *reads(void *argument)
{
    char byte;
    pthread_setname_np(pthread_self(), "reader");
    pthread_barrier_wait(&all_are_made);
    CHECK(read(pipes[0], &byte, 1) == 1, "read");
    return argument;
}

static void *polls(void *argument)
{
    struct pollfd file = {.fd = pipes[0], .events = POLLPRI};
    pthread_setname_np(pthread_self(), "poller");
    pthread_barrier_wait(&all_are_made);
    poll(&file, 1, 20);
    return argument;
}

static void *waits_for_a_child(void *argument)
{
    pthread_setname_np(pthread_self(), "parent");
    pthread_barrier_wait(&all_are_made);
    CHECK(system("sleep 0.02") == 0, "system");
    return argument;
}

static void run_threads(void)
{
    void *(*const functions[])(void *) = {sleeps, locks, reads, polls, waits_for_a_child};
    enum { THREADS = sizeof functions / sizeof *functions };
    pthread_t threads[THREADS];
    CHECK(pipe(pipes) == 0, "pipe");
    ZERO(pthread_barrier_init(&all_are_made, NULL, THREADS + 1));
    ZERO(pthread_mutex_lock(&mutex));
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(functions[n], NULL);
    pthread_barrier_wait(&all_are_made);
    sleep_ms(10);
    ZERO(pthread_mutex_unlock(&mutex));
    CHECK(write(pipes[1], "x", 1) == 1, "write");
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
}

int main(int count, char **arguments)
{
    const char *end = count > 1 ? arguments[1] : "return";
    run_threads();
    if (!strcmp(end, "fork")) {
        pid_t child = fork();
        if (child == 0) {
            run_threads();
            puts("child done");
            exit(0);
        }
        CHECK(waitpid(child, NULL, 0) == child, "waitpid");
    }
    puts("done");
    fflush(stdout);
    if (!strcmp(end, "_exit"))
        _exit(0);
    if (!strcmp(end, "segv"))
        *(volatile int *)8 = 1;
    if (!strcmp(end, "abort"))
        abort();
    if (!strcmp(end, "term"))
        raise(SIGTERM);
    if (!strcmp(end, "kill")) {
        pid_t parent = getpid();
        if (fork() == 0) {
            kill(parent, SIGTERM);
            _exit(0);
        }
        pause();
    }
    return 0;
}
