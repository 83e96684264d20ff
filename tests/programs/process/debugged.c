/*
 * For a debugger or tracer: eight threads call `works` three times each, between sleeps, locks and a pipe, and add up what it
 * returns. An argument says how often all this is done.
 */
#include "../check.h"
#include <sys/prctl.h>

enum { THREADS = 8, ROUNDS = 3 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ends[2];
volatile int watched, calls;

__attribute__((noinline)) int works(int me)
{
    __asm__ volatile("" ::: "memory");
    calls++;
    return me + 1;
}

__attribute__((noinline)) static void rests(void)
{
    sleep_ms(10);
    calls += 0;
}

static void *body(void *argument)
{
    int me = AS_INTEGER(argument), sum = 0;
    for (int n = 0; n < ROUNDS; n++) {
        char byte = (char)me;
        int worked = works(me);
        sum += worked;
        rests();
        pthread_mutex_lock(&lock);
        watched += worked;
        CHECK(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1, "pipe");
        pthread_mutex_unlock(&lock);
    }
    return AS_POINTER(sum);
}

int main(int count, char **arguments)
{
    pthread_t threads[THREADS];
    int sum = 0, rounds = count > 1 ? atoi(arguments[1]) : 1;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    CHECK(pipe(ends) == 0, "pipe");
    for (int round = 0; round < rounds; round++) {
        for (int n = 0; n < THREADS; n++)
            threads[n] = start(body, AS_POINTER(n));
        for (int n = 0; n < THREADS; n++)
            sum += AS_INTEGER(join(threads[n]));
    }
    CHECK(sum == rounds * 108 && calls == rounds * 24 && watched == sum, "sum %d, calls %d", sum, calls);
    printf("sum %d\n", sum / rounds);
    return 0;
}
