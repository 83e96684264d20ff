/*
 * A program that asks for threads' CPU time only when all is over is told what each burned before it asked, too:
 * main after it was the only thread again, and a thread that still waits.
 */
#include "../check.h"
#include <semaphore.h>
#include <sys/resource.h>

#define MAIN_BURNED (150 * MILLISECOND)
#define THREAD_BURNED (80 * MILLISECOND)
static sem_t burned, go_on;

static void burn(int64_t nanoseconds)
{
    int64_t begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin < nanoseconds) {
    }
}

static void *burns(void *argument)
{
    burn(THREAD_BURNED);
    sem_post(&burned);
    while (sem_wait(&go_on) != 0) {
    }
    return argument;
}

static void *nothing(void *argument)
{
    return argument;
}

int main(void)
{
    sem_init(&burned, 0, 0);
    sem_init(&go_on, 0, 0);
    join(start(nothing, NULL));
    burn(MAIN_BURNED);
    pthread_t thread = start(burns, NULL);
    while (sem_wait(&burned) != 0) {
    }
    clockid_t clock;
    ZERO(pthread_getcpuclockid(thread, &clock));
    int64_t its = now_ns(clock), own = now_ns(CLOCK_THREAD_CPUTIME_ID);
    CHECK(its > THREAD_BURNED - 25 * MILLISECOND && its < THREAD_BURNED + 25 * MILLISECOND, "the thread has %lld ns",
          (long long)its);
    CHECK(own > MAIN_BURNED - 25 * MILLISECOND && own < MAIN_BURNED + 35 * MILLISECOND, "main has %lld ns",
          (long long)own);
    sem_post(&go_on);
    join(thread);
    puts("counted before anyone asked");
    return 0;
}
