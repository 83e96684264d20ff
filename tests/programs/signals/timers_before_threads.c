/*
 * Timers that main makes for itself alone (SIGEV_THREAD_ID), and on its own CPU clock, while it is the only thread: they stay main's
 * when there are others. The first sends its signals to main though another thread computes, the second counts
 * what main burns and not what others do.
 */
#include "../check.h"
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static atomic_int stop, by_main, by_others, on_cpu_time;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    CHECK(info->si_code == SI_TIMER && info->si_value.sival_int == 4, "value %d", info->si_value.sival_int);
    if (gettid() == getpid())
        by_main++;
    else
        by_others++;
}

static void on_time(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    CHECK(info->si_value.sival_int == 5, "value %d", info->si_value.sival_int);
    on_cpu_time++;
}

static void *computes(void *argument)
{
    while (!stop) {
    }
    return argument;
}

static timer_t make(clockid_t clock, int number, int value)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number, .sigev_value.sival_int = value};
    event.sigev_notify_thread_id = gettid();
    timer_t timer;
    CHECK(timer_create(clock, &event, &timer) == 0, "timer_create");
    return timer;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    action.sa_sigaction = on_time;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
    timer_t own = make(CLOCK_MONOTONIC, SIGUSR1, 4), counting = make(CLOCK_THREAD_CPUTIME_ID, SIGUSR2, 5);
    struct itimerspec often = {timespec_of(5 * MILLISECOND), timespec_of(5 * MILLISECOND)};
    struct itimerspec once = {timespec_of(0), timespec_of(200 * MILLISECOND)}, left;
    CHECK(timer_settime(counting, 0, &once, NULL) == 0, "timer_settime");
    pthread_t other = start(computes, NULL);
    CHECK(timer_settime(own, 0, &often, NULL) == 0, "timer_settime");
    while (by_main + by_others < 20)
        usleep(1000);
    ZERO(timer_delete(own));
    CHECK(by_others == 0, "%d of %d signals came to another thread", by_others, by_main + by_others);
    puts("main's own");
    sleep_ms(400);
    CHECK(on_cpu_time == 0, "another thread's time was counted");
    CHECK(timer_gettime(counting, &left) == 0 && left.it_value.tv_nsec > 100 * MILLISECOND, "%ld ns left",
          left.it_value.tv_nsec);
    int64_t begin = now_ns(CLOCK_THREAD_CPUTIME_ID);
    while (on_cpu_time == 0)
        CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - begin < 2 * SECOND, "no signal");
    CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - begin > 100 * MILLISECOND, "early");
    ZERO(timer_delete(counting));
    puts("main's time");
    stop = 1;
    join(other);
    return 0;
}
