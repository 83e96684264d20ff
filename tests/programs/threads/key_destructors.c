/*
 * Thread-specific data: each thread sees its own value, destructors run at its end with that value and the
 * value cleared, are repeated while they set values anew up to PTHREAD_DESTRUCTOR_ITERATIONS, and may sleep and lock.
 */
#include "../check.h"
#include <limits.h>

static pthread_key_t plain, stubborn, sleepy, deleted;
static int plain_sum, stubborn_runs, sleepy_runs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void add_up(void *value)
{
    CHECK(pthread_getspecific(plain) == NULL, "the value is still set in its destructor");
    pthread_mutex_lock(&lock);
    plain_sum += AS_INTEGER(value);
    pthread_mutex_unlock(&lock);
}

static void set_again(void *value)
{
    stubborn_runs++;
    pthread_setspecific(stubborn, value);
}

static void sleep_and_lock(void *value)
{
    (void)value;
    sleep_ms(1);
    pthread_mutex_lock(&lock);
    sleepy_runs++;
    sched_yield();
    pthread_mutex_unlock(&lock);
}

static void never(void *value)
{
    CHECK(0, "destructor of a deleted key ran with %p", value);
}

static void *body(void *argument)
{
    CHECK(pthread_getspecific(plain) == NULL, "a new thread finds a value");
    pthread_setspecific(plain, argument);
    pthread_setspecific(sleepy, argument);
    sched_yield();
    CHECK(pthread_getspecific(plain) == argument, "another thread's value");
    return NULL;
}

static void *sets_stubborn(void *argument)
{
    pthread_setspecific(stubborn, argument);
    pthread_setspecific(deleted, argument);
    pthread_key_delete(deleted);
    return NULL;
}

int main(void)
{
    ZERO(pthread_key_create(&plain, add_up));
    ZERO(pthread_key_create(&stubborn, set_again));
    ZERO(pthread_key_create(&sleepy, sleep_and_lock));
    ZERO(pthread_key_create(&deleted, never));
    pthread_t threads[40];
    for (int n = 0; n < 40; n++)
        threads[n] = start(body, AS_POINTER(n + 1));
    for (int n = 0; n < 40; n++)
        join(threads[n]);
    printf("sum of values destroyed: %d\nsleeping destructors: %d\n", plain_sum, sleepy_runs);
    join(start(sets_stubborn, AS_POINTER(1)));
    CHECK(stubborn_runs == PTHREAD_DESTRUCTOR_ITERATIONS, "%d runs", stubborn_runs);
    printf("the stubborn destructor ran PTHREAD_DESTRUCTOR_ITERATIONS times\n");

    pthread_key_t many[200];
    for (int n = 0; n < 200; n++)
        ZERO(pthread_key_create(&many[n], NULL));
    for (int n = 0; n < 200; n++)
        ZERO(pthread_setspecific(many[n], AS_POINTER(n)));
    for (int n = 0; n < 200; n++)
        CHECK(AS_INTEGER(pthread_getspecific(many[n])) == n, "key %d", n);
    puts("two hundred keys hold their values");
    return 0;
}
