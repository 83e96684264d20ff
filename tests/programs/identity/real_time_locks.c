/*
 * Who waits with the highest priority is first at a mutex, a semaphore and a condition variable; PTHREAD_PRIO_PROTECT
 * raises whoever locks to the ceiling, and keeps out who is above it. On one CPU, so that the order is determined.
 */
#include "real_time.h"

static pthread_mutex_t usual, protected_lock;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int turns;

static int own_priority(void)
{
    struct sched_param parameter;
    CHECK(sched_getparam(0, &parameter) == 0, "getparam");
    return parameter.sched_priority;
}

static void *locks(void *argument)
{
    ZERO(pthread_mutex_lock(&usual));
    note(AS_INTEGER(argument));
    ZERO(pthread_mutex_unlock(&usual));
    return NULL;
}

static void *waits(void *argument)
{
    while (sem_wait(&semaphore) != 0) {
    }
    note(AS_INTEGER(argument));
    return NULL;
}

static void *waits_for_condition(void *argument)
{
    ZERO(pthread_mutex_lock(&usual));
    while (turns == 0)
        pthread_cond_wait(&condition, &usual);
    turns--;
    note(AS_INTEGER(argument));
    ZERO(pthread_mutex_unlock(&usual));
    return NULL;
}

static void *protects(void *argument)
{
    printf("before %d", own_priority());
    ZERO(pthread_mutex_lock(&protected_lock));
    printf(", with the lock %d", own_priority());
    sem_post(&semaphore);
    note(AS_INTEGER(argument));
    ZERO(pthread_mutex_unlock(&protected_lock));
    printf(", then %d\n", own_priority());
    return NULL;
}

static void *is_above_ceiling(void *argument)
{
    GIVES(EINVAL, pthread_mutex_lock(&protected_lock));
    GIVES(EINVAL, pthread_mutex_trylock(&protected_lock));
    return argument;
}

static void in_order_of(const char *what, void *(*body)(void *))
{
    pthread_t threads[4];
    static const int priorities[4] = {10, 30, 20, 30};
    if (body == locks)
        ZERO(pthread_mutex_lock(&usual));
    for (int n = 0; n < 4; n++) {
        threads[n] = make(SCHED_FIFO, priorities[n], body, "dacb"[n]);
        sleep_ms(3);
    }
    if (body == locks)
        ZERO(pthread_mutex_unlock(&usual));
    for (int n = 0; n < 4 && body != locks; n++) {
        ZERO(pthread_mutex_lock(&usual));
        turns++;
        ZERO(pthread_mutex_unlock(&usual));
        body == waits ? sem_post(&semaphore) : pthread_cond_signal(&condition);
        sleep_ms(3);
    }
    for (int n = 0; n < 4; n++)
        join(threads[n]);
    told(what);
    turns = 0;
}

int main(void)
{
    begin_on_one_cpu();
    sem_init(&semaphore, 0, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    ZERO(pthread_mutex_init(&usual, &attributes));
    in_order_of("mutex", locks);
    in_order_of("semaphore", waits);
    in_order_of("condition", waits_for_condition);

    ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_PROTECT));
    GIVES(EINVAL, pthread_mutexattr_setprioceiling(&attributes, 0));
    GIVES(EINVAL, pthread_mutexattr_setprioceiling(&attributes, 100));
    ZERO(pthread_mutexattr_setprioceiling(&attributes, 40));
    ZERO(pthread_mutex_init(&protected_lock, &attributes));
    pthread_t waiter = make(SCHED_FIFO, 30, waits, 'w');
    sleep_ms(3);
    pthread_t owner = make(SCHED_FIFO, 10, protects, 'p');
    join(owner), join(waiter);
    told("the ceiling is above the woken one");
    join(make(SCHED_FIFO, 50, is_above_ceiling, 'x'));
    int ceiling = 0;
    ZERO(pthread_mutex_setprioceiling(&protected_lock, 95, &ceiling));
    printf("ceiling was %d", ceiling);
    ZERO(pthread_mutex_getprioceiling(&protected_lock, &ceiling));
    printf(", is %d\n", ceiling);
    return 0;
}
