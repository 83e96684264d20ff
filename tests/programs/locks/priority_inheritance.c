/*
 * Mutexes with PTHREAD_PRIO_INHERIT (the kernel's FUTEX_LOCK_PI) exclude and hand over under contention by
 * sleeping holders, like any others; trylock is EBUSY, timedlock is ETIMEDOUT.
 */
#include "../check.h"

enum { THREADS = 8, ROUNDS = 20 };
static pthread_mutex_t lock;
static int inside;
static long count;

static void *body(void *argument)
{
    for (int round = 0; round < ROUNDS; round++) {
        ZERO(pthread_mutex_lock(&lock));
        CHECK(inside++ == 0, "%d others inside", inside - 1);
        usleep(100);
        count++;
        inside--;
        ZERO(pthread_mutex_unlock(&lock));
    }
    return argument;
}

static void *holds(void *argument)
{
    ZERO(pthread_mutex_lock(&lock));
    sleep_ms(100);
    ZERO(pthread_mutex_unlock(&lock));
    return argument;
}

int main(void)
{
    pthread_mutexattr_t attributes;
    pthread_t threads[THREADS];
    pthread_mutexattr_init(&attributes);
    ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    ZERO(pthread_mutex_init(&lock, &attributes));
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, NULL);
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    printf("%ld times, one at a time\n", count);
    pthread_t holder = start(holds, NULL);
    sleep_ms(20);
    GIVES(EBUSY, pthread_mutex_trylock(&lock));
    struct timespec soon = deadline_in(CLOCK_REALTIME, 10 * MILLISECOND);
    GIVES(ETIMEDOUT, pthread_mutex_timedlock(&lock, &soon));
    ZERO(pthread_mutex_lock(&lock));
    ZERO(pthread_mutex_unlock(&lock));
    join(holder);
    return 0;
}
