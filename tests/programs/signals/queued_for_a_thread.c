/*
 * pthread_sigqueue: values queued for one thread reach that thread, in order, whether it handles the signal or waits for it.
 */
#define _GNU_SOURCE
#include "../check.h"
#include <semaphore.h>
#include <signal.h>

enum { VALUES = 5 };
static sem_t ready, queued;
static pthread_t receiver;
static volatile sig_atomic_t handled, sum;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    CHECK(pthread_equal(pthread_self(), receiver), "another thread's handler");
    CHECK(info->si_code == SI_QUEUE, "code %d", info->si_code);
    sum += info->si_value.sival_int;
    handled++;
}

static void *body(void *unused)
{
    (void)unused;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    sem_post(&ready);
    while (sem_wait(&queued) != 0)
        continue;
    for (int n = 0; n < VALUES; n++) {
        siginfo_t info;
        CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == n, "value %d", n);
    }
    puts("waited for, in order");
    sem_post(&ready);
    while (handled < VALUES)
        usleep(1000);
    return NULL;
}

int main(void)
{
    sem_init(&ready, 0, 0);
    sem_init(&queued, 0, 0);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    ZERO(sigaction(SIGRTMIN + 1, &action, NULL));
    receiver = start(body, NULL);
    while (sem_wait(&ready) != 0)
        continue;
    for (int n = 0; n < VALUES; n++)
        ZERO(pthread_sigqueue(receiver, SIGRTMIN, (union sigval){.sival_int = n}));
    sem_post(&queued);
    while (sem_wait(&ready) != 0)
        continue;
    for (int n = 0; n < VALUES; n++)
        ZERO(pthread_sigqueue(receiver, SIGRTMIN + 1, (union sigval){.sival_int = 10}));
    join(receiver);
    CHECK(sum == 10 * VALUES, "sum %d", (int)sum);
    puts("handled");
    return 0;
}
