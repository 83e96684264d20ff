/*
 * C11 threads: thrd_create, join, detach, yield, sleep, exit; mtx_ plain, recursive and timed; cnd_ signal,
 * broadcast and timedwait; tss_ with destructors; call_once.
 */
#include "../check.h"
#include <threads.h>

#define SUCCEEDS(call)                                                        \
    do {                                                                      \
        int succeeds_result = (call);                                         \
        CHECK(succeeds_result == thrd_success, "%s gave %d", #call, succeeds_result); \
    } while (0)

static mtx_t lock, recursive, timed;
static cnd_t condition;
static once_flag once = ONCE_FLAG_INIT;
static tss_t key;
static int turn, initialised, destroyed, waiting;

static void initialise(void)
{
    struct timespec pause = {0, MILLISECOND};
    thrd_sleep(&pause, NULL);
    initialised++;
}

static void destroy(void *value)
{
    mtx_lock(&lock);
    destroyed += AS_INTEGER(value);
    mtx_unlock(&lock);
}

static int takes_turns(void *argument)
{
    int me = AS_INTEGER(argument);
    call_once(&once, initialise);
    CHECK(initialised == 1, "initialised %d times", initialised);
    SUCCEEDS(tss_set(key, AS_POINTER(me + 1)));
    for (int round = 0; round < 20; round++) {
        mtx_lock(&lock);
        while (turn % 5 != me)
            cnd_wait(&condition, &lock);
        turn++;
        cnd_broadcast(&condition);
        mtx_unlock(&lock);
        thrd_yield();
    }
    if (me == 3)
        thrd_exit(me * 11);
    return me * 11;
}

static int holds_timed(void *argument)
{
    (void)argument;
    mtx_lock(&timed);
    struct timespec pause = {0, 50 * MILLISECOND};
    thrd_sleep(&pause, NULL);
    mtx_unlock(&timed);
    return 0;
}

static int waits(void *argument)
{
    (void)argument;
    mtx_lock(&lock);
    waiting = 1;
    while (waiting != 2)
        cnd_wait(&condition, &lock);
    mtx_unlock(&lock);
    return 5;
}

int main(void)
{
    thrd_t threads[5];
    SUCCEEDS(mtx_init(&lock, mtx_plain));
    SUCCEEDS(mtx_init(&recursive, mtx_plain | mtx_recursive));
    SUCCEEDS(mtx_init(&timed, mtx_timed));
    SUCCEEDS(cnd_init(&condition));
    SUCCEEDS(tss_create(&key, destroy));
    for (int n = 0; n < 5; n++)
        SUCCEEDS(thrd_create(&threads[n], takes_turns, AS_POINTER(n)));
    for (int n = 0; n < 5; n++) {
        int value;
        SUCCEEDS(thrd_join(threads[n], &value));
        CHECK(value == n * 11, "thread %d gave %d", n, value);
    }
    printf("turns %d, destroyed %d\n", turn, destroyed);

    for (int n = 0; n < 3; n++)
        SUCCEEDS(mtx_lock(&recursive));
    for (int n = 0; n < 3; n++)
        SUCCEEDS(mtx_unlock(&recursive));

    thrd_t holder;
    SUCCEEDS(thrd_create(&holder, holds_timed, NULL));
    struct timespec pause = {0, 10 * MILLISECOND};
    CHECK(thrd_sleep(&pause, NULL) == 0, "thrd_sleep");
    CHECK(mtx_trylock(&timed) == thrd_busy, "mtx_trylock");
    struct timespec soon = deadline_in(CLOCK_REALTIME, 5 * MILLISECOND);
    CHECK(mtx_timedlock(&timed, &soon) == thrd_timedout, "mtx_timedlock");
    struct timespec late = deadline_in(CLOCK_REALTIME, 30 * SECOND);
    SUCCEEDS(mtx_timedlock(&timed, &late));
    mtx_unlock(&timed);
    thrd_join(holder, NULL);

    thrd_t waiter;
    SUCCEEDS(thrd_create(&waiter, waits, NULL));
    mtx_lock(&lock);
    while (waiting != 1) {
        mtx_unlock(&lock);
        thrd_yield();
        mtx_lock(&lock);
    }
    soon = deadline_in(CLOCK_REALTIME, 5 * MILLISECOND);
    cnd_t lonely;
    cnd_init(&lonely);
    CHECK(cnd_timedwait(&lonely, &lock, &soon) == thrd_timedout, "cnd_timedwait");
    waiting = 2;
    cnd_signal(&condition);
    mtx_unlock(&lock);
    int value;
    thrd_join(waiter, &value);
    printf("the waiter gave %d\n", value);
    SUCCEEDS(thrd_create(&waiter, holds_timed, NULL));
    SUCCEEDS(thrd_detach(waiter));
    CHECK(thrd_equal(thrd_current(), thrd_current()), "thrd_equal");
    return 0;
}
