/*
 * backtrace(), whose unwinder must find its way through interrupted code: in a handler that interrupted a waiting call,
 * one that is made again after that, a computing loop, and a loop of short calls, it leads to the thread's function and
 * beyond; and it does so every time, wherever the interruption came.
 */
#include "../check.h"
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/time.h>

static volatile int handled, incomplete, stop;
static sem_t begun, semaphore;
static int ends[2], file;
static __thread int is_traced;

static __attribute__((noinline)) void *traced(void *argument);

static int leads_to_traced(void)
{
    void *addresses[64];
    int count = backtrace(addresses, 64);
    for (int n = 0; n < count; n++)
        if ((char *)addresses[n] > (char *)traced && (char *)addresses[n] < (char *)traced + 200)
            return n + 1 < count;
    return 0;
}

static void handler(int number)
{
    int saved = errno;
    (void)number;
    if (is_traced) {
        if (!leads_to_traced())
            incomplete++;
        handled++;
    }
    errno = saved;
}

static void sleeps(void) { poll(NULL, 0, 200); }
static void reads(void) { (void)!read(ends[0], &(char){0}, 1); }
static void waits(void) { sem_wait(&semaphore); }
static void locks(void) { flock(file, LOCK_EX); }

static void computes(void)
{
    volatile double sum = 1;
    while (!stop)
        sum = sum * 1.0001 + 0.5;
}

static void makes_calls(void)
{
    while (!stop)
        syscall(SYS_getppid);
}

static void makes_answered_calls(void)
{
    char byte;
    while (!stop) {
        sched_yield();
        (void)!pread(file, &byte, 1, 0);
        close(-1);
        gettid();
    }
}

static __attribute__((noinline)) void *traced(void *argument)
{
    is_traced = 1;
    sem_post(&begun);
    ((void (*)(void))argument)();
    is_traced = 0;
    __asm__ volatile("" : : : "memory");
    return NULL;
}

static void waiting(const char *name, void (*call)(void), void (*let)(void), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    handled = incomplete = 0;
    pthread_t thread = start(traced, (void *)call);
    while (sem_wait(&begun) != 0) {
    }
    sleep_ms(20);
    for (int n = 1; n <= (flags ? 3 : 1); n++) {
        ZERO(pthread_kill(thread, SIGUSR1));
        while (handled < n)
            usleep(500);
        sleep_ms(2);
    }
    if (flags && let != NULL)
        let();
    join(thread);
    printf("%s: %d complete\n", name, handled - incomplete);
}

static void running(const char *name, void (*run)(void))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    handled = incomplete = stop = 0;
    pthread_t thread = start(traced, (void *)run);
    while (sem_wait(&begun) != 0) {
    }
    for (int n = 1; n <= 60; n++) {
        ZERO(pthread_kill(thread, SIGUSR1));
        while (handled < n)
            usleep(200 + n * 37);
    }
    stop = 1;
    join(thread);
    printf("%s: %d of %d incomplete\n", name, incomplete, handled);
}

/* Main itself, hit by a timer in the middle of what it does. */
static void in_main(void)
{
    struct itimerval timer = {{0, 1000}, {0, 1000}}, none = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    handled = incomplete = stop = 0;
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0, "setitimer");
    is_traced = 1;
    int64_t end = now_ns(CLOCK_MONOTONIC) + 300 * MILLISECOND;
    char byte;
    while (now_ns(CLOCK_MONOTONIC) < end) {
        (void)!pread(file, &byte, 1, 0);
        close(-1);
    }
    is_traced = 0;
    CHECK(setitimer(ITIMER_REAL, &none, NULL) == 0, "setitimer");
}

static void let_read(void) { CHECK(write(ends[1], "x", 1) == 1, "write"); }
static void let_wait(void) { sem_post(&semaphore); }

static int other;
static void let_lock(void) { flock(other, LOCK_UN); }

int main(void)
{
    char name[] = "/tmp/backtraces-XXXXXX";
    void *warm[4];
    backtrace(warm, 4);
    sem_init(&begun, 0, 0);
    sem_init(&semaphore, 0, 0);
    CHECK(pipe(ends) == 0, "pipe");
    file = mkstemp(name);
    other = open(name, O_RDWR);
    unlink(name);
    CHECK(flock(other, LOCK_EX) == 0, "flock");
    waiting("poll", sleeps, NULL, 0);
    waiting("read", reads, NULL, 0);
    waiting("read, made again", reads, let_read, SA_RESTART);
    waiting("sem_wait", waits, NULL, 0);
    waiting("sem_wait, made again", waits, let_wait, SA_RESTART);
    waiting("flock", locks, NULL, 0);
    waiting("flock, made again", locks, let_lock, SA_RESTART);
    running("computing", computes);
    running("short calls", makes_calls);
    running("other short calls", makes_answered_calls);
    in_main();
    CHECK(handled > 10, "%d", handled);
    return 0;
}
