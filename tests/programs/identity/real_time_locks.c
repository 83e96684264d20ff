/*
 * Who waits with the highest priority is first at a mutex, a semaphore and a condition variable; PTHREAD_PRIO_INHERIT
 * lends a waiter's priority to the owner, and on to the owner of what that waits for, until it unlocks;
 * PTHREAD_PRIO_PROTECT raises whoever locks to the ceiling. On one CPU, so that the order is determined.
 */
#include "../check.h"
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

static char record[64];
static atomic_int length;
static pthread_mutex_t lock, usual, second, protected_lock;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore, go_on;
static int turns;

static void note(char letter)
{
    record[length++] = letter;
}

static void told(const char *what)
{
    record[length] = 0;
    printf("%s: %s\n", what, record);
    length = 0;
}

static int own_priority(void)
{
    struct sched_param parameter;
    CHECK(sched_getparam(0, &parameter) == 0, "getparam");
    return parameter.sched_priority;
}

static pthread_t make(int priority, void *(*body)(void *), char letter)
{
    pthread_attr_t attributes;
    pthread_t thread;
    struct sched_param parameter = {.sched_priority = priority};
    pthread_attr_init(&attributes);
    ZERO(pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED));
    ZERO(pthread_attr_setschedpolicy(&attributes, SCHED_FIFO));
    ZERO(pthread_attr_setschedparam(&attributes, &parameter));
    ZERO(pthread_create(&thread, &attributes, body, AS_POINTER(letter)));
    return thread;
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

/* Owns `lock` (or, in upper case, the usual one) until told, and then runs on for a while. */
static void *owns(void *argument)
{
    int letter = AS_INTEGER(argument);
    pthread_mutex_t *owned = letter == 'L' ? &usual : &lock;
    ZERO(pthread_mutex_lock(owned));
    while (sem_wait(&go_on) != 0) {
    }
    note(letter);
    ZERO(pthread_mutex_unlock(owned));
    note(letter);
    return NULL;
}

static void *wants(void *argument)
{
    int letter = AS_INTEGER(argument);
    pthread_mutex_t *wanted = letter == 'H' ? &usual : letter == '2' ? &second : &lock;
    ZERO(pthread_mutex_lock(wanted));
    note(letter);
    ZERO(pthread_mutex_unlock(wanted));
    return NULL;
}

static void *is_between(void *argument)
{
    ZERO(pthread_mutex_lock(&second));
    ZERO(pthread_mutex_lock(&lock));
    note(AS_INTEGER(argument));
    ZERO(pthread_mutex_unlock(&lock));
    ZERO(pthread_mutex_unlock(&second));
    return NULL;
}

static void *gives_up(void *argument)
{
    struct timespec soon = deadline_in(CLOCK_REALTIME, 10 * MILLISECOND);
    GIVES(ETIMEDOUT, pthread_mutex_timedlock(&lock, &soon));
    note(AS_INTEGER(argument));
    return NULL;
}

static void *computes(void *argument)
{
    int64_t end = now_ns(CLOCK_MONOTONIC) + 20 * MILLISECOND;
    note(AS_INTEGER(argument));
    while (now_ns(CLOCK_MONOTONIC) < end) {
    }
    note(AS_INTEGER(argument));
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
        threads[n] = make(priorities[n], body, "dacb"[n]);
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
    cpu_set_t all, one;
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0, "affinity");
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0, "affinity");
    sem_init(&semaphore, 0, 1);
    sem_init(&go_on, 0, 0);
    join(start(waits, AS_POINTER('x')));
    length = 0;
    int result = pthread_setschedparam(pthread_self(), SCHED_FIFO, &(struct sched_param){.sched_priority = 90});
    if (result == EPERM) {
        puts("not permitted");
        return 0;
    }
    ZERO(result);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    ZERO(pthread_mutex_init(&usual, &attributes));
    ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    ZERO(pthread_mutex_init(&lock, &attributes));
    ZERO(pthread_mutex_init(&second, &attributes));
    in_order_of("mutex", locks);
    in_order_of("semaphore", waits);
    in_order_of("condition", waits_for_condition);

    static const struct {
        const char *what, *letters;
        void *(*first)(void *), *(*last)(void *);
    } cases[] = {{"inherits", "lhm", NULL, wants},
                 {"inherits nothing", "LHm", NULL, wants},
                 {"inherits through another", "l2mi", is_between, wants},
                 {"inherits until the waiter gives up", "lhm", NULL, gives_up}};
    for (int n = 0; n < 4; n++) {
        pthread_t low = make(10, owns, cases[n].letters[0]), between = 0;
        sleep_ms(3);
        if (cases[n].first != NULL) {
            between = make(15, cases[n].first, cases[n].letters[3]);
            sleep_ms(3);
        }
        pthread_t high = make(30, cases[n].last, cases[n].letters[1]);
        sleep_ms(cases[n].last == gives_up ? 30 : 3);
        pthread_t medium = make(20, computes, cases[n].letters[2]);
        sem_post(&go_on);
        join(low), join(high), join(medium);
        if (between != 0)
            join(between);
        told(cases[n].what);
    }

    ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_PROTECT));
    GIVES(EINVAL, pthread_mutexattr_setprioceiling(&attributes, 0));
    GIVES(EINVAL, pthread_mutexattr_setprioceiling(&attributes, 100));
    ZERO(pthread_mutexattr_setprioceiling(&attributes, 40));
    ZERO(pthread_mutex_init(&protected_lock, &attributes));
    pthread_t waiter = make(30, waits, 'w');
    sleep_ms(3);
    pthread_t owner = make(10, protects, 'p');
    join(owner), join(waiter);
    told("the ceiling is above the woken one");
    join(make(50, is_above_ceiling, 'x'));
    int ceiling = 0;
    ZERO(pthread_mutex_setprioceiling(&protected_lock, 95, &ceiling));
    printf("ceiling was %d", ceiling);
    ZERO(pthread_mutex_getprioceiling(&protected_lock, &ceiling));
    printf(", is %d\n", ceiling);
    return 0;
}
