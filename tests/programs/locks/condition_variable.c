/*
 * Condition variables: signal wakes one, broadcast wakes five hundred, timedwait and clockwait time out on either
 * clock with the mutex held again and never early, a producer and consumers pass every item exactly once.
 */
#include "../check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER, answered = PTHREAD_COND_INITIALIZER;
static int waiting, tickets, woken, go;

static void *takes_ticket(void *argument)
{
    pthread_mutex_lock(&lock);
    waiting++;
    pthread_cond_signal(&answered);
    while (tickets == 0)
        pthread_cond_wait(&condition, &lock);
    tickets--;
    woken++;
    pthread_cond_signal(&answered);
    pthread_mutex_unlock(&lock);
    return argument;
}

static void *waits_for_go(void *argument)
{
    pthread_mutex_lock(&lock);
    waiting++;
    pthread_cond_signal(&answered);
    while (!go)
        pthread_cond_wait(&condition, &lock);
    woken++;
    pthread_mutex_unlock(&lock);
    return argument;
}

static void signal_one_by_one(void)
{
    pthread_t threads[20];
    waiting = woken = 0;
    for (int n = 0; n < 20; n++)
        threads[n] = start(takes_ticket, NULL);
    pthread_mutex_lock(&lock);
    while (waiting < 20)
        pthread_cond_wait(&answered, &lock);
    for (int n = 1; n <= 20; n++) {
        tickets++;
        pthread_cond_signal(&condition);
        while (woken < n)
            pthread_cond_wait(&answered, &lock);
        CHECK(woken == n && tickets == 0, "%d woken by %d signals", woken, n);
    }
    pthread_mutex_unlock(&lock);
    for (int n = 0; n < 20; n++)
        join(threads[n]);
    printf("signalled one by one: %d\n", woken);
}

static void broadcast_to_many(void)
{
    static pthread_t threads[500];
    for (int round = 0; round < 3; round++) {
        waiting = woken = go = 0;
        for (int n = 0; n < 500; n++)
            threads[n] = start(waits_for_go, NULL);
        pthread_mutex_lock(&lock);
        while (waiting < 500)
            pthread_cond_wait(&answered, &lock);
        go = 1;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&lock);
        for (int n = 0; n < 500; n++)
            join(threads[n]);
        printf("broadcast: %d\n", woken);
    }
}

static void time_out(clockid_t clock)
{
    pthread_condattr_t attributes;
    pthread_cond_t timed;
    pthread_condattr_init(&attributes);
    ZERO(pthread_condattr_setclock(&attributes, clock));
    ZERO(pthread_cond_init(&timed, &attributes));
    pthread_mutex_lock(&lock);
    for (int round = 0; round < 5; round++) {
        struct timespec soon = deadline_in(clock, 5 * MILLISECOND);
        int result;
        do
            result = pthread_cond_timedwait(&timed, &lock, &soon);
        while (result == 0);
        CHECK(result == ETIMEDOUT, "timedwait gave %s", strerror(result));
        CHECK(now_ns(clock) >= soon.tv_sec * SECOND + soon.tv_nsec, "too early");
        soon = deadline_in(clock, 5 * MILLISECOND);
        do
            result = pthread_cond_clockwait(&timed, &lock, clock, &soon);
        while (result == 0);
        CHECK(result == ETIMEDOUT, "clockwait gave %s", strerror(result));
        CHECK(now_ns(clock) >= soon.tv_sec * SECOND + soon.tv_nsec, "too early");
    }
    struct timespec past = deadline_in(clock, -SECOND);
    GIVES(ETIMEDOUT, pthread_cond_timedwait(&timed, &lock, &past));
    past.tv_nsec = SECOND;
    GIVES(EINVAL, pthread_cond_timedwait(&timed, &lock, &past));
    pthread_mutex_unlock(&lock);
    ZERO(pthread_cond_destroy(&timed));
    printf("clock %d: timed out\n", clock);
}

enum { ITEMS = 3000, CONSUMERS = 5, ROOM = 7 };
static int buffer[ROOM], head, filled, taken[ITEMS];
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;

static void *consumes(void *argument)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        while (filled == 0)
            pthread_cond_wait(&not_empty, &lock);
        int item = buffer[head];
        head = (head + 1) % ROOM;
        filled--;
        pthread_cond_signal(&not_full);
        pthread_mutex_unlock(&lock);
        if (item < 0)
            return argument;
        CHECK(taken[item]++ == 0, "item %d twice", item);
        if (item % 500 == 0)
            usleep(100);
    }
}

static void produce(int item)
{
    pthread_mutex_lock(&lock);
    while (filled == ROOM)
        pthread_cond_wait(&not_full, &lock);
    buffer[(head + filled++) % ROOM] = item;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&lock);
}

int main(void)
{
    signal_one_by_one();
    broadcast_to_many();
    time_out(CLOCK_REALTIME);
    time_out(CLOCK_MONOTONIC);
    pthread_t consumers[CONSUMERS];
    for (int n = 0; n < CONSUMERS; n++)
        consumers[n] = start(consumes, NULL);
    for (int item = 0; item < ITEMS; item++)
        produce(item);
    for (int n = 0; n < CONSUMERS; n++)
        produce(-1);
    for (int n = 0; n < CONSUMERS; n++)
        join(consumers[n]);
    int sum = 0;
    for (int item = 0; item < ITEMS; item++)
        sum += taken[item];
    printf("%d items, each taken once\n", sum);
    return 0;
}
