/*
 * An interval timer's signals reach their handler while threads sleep, lock and compute; a semaphore that only the
 * handler posts wakes its waiter, though every thread waits for a lock at that moment.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t ticks;
static sem_t ticked;

static void handler(int number)
{
    int saved = errno;
    (void)number;
    ticks++;
    sem_post(&ticked);
    errno = saved;
}

static void *waits(void *argument)
{
    for (int n = 0; n < 5; n++)
        while (sem_wait(&ticked) != 0)
            CHECK(errno == EINTR, "sem_wait");
    return argument;
}

static void *computes(void *argument)
{
    volatile double sum = 0;
    int before = ticks;
    while (ticks < before + 3)
        for (int n = 1; n < 100000; n++)
            sum += 1.0 / n;
    return argument;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, 20000}, {0, 20000}};
    sem_init(&ticked, 0, 0);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    pthread_t threads[4];
    for (int n = 0; n < 4; n++)
        threads[n] = start(waits, NULL);
    for (int n = 0; n < 4; n++)
        join(threads[n]);
    puts("waiters woken by the handler");
    join(start(computes, NULL));
    puts("a computing thread interrupted");
    return 0;
}
