/*
 * pthread_join hands over what the thread returned or gave pthread_exit, in any order of joining, before or
 * after the thread ended; a thread that joins itself gets EDEADLK; tryjoin and timedjoin say EBUSY and ETIMEDOUT.
 */
#include "../check.h"

static void *returns(void *argument)
{
    return AS_POINTER(AS_INTEGER(argument) * 3);
}

static void *exits(void *argument)
{
    sleep_ms(AS_INTEGER(argument) % 5);
    pthread_exit(AS_POINTER(AS_INTEGER(argument) * 5));
}

static void *joins_itself(void *argument)
{
    (void)argument;
    return AS_POINTER(pthread_join(pthread_self(), NULL));
}

static void *sleeps(void *argument)
{
    sleep_ms(AS_INTEGER(argument));
    return AS_POINTER(77);
}

static void *joins_another(void *argument)
{
    return join(*(pthread_t *)argument);
}

int main(void)
{
    enum { COUNT = 50 };
    pthread_t threads[COUNT];
    for (int n = 0; n < COUNT; n++)
        threads[n] = start(n % 2 ? exits : returns, AS_POINTER(n));
    int sum = 0;
    for (int n = COUNT - 1; n >= 0; n--) {
        int value = AS_INTEGER(join(threads[n]));
        CHECK(value == n * (n % 2 ? 5 : 3), "thread %d gave %d", n, value);
        sum += value;
    }
    printf("sum of %d values: %d\n", COUNT, sum);

    printf("joining oneself: %s\n", strerror(AS_INTEGER(join(start(joins_itself, NULL)))));

    pthread_t sleeper = start(sleeps, AS_POINTER(100));
    GIVES(EBUSY, pthread_tryjoin_np(sleeper, NULL));
    struct timespec soon = deadline_in(CLOCK_REALTIME, 5 * MILLISECOND);
    GIVES(ETIMEDOUT, pthread_timedjoin_np(sleeper, NULL, &soon));
    soon = deadline_in(CLOCK_MONOTONIC, 5 * MILLISECOND);
    GIVES(ETIMEDOUT, pthread_clockjoin_np(sleeper, NULL, CLOCK_MONOTONIC, &soon));
    struct timespec late = deadline_in(CLOCK_REALTIME, 30 * SECOND);
    void *value;
    ZERO(pthread_timedjoin_np(sleeper, &value, &late));
    printf("joined within the time limit: %d\n", AS_INTEGER(value));

    sleeper = start(sleeps, AS_POINTER(20));
    printf("joined by another thread: %d\n", AS_INTEGER(join(start(joins_another, &sleeper))));

    pthread_t finished = start(returns, AS_POINTER(9));
    while (pthread_tryjoin_np(finished, &value) == EBUSY)
        sleep_ms(1);
    printf("joined by trying: %d\n", AS_INTEGER(value));
    return 0;
}
