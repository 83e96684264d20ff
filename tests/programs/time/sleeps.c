/*
 * sleep, usleep, nanosleep, clock_nanosleep and thrd_sleep in threads: none returns early by the clock it slept on,
 * all overlap (threads that sleep for different times wake in the order of those times), and the errors are right.
 */
#include "../check.h"
#include <threads.h>

static int order[8], woken;
static int64_t begun;

static void at_least(int64_t nanoseconds, const char *what)
{
    int64_t passed = now_ns(CLOCK_MONOTONIC) - begun;
    CHECK(passed >= nanoseconds, "%s: %ld ns instead of %ld", what, (long)passed, (long)nanoseconds);
}

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    int64_t length = 200 * MILLISECOND * (me + 1);
    struct timespec time = timespec_of(length);
    struct timespec absolute;
    switch (me) {
    case 0: CHECK(usleep((useconds_t)(length / 1000)) == 0, "usleep"); break;
    case 1: CHECK(nanosleep(&time, NULL) == 0, "nanosleep"); break;
    case 2: CHECK(thrd_sleep(&time, NULL) == 0, "thrd_sleep"); break;
    case 3: ZERO(clock_nanosleep(CLOCK_REALTIME, 0, &time, NULL)); break;
    case 4: CHECK(sleep(1) == 0, "sleep"); break;
    case 5: ZERO(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL)); break;
    case 6: ZERO(clock_nanosleep(CLOCK_BOOTTIME, 0, &time, NULL)); break;
    case 7:
        absolute = timespec_of(begun + length);
        ZERO(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &absolute, NULL));
        break;
    }
    at_least(length, "a sleep");
    order[__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST)] = me;
    return NULL;
}

int main(void)
{
    pthread_t threads[8];
    begun = now_ns(CLOCK_MONOTONIC);
    for (int n = 7; n >= 0; n--)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < 8; n++)
        join(threads[n]);
    for (int n = 0; n < 8; n++)
        printf("%d%s", order[n], n < 7 ? " " : "\n");

    struct timespec impossible = {0, SECOND}, negative = {-1, 0}, none = {0, 0};
    FAILS(EINVAL, nanosleep(&impossible, NULL));
    FAILS(EINVAL, nanosleep(&negative, NULL));
    FAILS(EFAULT, nanosleep((void *)4096, NULL));
    CHECK(nanosleep(&none, NULL) == 0, "a sleep of nothing");
    GIVES(EINVAL, clock_nanosleep(CLOCK_MONOTONIC, 0, &impossible, NULL));
    GIVES(EINVAL, clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &none, NULL));
    GIVES(EINVAL, clock_nanosleep(12345, 0, &none, NULL));
    GIVES(ENOTSUP, clock_nanosleep(CLOCK_MONOTONIC_COARSE, 0, &none, NULL));
    CHECK(usleep(0) == 0, "usleep(0)");
    return 0;
}
