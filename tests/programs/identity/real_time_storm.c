/*
 * Many threads whose priorities, policies and nice values others change at any moment, while they lock, wait, yield,
 * sleep and end: nobody is lost, none runs twice, and all is as it should be at last.
 */
#include "real_time.h"
#include <signal.h>
#include <sys/resource.h>

enum { THREADS = 24, ROUNDS = 150 };
static pthread_t threads[THREADS];
static pthread_mutex_t locks[4];
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t usual = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;
static long inside[4], counts[4];
static atomic_int handled, over, alive;

static void handler(int number)
{
    (void)number;
    handled++;
}

static void *works(void *argument)
{
    unsigned seed = AS_INTEGER(argument) * 7919 + 1;
    for (int round = 0; round < ROUNDS; round++) {
        int first = rand_r(&seed) % 4, second = rand_r(&seed) % 4;
        ZERO(pthread_mutex_lock(&locks[first]));
        CHECK(inside[first]++ == 0, "%ld inside", inside[first]);
        if (second > first) {
            ZERO(pthread_mutex_lock(&locks[second]));
            CHECK(inside[second]++ == 0, "%ld inside", inside[second]);
        }
        counts[first]++;
        switch (rand_r(&seed) % 6) {
        case 0:
            usleep(rand_r(&seed) % 50);
            break;
        case 1:
            sched_yield();
            break;
        case 2:
            while (sem_wait(&semaphore) != 0) {
            }
            sem_post(&semaphore);
            break;
        case 3:
            pthread_kill(threads[rand_r(&seed) % THREADS], SIGUSR1);
            break;
        case 4: {
            struct timespec soon = deadline_in(CLOCK_REALTIME, 20000);
            ZERO(pthread_mutex_lock(&usual));
            pthread_cond_timedwait(&condition, &usual, &soon);
            pthread_cond_signal(&condition);
            ZERO(pthread_mutex_unlock(&usual));
            break;
        }
        case 5:
            for (volatile int n = 0; n < 100000; n++) {
            }
        }
        if (second > first) {
            inside[second]--;
            ZERO(pthread_mutex_unlock(&locks[second]));
        }
        inside[first]--;
        ZERO(pthread_mutex_unlock(&locks[first]));
        if (rand_r(&seed) % 8 == 0) {
            int priority = 1 + rand_r(&seed) % 20, policy = rand_r(&seed) % 2 ? SCHED_FIFO : SCHED_RR;
            struct sched_param parameter = {.sched_priority = rand_r(&seed) % 4 ? priority : 0};
            if (parameter.sched_priority == 0)
                policy = SCHED_OTHER;
            ZERO(pthread_setschedparam(threads[rand_r(&seed) % THREADS], policy, &parameter));
        }
    }
    alive--;
    while (!over)
        usleep(2000);
    return NULL;
}

int main(void)
{
    begin_on_one_cpu();
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    sem_init(&semaphore, 0, 2);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    for (int n = 0; n < 4; n++)
        ZERO(pthread_mutex_init(&locks[n], n == 3 ? NULL : &attributes));
    alive = THREADS;
    for (int n = 0; n < THREADS; n++)
        threads[n] = make(n % 3 ? SCHED_FIFO : SCHED_RR, 1 + n % 20, works, n);
    while (alive > 0)
        usleep(2000);
    for (int n = 0; n < THREADS; n++)
        ZERO(pthread_setschedparam(threads[n], SCHED_OTHER, &(struct sched_param){0}));
    over = 1;
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    long sum = 0;
    for (int n = 0; n < 4; n++) {
        CHECK(inside[n] == 0, "%ld inside", inside[n]);
        sum += counts[n];
    }
    CHECK(sum == THREADS * ROUNDS, "%ld rounds", sum);
    printf("%ld rounds\n", sum);
    return 0;
}
