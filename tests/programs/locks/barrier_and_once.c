/*
 * pthread_barrier: nobody passes before all have come, exactly one is told it is the serial thread, over many
 * rounds. pthread_once: one call, though it sleeps and twenty threads ask; all others wait until it is done; a
 * cancelled initialiser leaves the work to the next.
 */
#include "../check.h"

enum { THREADS = 20, ROUNDS = 50 };
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT, cancelled_once = PTHREAD_ONCE_INIT;
static int arrived[ROUNDS], serial[ROUNDS], initialised, attempts, completed;

static void initialise(void)
{
    sleep_ms(20);
    initialised++;
}

static void initialise_or_sleep(void)
{
    if (__atomic_add_fetch(&attempts, 1, __ATOMIC_SEQ_CST) == 1)
        sleep(600);
    completed++;
}

static void *body(void *argument)
{
    ZERO(pthread_once(&once, initialise));
    CHECK(initialised == 1, "initialised %d times", initialised);
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 10 == AS_INTEGER(argument) % 10)
            usleep(100);
        __atomic_add_fetch(&arrived[round], 1, __ATOMIC_SEQ_CST);
        int result = pthread_barrier_wait(&barrier);
        CHECK(arrived[round] == THREADS, "passed with %d of %d", arrived[round], THREADS);
        if (result == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_add_fetch(&serial[round], 1, __ATOMIC_SEQ_CST);
        else
            CHECK(result == 0, "barrier gave %d", result);
    }
    return NULL;
}

static void *asks_once(void *argument)
{
    pthread_once(&cancelled_once, initialise_or_sleep);
    return argument;
}

int main(void)
{
    pthread_t threads[THREADS];
    ZERO(pthread_barrier_init(&barrier, NULL, THREADS));
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    for (int round = 0; round < ROUNDS; round++)
        CHECK(serial[round] == 1, "%d serial threads in round %d", serial[round], round);
    ZERO(pthread_barrier_destroy(&barrier));
    printf("%d rounds of %d\n", ROUNDS, THREADS);

    pthread_t first = start(asks_once, NULL);
    while (__atomic_load_n(&attempts, __ATOMIC_SEQ_CST) == 0)
        sched_yield();
    pthread_t second = start(asks_once, NULL);
    sleep_ms(20);
    CHECK(completed == 0, "completed too early");
    ZERO(pthread_cancel(first));
    CHECK(join(first) == PTHREAD_CANCELED, "not cancelled");
    join(second);
    printf("a cancelled pthread_once: attempts %d, completed %d\n", attempts, completed);
    return 0;
}
