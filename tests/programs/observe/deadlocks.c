/*
 * Deadlocks of the kind that argument 1 names; all other threads go on. Argument 2 is how many threads are in it.
 *
 * ring: each holds a mutex and wants the next one's. self: one locks a mutex twice. join: one joins a thread that
 * waits for a mutex of its own. rwlock: two writers, crosswise. pi: as ring, with priority inheritance. robust: as ring,
 * with robust mutexes. ended: a thread has ended with a mutex that another one waits for.
 *
 * main sleeps and wakes meanwhile, and ends the process after the seconds of argument 3 with status 0.
 */
#include "../check.h"

enum { MOST = 64 };

static const char *kind;
static int count;
static pthread_mutex_t mutexes[MOST];
static pthread_rwlock_t rwlocks[MOST];
static pthread_barrier_t all_hold_one;
static pthread_t joiner;

static void prepare(void)
{
    pthread_mutexattr_t attributes;
    ZERO(pthread_mutexattr_init(&attributes));
    if (!strcmp(kind, "pi"))
        ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    if (!strcmp(kind, "robust"))
        ZERO(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
    for (int n = 0; n < MOST; n++) {
        ZERO(pthread_mutex_init(&mutexes[n], &attributes));
        ZERO(pthread_rwlock_init(&rwlocks[n], NULL));
    }
    ZERO(pthread_barrier_init(&all_hold_one, NULL, count));
}

static void *waits_in_a_ring(void *argument)
{
    int own = AS_INTEGER(argument), next = (own + 1) % count;
    char name[16];
    snprintf(name, sizeof name, "ring %d", own);
    pthread_setname_np(pthread_self(), name);
    if (!strcmp(kind, "rwlock"))
        ZERO(pthread_rwlock_wrlock(&rwlocks[own]));
    else
        ZERO(pthread_mutex_lock(&mutexes[own]));
    pthread_barrier_wait(&all_hold_one);
    if (!strcmp(kind, "rwlock"))
        pthread_rwlock_wrlock(&rwlocks[next]);
    else
        pthread_mutex_lock(&mutexes[next]);
    return NULL;
}

static void *locks_twice(void *argument)
{
    pthread_setname_np(pthread_self(), "twice");
    ZERO(pthread_mutex_lock(&mutexes[0]));
    pthread_mutex_lock(&mutexes[0]);
    return argument;
}

static void *waits_for_its_joiner(void *argument)
{
    pthread_setname_np(pthread_self(), "joined");
    pthread_mutex_lock(&mutexes[0]);
    return argument;
}

static void *joins_under_a_lock(void *argument)
{
    pthread_setname_np(pthread_self(), "joiner");
    ZERO(pthread_mutex_lock(&mutexes[0]));
    join(start(waits_for_its_joiner, NULL));
    return argument;
}

static void *ends_with_a_lock(void *argument)
{
    ZERO(pthread_mutex_lock(&mutexes[0]));
    return argument;
}

static void *waits_for_an_ended_one(void *argument)
{
    pthread_setname_np(pthread_self(), "left behind");
    join(start(ends_with_a_lock, NULL));
    pthread_mutex_lock(&mutexes[0]);
    return argument;
}

int main(int arguments, char **argument)
{
    CHECK(arguments == 4, "%d arguments", arguments);
    kind = argument[1];
    count = atoi(argument[2]);
    prepare();
    if (!strcmp(kind, "self"))
        start(locks_twice, NULL);
    else if (!strcmp(kind, "join"))
        joiner = start(joins_under_a_lock, NULL);
    else if (!strcmp(kind, "ended"))
        start(waits_for_an_ended_one, NULL);
    else
        for (int n = 0; n < count; n++)
            start(waits_in_a_ring, AS_POINTER(n));
    int64_t end = now_ns(CLOCK_MONOTONIC) + atoi(argument[3]) * SECOND;
    while (now_ns(CLOCK_MONOTONIC) < end)
        sleep_ms(20);
    puts("main goes on");
    fflush(stdout);
    _exit(0);
}
