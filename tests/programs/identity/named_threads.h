/*
 * What the tests of /proc/self/task share: many threads with names, of which one blocks a signal, that wait until they
 * are to end.
 */
#ifndef NAMED_THREADS_H
#define NAMED_THREADS_H

#include "../check.h"
#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/stat.h>

enum { THREADS = 40 };
static pid_t tids[THREADS + 1];
static sem_t ready, done[THREADS];

static void *body(void *argument)
{
    int n = AS_INTEGER(argument);
    char name[16];
    snprintf(name, sizeof name, "thread %d", n);
    ZERO(pthread_setname_np(pthread_self(), name));
    if (n == 1) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    }
    tids[n] = gettid();
    sem_post(&ready);
    while (sem_wait(&done[n]) != 0) {
    }
    return NULL;
}

/* Starts all threads and returns when they wait. */
static void start_all(pthread_t *threads)
{
    sem_init(&ready, 0, 0);
    ZERO(pthread_setname_np(pthread_self(), "first"));
    tids[THREADS] = getpid();
    for (int n = 0; n < THREADS; n++) {
        sem_init(&done[n], 0, 0);
        threads[n] = start(body, AS_POINTER(n));
    }
    for (int n = 0; n < THREADS; n++)
        while (sem_wait(&ready) != 0) {
        }
    sleep_ms(30);
}

/* Ends those from FIRST on, and before LAST. */
static void end_all(pthread_t *threads, int first, int last)
{
    for (int n = first; n < last; n++) {
        sem_post(&done[n]);
        join(threads[n]);
    }
}

#endif
