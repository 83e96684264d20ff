/*
 * Detached threads run to their end without being joined, whether made detached or detached later by
 * themselves or by another; joining one is EINVAL; thousands of them leave nothing behind that runs out.
 */
#include "../check.h"
#include <semaphore.h>

static sem_t done, release;
static int finished;

static void *body(void *argument)
{
    if (AS_INTEGER(argument) == 1)
        ZERO(pthread_detach(pthread_self()));
    __atomic_add_fetch(&finished, 1, __ATOMIC_RELAXED);
    sem_post(&done);
    return NULL;
}

static void *waits(void *argument)
{
    (void)argument;
    while (sem_wait(&release) != 0) {
    }
    sem_post(&done);
    return NULL;
}

static void wait_for(int count)
{
    while (count > 0)
        if (sem_wait(&done) == 0)
            count--;
}

int main(void)
{
    sem_init(&done, 0, 0);
    sem_init(&release, 0, 0);
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);

    pthread_t thread;
    ZERO(pthread_create(&thread, &detached, waits, NULL));
    GIVES(EINVAL, pthread_join(thread, NULL));
    GIVES(EINVAL, pthread_detach(thread));
    sem_post(&release);
    wait_for(1);

    for (int round = 0; round < 50; round++) {
        for (int n = 0; n < 100; n++)
            ZERO(pthread_create(&thread, &detached, body, AS_POINTER(0)));
        wait_for(100);
    }
    for (int n = 0; n < 200; n++)
        start(body, AS_POINTER(1));
    wait_for(200);
    for (int n = 0; n < 200; n++)
        ZERO(pthread_detach(start(body, AS_POINTER(0))));
    wait_for(200);
    printf("%d detached threads finished\n", finished);
    return 0;
}
