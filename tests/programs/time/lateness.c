/*
 * How late sleepers wake: twenty threads make fifty sleeps of 1 to 5 ms each; the median, 99th percentile and worst
 * lateness go to stderr, in microseconds, for the reader. What is checked is only that none woke early.
 */
#include "../check.h"

enum { THREADS = 20, SLEEPS = 50 };
static int64_t lateness[THREADS * SLEEPS];

static void *body(void *argument)
{
    for (int n = 0; n < SLEEPS; n++) {
        int64_t due = now_ns(CLOCK_MONOTONIC) + MILLISECOND * (1 + (n + AS_INTEGER(argument)) % 5);
        struct timespec deadline = timespec_of(due);
        ZERO(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL));
        lateness[AS_INTEGER(argument) * SLEEPS + n] = now_ns(CLOCK_MONOTONIC) - due;
    }
    return NULL;
}

static int compare(const void *left, const void *right)
{
    int64_t difference = *(const int64_t *)left - *(const int64_t *)right;
    return difference < 0 ? -1 : difference > 0;
}

int main(void)
{
    enum { COUNT = THREADS * SLEEPS };
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    qsort(lateness, COUNT, sizeof *lateness, compare);
    CHECK(lateness[0] >= 0, "woke %ld ns early", (long)-lateness[0]);
    fprintf(stderr, "lateness in us: median %ld, 99th percentile %ld, worst %ld\n", (long)lateness[COUNT / 2] / 1000,
            (long)lateness[COUNT * 99 / 100] / 1000, (long)lateness[COUNT - 1] / 1000);
    printf("%d sleeps, none early\n", COUNT);
    return 0;
}
