/*
 * A process that only sends, and one whose threads sleep, lock, read and compute meanwhile: real-time signals with
 * consecutive numbers, as fast as the queue takes them, to one thread that handles them, are all there, in order, once
 * each. Standard signals in between come at least once each time they were acknowledged before. Argument: how many.
 */
#include "../check.h"
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static volatile int expected, standard, stop;
static int wrong, pings[2];
static pthread_t handling;

static void numbered(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    if (info->si_value.sival_int != expected || info->si_code != SI_QUEUE || !pthread_equal(pthread_self(), handling))
        wrong++;
    expected++;
}

static void acknowledges(int signal)
{
    (void)signal;
    standard++;
    CHECK(write(pings[1], "x", 1) == 1, "write");
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ends[2];

static void *sleeps(void *argument)
{
    while (!stop)
        usleep(300);
    return argument;
}

static void *locks(void *argument)
{
    while (!stop) {
        ZERO(pthread_mutex_lock(&lock));
        sched_yield();
        ZERO(pthread_mutex_unlock(&lock));
        usleep(50);
    }
    return argument;
}

static void *writes(void *argument)
{
    while (!stop) {
        CHECK(write(ends[1], "y", 1) == 1, "write");
        usleep(200);
    }
    CHECK(close(ends[1]) == 0, "close");
    return argument;
}

static void *reads(void *argument)
{
    char byte;
    while (read(ends[0], &byte, 1) == 1) {
    }
    return argument;
}

static void *computes(void *argument)
{
    volatile double sum = 1;
    for (int round = 1; !stop; round++) {
        for (int n = 0; n < 20000; n++)
            sum = sum * 1.000001 + 0.5;
        /* Long enough to be interrupted many times, not so long that it is worth a report. */
        if (round % 2000 == 0)
            usleep(1000);
    }
    return argument;
}

static void send(pid_t to, int count)
{
    char byte;
    for (int n = 0; n < count; n++) {
        while (sigqueue(to, SIGRTMIN + 3, (union sigval){.sival_int = n}) != 0) {
            CHECK(errno == EAGAIN, "sigqueue");
            usleep(100);
        }
        if (n % 1000 == 999) {
            CHECK(kill(to, SIGUSR1) == 0, "kill");
            CHECK(read(pings[0], &byte, 1) == 1, "no acknowledgement");
        }
    }
    _exit(0);
}

static void *handles(void *argument)
{
    int count = AS_INTEGER(argument);
    sigset_t set;
    handling = pthread_self();
    sigfillset(&set);
    ZERO(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
    /* Now waiting, now running. */
    while (expected < count) {
        usleep(500);
        for (volatile int n = 0; n < 10000; n++) {
        }
        sched_yield();
    }
    return NULL;
}

int main(int count_of_arguments, char **arguments)
{
    static void *(*const bodies[])(void *) = {sleeps, sleeps, locks, locks, writes, reads, computes};
    enum { OTHERS = sizeof bodies / sizeof *bodies };
    int count = count_of_arguments > 1 ? atoi(arguments[1]) : 100000, status;
    pthread_t others[OTHERS];
    sigset_t all, old;
    struct sigaction action = {.sa_sigaction = numbered, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigfillset(&action.sa_mask);
    CHECK(sigaction(SIGRTMIN + 3, &action, NULL) == 0, "sigaction");
    action.sa_handler = acknowledges;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    CHECK(pipe(ends) == 0 && pipe(pings) == 0, "pipe");
    sigfillset(&all);
    ZERO(pthread_sigmask(SIG_BLOCK, &all, &old));
    pid_t self = getpid(), child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        send(self, count);
    }
    for (int n = 0; n < OTHERS; n++)
        others[n] = start(bodies[n], NULL);
    join(start(handles, AS_POINTER(count)));
    CHECK(waitpid(child, &status, 0) == child && status == 0, "the sender's status %d", status);
    stop = 1;
    for (int n = 0; n < OTHERS; n++)
        join(others[n]);
    printf("%d signals, %d out of order; %d acknowledged\n", expected, wrong, standard);
    return 0;
}
