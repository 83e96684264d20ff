/*
 * A sleep that a signal handler interrupts gives EINTR and the time that remained; slept to the end in pieces it is
 * no shorter than asked. An absolute sleep gives EINTR and leaves the remaining time alone. sleep() gives seconds.
 * The main thread sleeps, others sleep too and are not disturbed.
 */
#include "../check.h"
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t alarms;

static void handler(int number)
{
    (void)number;
    alarms++;
}

static void *undisturbed(void *argument)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    struct timespec time = {0, 400 * MILLISECOND};
    for (int n = 0; n < 2; n++)
        CHECK(nanosleep(&time, NULL) == 0, "a thread with signals blocked was interrupted");
    return argument;
}

static void alarm_in_ms(long milliseconds)
{
    struct itimerval timer = {.it_value = {0, milliseconds * 1000}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0, "setitimer");
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    pthread_t other = start(undisturbed, NULL);

    struct timespec time = {0, 200 * MILLISECOND}, left = {9, 9};
    int64_t begun = now_ns(CLOCK_MONOTONIC);
    alarm_in_ms(50);
    FAILS(EINTR, nanosleep(&time, &left));
    int64_t remaining = left.tv_sec * SECOND + left.tv_nsec;
    CHECK(alarms == 1, "%d alarms", alarms);
    CHECK(remaining > 0 && remaining <= 155 * MILLISECOND, "%ld ns left", (long)remaining);
    while (nanosleep(&left, &left) != 0) {
    }
    CHECK(now_ns(CLOCK_MONOTONIC) - begun >= 200 * MILLISECOND, "too short in all");
    puts("nanosleep: interrupted, resumed");

    left = (struct timespec){9, 9};
    alarm_in_ms(20);
    GIVES(EINTR, clock_nanosleep(CLOCK_REALTIME, 0, &time, &left));
    CHECK(left.tv_sec == 0 && left.tv_nsec <= 185 * MILLISECOND, "%ld ns left", left.tv_nsec);
    left = (struct timespec){9, 9};
    struct timespec deadline = deadline_in(CLOCK_MONOTONIC, 200 * MILLISECOND);
    alarm_in_ms(20);
    GIVES(EINTR, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, &left));
    CHECK(left.tv_sec == 9 && left.tv_nsec == 9, "an absolute sleep wrote the remaining time");
    puts("clock_nanosleep: interrupted");

    alarm_in_ms(20);
    unsigned seconds = sleep(100);
    CHECK(seconds == 99 || seconds == 100, "sleep gave %u", seconds);
    puts("sleep: interrupted");
    join(other);
    printf("%d alarms\n", alarms);
    return 0;
}
