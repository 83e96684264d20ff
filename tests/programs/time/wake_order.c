/*
 * Ten thousand threads sleep to deadlines of their own, mixed up, some the same: they wake in the order of the
 * deadlines, those with equal deadlines in the order they went to sleep. Meant for grivet: a kernel with several
 * processors promises the order only roughly.
 */
#include "../check.h"
#include <stdbool.h>

enum { THREADS = 10000, DEADLINES = 2500 };
static int64_t base;
static int slept_as[THREADS], asleep, order[THREADS], woken;

static int deadline_of(int thread)
{
    return (int)((thread * 7919L) % DEADLINES);
}

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    slept_as[me] = __atomic_fetch_add(&asleep, 1, __ATOMIC_SEQ_CST);
    struct timespec deadline = timespec_of(base + deadline_of(me) * 40000LL);
    ZERO(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL));
    order[__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST)] = me;
    return NULL;
}

int main(void)
{
    static pthread_t threads[THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    base = now_ns(CLOCK_MONOTONIC) + 2 * SECOND;
    for (int n = 0; n < THREADS; n++)
        ZERO(pthread_create(&threads[n], &attributes, body, AS_POINTER(n)));
    while (__atomic_load_n(&asleep, __ATOMIC_SEQ_CST) < THREADS)
        sched_yield();
    CHECK(now_ns(CLOCK_MONOTONIC) < base, "this machine is too slow: the first deadline passed before all slept");
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    /* A time slice may end just when a thread has woken and has not yet entered itself: one place in a hundred may be wrong. */
    int wrong = 0;
    for (int n = 1; n < THREADS; n++) {
        int before = order[n - 1], after = order[n];
        bool in_order = deadline_of(before) < deadline_of(after);
        bool in_turn = deadline_of(before) == deadline_of(after) && slept_as[before] < slept_as[after];
        wrong += !in_order && !in_turn;
    }
    CHECK(wrong <= THREADS / 100, "%d of %d woke out of order", wrong, THREADS);
    printf("%d threads woke in order\n", woken);
    return 0;
}
