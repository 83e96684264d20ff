/*
 * Cancellation: a thread asleep, waiting on a condition variable or a semaphore, or joining, is cancelled there;
 * cleanup handlers run, the condition's mutex is held in them, join gives PTHREAD_CANCELED; a disabled thread goes
 * on until it enables; asynchronous cancellation ends a thread that only yields; pthread_testcancel is a point.
 */
#include "../check.h"
#include <semaphore.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t never, started;
static int cleaned;
static volatile int stop;

static void clean(void *argument)
{
    cleaned += AS_INTEGER(argument);
}

static void unlock(void *argument)
{
    cleaned += 10;
    ZERO(pthread_mutex_unlock(argument));
}

static void *sleeps(void *argument)
{
    pthread_cleanup_push(clean, AS_POINTER(1));
    sem_post(&started);
    sleep(600);
    pthread_cleanup_pop(0);
    return argument;
}

static void *waits_for_condition(void *argument)
{
    pthread_mutex_lock(&lock);
    pthread_cleanup_push(unlock, &lock);
    sem_post(&started);
    for (;;)
        pthread_cond_wait(&condition, &lock);
    pthread_cleanup_pop(0);
    return argument;
}

static void *waits_for_semaphore(void *argument)
{
    pthread_cleanup_push(clean, AS_POINTER(100));
    sem_post(&started);
    sem_wait(&never);
    pthread_cleanup_pop(0);
    return argument;
}

static void *joins(void *argument)
{
    pthread_cleanup_push(clean, AS_POINTER(1000));
    sem_post(&started);
    pthread_join(*(pthread_t *)argument, NULL);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *is_disabled(void *argument)
{
    (void)argument;
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    sem_post(&started);
    sleep_ms(100);
    cleaned += 10000;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    pthread_testcancel();
    return AS_POINTER(5);
}

static void *is_asynchronous(void *argument)
{
    int old;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    sem_post(&started);
    while (!stop)
        sched_yield();
    return argument;
}

static void *cancels_itself(void *argument)
{
    (void)argument;
    pthread_cancel(pthread_self());
    pthread_testcancel();
    return AS_POINTER(5);
}

static void cancel_and_join(void *(*body)(void *), void *argument, const char *what)
{
    pthread_t thread = start(body, argument);
    if (body != cancels_itself) {
        while (sem_wait(&started) != 0) {
        }
        sleep_ms(20);
        ZERO(pthread_cancel(thread));
    }
    CHECK(join(thread) == PTHREAD_CANCELED, "%s was not cancelled", what);
    printf("%s: cancelled, handlers so far %d\n", what, cleaned);
}

int main(void)
{
    sem_init(&never, 0, 0);
    sem_init(&started, 0, 0);
    cancel_and_join(sleeps, NULL, "asleep");
    cancel_and_join(waits_for_condition, NULL, "waiting for a condition");
    ZERO(pthread_mutex_trylock(&lock));
    ZERO(pthread_mutex_unlock(&lock));
    cancel_and_join(waits_for_semaphore, NULL, "waiting for a semaphore");
    pthread_t target = start(sleeps, NULL);
    while (sem_wait(&started) != 0) {
    }
    cancel_and_join(joins, &target, "joining");
    ZERO(pthread_cancel(target));
    CHECK(join(target) == PTHREAD_CANCELED, "the join's target");
    cancel_and_join(is_disabled, NULL, "disabled for a while");
    cancel_and_join(is_asynchronous, NULL, "yielding, asynchronous");
    cancel_and_join(cancels_itself, NULL, "cancelling itself");
    return 0;
}
