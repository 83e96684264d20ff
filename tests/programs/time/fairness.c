/*
 * First ready, first run: threads that yield take turns in an unchanging round, and threads made ready in some order,
 * by semaphore or by broadcast, run in that order. Meant for grivet, whose one run queue promises it.
 */
#include "../check.h"
#include <semaphore.h>

enum { THREADS = 10, ROUNDS = 100 };
/* Volatile: sched_yield is declared so that the compiler may keep a static variable in a register across it. */
static volatile int sequence[THREADS * ROUNDS], length;
static sem_t gates[THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int open_now;

static void *yields(void *argument)
{
    for (int round = 0; round < ROUNDS; round++) {
        sequence[length++] = AS_INTEGER(argument);
        sched_yield();
    }
    return NULL;
}

static void *waits(void *argument)
{
    while (sem_wait(&gates[AS_INTEGER(argument)]) != 0) {
    }
    sequence[length++] = AS_INTEGER(argument);
    return NULL;
}

static void *waits_for_broadcast(void *argument)
{
    pthread_mutex_lock(&lock);
    while (!open_now)
        pthread_cond_wait(&condition, &lock);
    sequence[length++] = AS_INTEGER(argument);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void run(void *(*body)(void *), void (*release)(void))
{
    pthread_t threads[THREADS];
    length = 0;
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    if (release) {
        sleep_ms(10);
        release();
    }
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
}

static void post_backwards(void)
{
    for (int n = THREADS - 1; n >= 0; n--)
        sem_post(&gates[n]);
}

static void broadcast(void)
{
    pthread_mutex_lock(&lock);
    open_now = 1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&lock);
}

int main(void)
{
    run(yields, NULL);
    CHECK(length == THREADS * ROUNDS, "%d turns", length);
    for (int n = THREADS; n < length; n++)
        CHECK(sequence[n] == sequence[n - THREADS], "turn %d went to %d instead of %d", n, sequence[n], sequence[n - THREADS]);
    puts("yielding threads take turns in a round");
    for (int n = 0; n < THREADS; n++)
        sem_init(&gates[n], 0, 0);
    run(waits, post_backwards);
    for (int n = 0; n < THREADS; n++)
        CHECK(sequence[n] == THREADS - 1 - n, "place %d went to %d", n, sequence[n]);
    puts("made ready backwards, run backwards");
    run(waits_for_broadcast, broadcast);
    for (int n = 0; n < THREADS; n++)
        CHECK(sequence[n] == n, "place %d went to %d", n, sequence[n]);
    puts("a broadcast wakes in the order of waiting");
    return 0;
}
