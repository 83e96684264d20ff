/*
 * PTHREAD_PRIO_INHERIT lends the priority of a waiter to the owner of the mutex, and on to the owner of what that waits
 * for, until it unlocks, or the waiter gives up; a waiter that is raised lends more; an owner of several keeps what the
 * others lend. On one CPU, so that the order is determined.
 */
#include "real_time.h"

static pthread_mutex_t lock, usual, second;
static sem_t go_on;

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

/* Owns two and unlocks the one that the highest waits for first. */
static void *owns_two(void *argument)
{
    ZERO(pthread_mutex_lock(&lock));
    ZERO(pthread_mutex_lock(&second));
    while (sem_wait(&go_on) != 0) {
    }
    note(AS_INTEGER(argument));
    ZERO(pthread_mutex_unlock(&lock));
    note(AS_INTEGER(argument));
    ZERO(pthread_mutex_unlock(&second));
    note(AS_INTEGER(argument));
    return NULL;
}

int main(void)
{
    begin_on_one_cpu();
    sem_init(&go_on, 0, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    ZERO(pthread_mutex_init(&usual, &attributes));
    ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    ZERO(pthread_mutex_init(&lock, &attributes));
    ZERO(pthread_mutex_init(&second, &attributes));
    static const struct {
        const char *what, *letters;
        void *(*first)(void *), *(*last)(void *);
    } cases[] = {{"inherits", "lhm", NULL, wants},
                 {"inherits nothing", "LHm", NULL, wants},
                 {"inherits through another", "l2mi", is_between, wants},
                 {"inherits until the waiter gives up", "lhm", NULL, gives_up}};
    for (int n = 0; n < 4; n++) {
        pthread_t low = make(SCHED_FIFO, 10, owns, cases[n].letters[0]), between = 0;
        sleep_ms(3);
        if (cases[n].first != NULL) {
            between = make(SCHED_FIFO, 15, cases[n].first, cases[n].letters[3]);
            sleep_ms(3);
        }
        pthread_t high = make(SCHED_FIFO, 30, cases[n].last, cases[n].letters[1]);
        sleep_ms(cases[n].last == gives_up ? 30 : 3);
        pthread_t medium = make(SCHED_FIFO, 20, computes, cases[n].letters[2]);
        sem_post(&go_on);
        join(low), join(high), join(medium);
        if (between != 0)
            join(between);
        told(cases[n].what);
    }


    pthread_t low = make(SCHED_FIFO, 10, owns, 'l');
    sleep_ms(3);
    pthread_t high = make(SCHED_FIFO, 15, wants, 'h');
    sleep_ms(3);
    ZERO(pthread_setschedprio(high, 30));
    pthread_t medium = make(SCHED_FIFO, 20, computes, 'm');
    sem_post(&go_on);
    join(low), join(high), join(medium);
    told("a waiter is raised");

    low = make(SCHED_FIFO, 10, owns, 'l');
    sleep_ms(3);
    pthread_t waiter = make(SCHED_FIFO, 12, wants, 'w');
    sleep_ms(3);
    high = make(SCHED_FIFO, 11, wants, 'h');
    sleep_ms(3);
    ZERO(pthread_setschedprio(high, 13));
    sem_post(&go_on);
    join(low), join(high), join(waiter);
    told("a waiter is raised above another");

    low = make(SCHED_FIFO, 10, owns, 'l');
    sleep_ms(3);
    high = make(SCHED_FIFO, 30, wants, 'h');
    sleep_ms(3);
    ZERO(pthread_setschedprio(low, 5));
    medium = make(SCHED_FIFO, 20, computes, 'm');
    sem_post(&go_on);
    join(low), join(high), join(medium);
    told("an owner is lowered");

    low = make(SCHED_FIFO, 10, owns_two, 'l');
    sleep_ms(3);
    waiter = make(SCHED_FIFO, 25, wants, '2');
    sleep_ms(3);
    high = make(SCHED_FIFO, 30, wants, 'h');
    sleep_ms(3);
    medium = make(SCHED_FIFO, 20, computes, 'm');
    sem_post(&go_on);
    join(low), join(high), join(medium), join(waiter);
    told("two locks");
    return 0;
}
