/*
 * SCHED_FIFO and SCHED_RR on one CPU: the highest priority runs first, one that becomes ready takes the CPU from a
 * lower one at once (woken, timed or raised), which goes on before its equals; sched_yield lets equals go, not lower
 * ones; SCHED_RR takes turns, SCHED_FIFO does not; usual threads still have a share.
 */
#include "real_time.h"

static atomic_int stop;
static atomic_long progress;
static sem_t wake, wake_other;
static pthread_t to_raise;

static void spin_ms(long milliseconds)
{
    int64_t end = now_ns(CLOCK_MONOTONIC) + milliseconds * MILLISECOND;
    while (!stop && now_ns(CLOCK_MONOTONIC) < end) {
    }
}

static void *waits_and_notes(void *argument)
{
    while (sem_wait(&wake) != 0) {
    }
    note(AS_INTEGER(argument));
    return NULL;
}

static void *waits_at_other(void *argument)
{
    while (sem_wait(&wake_other) != 0) {
    }
    note(AS_INTEGER(argument));
    return NULL;
}

static void *posts_between_notes(void *argument)
{
    note(AS_INTEGER(argument));
    sem_post(&wake);
    note(AS_INTEGER(argument));
    return NULL;
}

static void *yields_between_notes(void *argument)
{
    for (int round = 0; round < 3; round++) {
        note(AS_INTEGER(argument));
        sched_yield();
    }
    return NULL;
}

static void *computes_between_notes(void *argument)
{
    note(AS_INTEGER(argument));
    spin_ms(30);
    note(AS_INTEGER(argument));
    return NULL;
}

static void *sleeps_and_notes(void *argument)
{
    sleep_ms(30);
    note(AS_INTEGER(argument));
    stop = 1;
    return NULL;
}

static void *computes_long(void *argument)
{
    note(AS_INTEGER(argument));
    spin_ms(1200);
    note(AS_INTEGER(argument));
    return NULL;
}

static void *raises_other(void *argument)
{
    note(AS_INTEGER(argument));
    ZERO(pthread_setschedprio(to_raise, 40));
    note(AS_INTEGER(argument));
    return NULL;
}

static void *until_all_are_there(void *argument)
{
    progress++;
    while (progress < 2 && !stop) {
    }
    return argument;
}

static void *counts(void *argument)
{
    while (!stop)
        progress++;
    return argument;
}

int main(void)
{
    begin_on_one_cpu();
    sem_init(&wake, 0, 0);
    sem_init(&wake_other, 0, 0);
    pthread_t a = make(SCHED_FIFO, 10, notes, 'd'), b = make(SCHED_RR, 30, notes, 'a');
    pthread_t c = make(SCHED_FIFO, 20, notes, 'c'), d = make(SCHED_FIFO, 30, notes, 'b');
    note('m');
    join(a), join(b), join(c), join(d);
    told("by priority, one that was lowered before its new equals");

    a = make(SCHED_FIFO, 30, waits_and_notes, 'h');
    sleep_ms(5);
    c = make(SCHED_FIFO, 20, notes, 'e');
    b = make(SCHED_FIFO, 20, posts_between_notes, 'l');
    join(a), join(b), join(c);
    told("woken by a lower one, which goes on before its equal");

    a = make(SCHED_FIFO, 20, waits_and_notes, 'e');
    sleep_ms(5);
    b = make(SCHED_FIFO, 20, posts_between_notes, 'l');
    join(a), join(b);
    told("an equal one waits");

    a = make(SCHED_FIFO, 20, yields_between_notes, 'a');
    b = make(SCHED_FIFO, 20, yields_between_notes, 'b');
    c = make(SCHED_FIFO, 10, yields_between_notes, 'c');
    join(a), join(b), join(c);
    told("yields among equals");

    a = make(SCHED_FIFO, 20, computes_between_notes, 'a');
    b = make(SCHED_FIFO, 20, computes_between_notes, 'b');
    join(a), join(b);
    told("no turns in SCHED_FIFO");

    progress = 0;
    a = make(SCHED_RR, 20, until_all_are_there, 'a');
    b = make(SCHED_RR, 20, until_all_are_there, 'b');
    join(a), join(b);
    puts("turns in SCHED_RR");

    a = make(SCHED_FIFO, 30, sleeps_and_notes, 'h');
    sleep_ms(5);
    b = make(SCHED_FIFO, 20, computes_long, 'l');
    join(a), join(b);
    stop = 0;
    told("a sleep that ends while a lower one computes");

    a = make(SCHED_FIFO, 10, notes, 'a');
    b = make(SCHED_FIFO, 20, notes, 'b');
    ZERO(pthread_setschedprio(a, 30));
    join(a), join(b);
    told("raised while ready");

    a = make(SCHED_FIFO, 10, waits_and_notes, 'a');
    b = make(SCHED_FIFO, 20, waits_at_other, 'b');
    sleep_ms(5);
    ZERO(pthread_setschedprio(a, 30));
    sem_post(&wake_other);
    sem_post(&wake);
    join(a), join(b);
    told("raised while it waits");

    a = make(SCHED_FIFO, 10, notes, 'h');
    to_raise = a;
    b = make(SCHED_FIFO, 30, raises_other, 'l');
    join(a), join(b);
    told("raised by a lower one");

    a = make(SCHED_OTHER, 0, counts, 'o');
    sleep_ms(5);
    progress = 0;
    b = make(SCHED_FIFO, 20, computes_long, 'f');
    join(b);
    stop = 1;
    join(a);
    printf("a usual thread beside it: %s\n", progress > 0 ? "goes on" : "starves");
    return 0;
}
