/*
 * clock_nanosleep with TIMER_ABSTIME on CLOCK_REALTIME, MONOTONIC, BOOTTIME and TAI: returns not before the time,
 * at once when it is past, and periodic absolute sleeps do not drift: twenty 5 ms periods end where they should.
 */
#include "../check.h"

static void *body(void *argument)
{
    clockid_t clock = AS_INTEGER(argument);
    int64_t next = now_ns(clock);
    for (int period = 0; period < 20; period++) {
        next += 5 * MILLISECOND;
        struct timespec deadline = timespec_of(next);
        ZERO(clock_nanosleep(clock, TIMER_ABSTIME, &deadline, NULL));
        CHECK(now_ns(clock) >= next, "clock %d: %ld ns too early", clock, (long)(next - now_ns(clock)));
    }
    struct timespec past = timespec_of(next - SECOND);
    ZERO(clock_nanosleep(clock, TIMER_ABSTIME, &past, NULL));
    struct timespec negative = {-1, 0};
    GIVES(EINVAL, clock_nanosleep(clock, TIMER_ABSTIME, &negative, NULL));
    return NULL;
}

int main(void)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
    pthread_t threads[4];
    for (int n = 0; n < 4; n++)
        threads[n] = start(body, AS_POINTER(clocks[n]));
    for (int n = 0; n < 4; n++)
        join(threads[n]);
    puts("twenty periods on each of four clocks");
    return 0;
}
