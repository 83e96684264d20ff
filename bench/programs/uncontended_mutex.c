/* One thread locks and unlocks a mutex that nobody else wants, while a second thread exists and waits: glibc takes shorter
 * paths in processes that have only one. Argument: rounds. Prints nanoseconds for each lock and unlock. */
#include "measure.h"
#include <pthread.h>
#include <semaphore.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t done;

static void *wait_until_done(void *unused)
{
    sem_wait(&done);
    return unused;
}

static void lock_and_unlock(long rounds)
{
    for (long round = 0; round < rounds; round++) {
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
    }
}

int main(int argc, char **argv)
{
    pthread_t other;
    long rounds = number_argument(argc, argv, 1, "rounds");
    sem_init(&done, 0, 0);
    check(pthread_create(&other, NULL, wait_until_done, NULL), "pthread_create", 0);
    lock_and_unlock(rounds / 10 + 1);
    long long start = now_ns();
    lock_and_unlock(rounds);
    double figure = (double)(now_ns() - start) / rounds;
    sem_post(&done);
    pthread_join(other, NULL);
    printf("%.3f\n", figure);
    return 0;
}
