/*
 * sigwait, sigwaitinfo and sigtimedwait in a thread set aside for signals: signals sent to the process, and to that
 * thread, arrive there with their values while others have them blocked; sigtimedwait times out with EAGAIN;
 * sigsuspend and pause return after a handler.
 */
#include "../check.h"
#include <signal.h>

static sigset_t set;
static volatile sig_atomic_t handled;

static void handler(int number)
{
    handled = number;
}

static void *waits(void *argument)
{
    (void)argument;
    siginfo_t info;
    int number;
    ZERO(sigwait(&set, &number));
    printf("sigwait: %d\n", number == SIGUSR1);
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN, "sigwaitinfo");
    printf("sigwaitinfo: value %d\n", info.si_value.sival_int);
    struct timespec soon = {0, 10 * MILLISECOND}, late = {60, 0};
    FAILS(EAGAIN, sigtimedwait(&set, &info, &soon));
    CHECK(sigtimedwait(&set, &info, &late) == SIGUSR2, "sigtimedwait");
    puts("sigtimedwait: timed out, then a signal");
    return NULL;
}

static void *suspends(void *argument)
{
    (void)argument;
    sigset_t mask;
    sigemptyset(&mask);
    FAILS(EINTR, sigsuspend(&mask));
    CHECK(handled == SIGUSR1, "handled %d", handled);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    CHECK(sigismember(&mask, SIGUSR1), "sigsuspend did not restore the mask");
    handled = 0;
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    FAILS(EINTR, pause());
    CHECK(handled == SIGUSR2, "handled %d", handled);
    return NULL;
}

int main(void)
{
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_t waiter = start(waits, NULL);
    sleep_ms(20);
    kill(getpid(), SIGUSR1);
    sleep_ms(20);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 4711});
    sleep_ms(80);
    pthread_kill(waiter, SIGUSR2);
    join(waiter);

    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    pthread_t suspender = start(suspends, NULL);
    sleep_ms(20);
    pthread_kill(suspender, SIGUSR1);
    sleep_ms(50);
    pthread_kill(suspender, SIGUSR2);
    join(suspender);
    puts("sigsuspend and pause");

    raise(SIGUSR1);
    sigset_t pending;
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGUSR1), "SIGUSR1 is not pending");
    int number;
    ZERO(sigwait(&set, &number));
    printf("pending, then taken: %d\n", number == SIGUSR1);
    return 0;
}
