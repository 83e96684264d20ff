/*
 * Timed locking: pthread_mutex_timedlock and clocklock (both clocks), a mutex that comes free in time and one that
 * does not, never before the deadline, EINVAL for impossible times, at once when free even if the deadline is past.
 */
#include "../check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *holds(void *argument)
{
    ZERO(pthread_mutex_lock(&lock));
    __atomic_store_n((int *)argument, 1, __ATOMIC_RELEASE);
    sleep_ms(150);
    ZERO(pthread_mutex_unlock(&lock));
    return NULL;
}

int main(void)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    for (int n = 0; n < 2; n++) {
        clockid_t clock = clocks[n];
        int held = 0;
        pthread_t holder = start(holds, &held);
        while (!__atomic_load_n(&held, __ATOMIC_ACQUIRE))
            sched_yield();
        struct timespec soon = deadline_in(clock, 10 * MILLISECOND);
        GIVES(ETIMEDOUT, pthread_mutex_clocklock(&lock, clock, &soon));
        CHECK(now_ns(clock) >= soon.tv_sec * SECOND + soon.tv_nsec, "too early");
        if (clock == CLOCK_REALTIME) {
            soon = deadline_in(clock, 10 * MILLISECOND);
            GIVES(ETIMEDOUT, pthread_mutex_timedlock(&lock, &soon));
            CHECK(now_ns(clock) >= soon.tv_sec * SECOND + soon.tv_nsec, "too early");
        }
        struct timespec past = deadline_in(clock, -SECOND);
        GIVES(ETIMEDOUT, pthread_mutex_clocklock(&lock, clock, &past));
        struct timespec impossible = {past.tv_sec, SECOND};
        GIVES(EINVAL, pthread_mutex_clocklock(&lock, clock, &impossible));
        impossible.tv_nsec = -1;
        GIVES(EINVAL, pthread_mutex_clocklock(&lock, clock, &impossible));
        struct timespec late = deadline_in(clock, 60 * SECOND);
        ZERO(pthread_mutex_clocklock(&lock, clock, &late));
        ZERO(pthread_mutex_unlock(&lock));
        join(holder);
        ZERO(pthread_mutex_clocklock(&lock, clock, &past));
        ZERO(pthread_mutex_unlock(&lock));
        printf("clock %d: timed out, refused, obtained\n", clock);
    }
    GIVES(EINVAL, pthread_mutex_clocklock(&lock, CLOCK_PROCESS_CPUTIME_ID, &(struct timespec){0, 0}));
    return 0;
}
