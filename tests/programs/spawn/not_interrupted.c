/*
 * 1,000 calls add to a counter without a lock, and some compute for long between reading and writing it: right
 * only if nothing else runs before the call blocks. A timer interrupts them with a signal all the while.
 */
#include "../check.h"
#include <signal.h>
#include <sys/time.h>

static volatile int counter;
static volatile sig_atomic_t ticks;

static void tick(int signal)
{
    (void)signal;
    ticks++;
}

__attribute__((noinline, noclone)) static void task(int number)
{
    sleep_ms(1);
    int seen = counter;
    if (number % 50 == 0) {
        int64_t end = now_ns(CLOCK_THREAD_CPUTIME_ID) + 30 * MILLISECOND;
        while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
        }
    }
    counter = seen + 1;
    sleep_ms(1);
}

__attribute__((noinline, noclone)) static void report(void)
{
    printf("%d\n", counter);
}

int main(void)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 5000}, {0, 5000}};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
    for (int number = 0; number < 1000; number++)
        task(number);
    report();
    CHECK(ticks > 0, "the timer never fired");
    return 0;
}
