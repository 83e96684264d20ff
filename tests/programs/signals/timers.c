/*
 * Timers of timer_create while there are several threads: SIGEV_THREAD runs its function in a thread, SIGEV_THREAD_ID
 * signals one thread, which has the signal blocked and waits for it, SIGEV_SIGNAL runs the process's handler.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static sem_t called, ready;
static volatile sig_atomic_t handled;
static int tid;

static void notify(union sigval value)
{
    CHECK(value.sival_int == 42, "value %d", value.sival_int);
    sem_post(&called);
}

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)context;
    CHECK(signal == SIGUSR1 && info->si_code == SI_TIMER && info->si_value.sival_int == 7, "signal %d", signal);
    handled++;
}

static void start_once(timer_t timer)
{
    struct itimerspec soon = {.it_value.tv_nsec = 20000000};
    ZERO(timer_settime(timer, 0, &soon, NULL));
}

static void *waiter(void *unused)
{
    (void)unused;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    tid = (int)syscall(SYS_gettid);
    sem_post(&ready);
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN, "sigwaitinfo");
    CHECK(info.si_code == SI_TIMER && info.si_value.sival_int == 13, "code %d", info.si_code);
    return NULL;
}

int main(void)
{
    timer_t by_thread, to_thread, by_signal;
    sem_init(&called, 0, 0);
    sem_init(&ready, 0, 0);
    pthread_t thread = start(waiter, NULL);
    while (sem_wait(&ready) != 0)
        continue;

    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify, .sigev_value.sival_int = 42};
    ZERO(timer_create(CLOCK_MONOTONIC, &event, &by_thread));
    start_once(by_thread);
    while (sem_wait(&called) != 0)
        continue;
    puts("a function in a thread");

    struct sigevent directed = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 13};
    directed.sigev_notify_thread_id = tid;
    ZERO(timer_create(CLOCK_MONOTONIC, &directed, &to_thread));
    start_once(to_thread);
    join(thread);
    puts("a signal for one thread");

    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    ZERO(sigaction(SIGUSR1, &action, NULL));
    struct sigevent plain = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
    ZERO(timer_create(CLOCK_MONOTONIC, &plain, &by_signal));
    start_once(by_signal);
    while (handled == 0)
        usleep(1000);
    puts("a signal for the process");
    ZERO(timer_delete(by_thread));
    ZERO(timer_delete(to_thread));
    ZERO(timer_delete(by_signal));
    return 0;
}
