/*
 * Asks for a description of its own threads by the signal of argument 1 (a number) while they are: in a function called
 * waits_for_the_lock, in one called sleeps_long, forty alike in waits_alike, and one that spins. With "handles" as argument 2
 * the program handles that signal itself. All threads block all signals, as many programs' do.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t post;
static volatile int stop, handled;

__attribute__((noinline)) void *waits_for_the_lock(void *argument)
{
    pthread_setname_np(pthread_self(), "locker");
    ZERO(pthread_mutex_lock(&mutex));
    ZERO(pthread_mutex_unlock(&mutex));
    return argument;
}

__attribute__((noinline)) void *sleeps_long(void *argument)
{
    pthread_setname_np(pthread_self(), "sleeper");
    sleep_ms(300);
    return argument;
}

__attribute__((noinline)) void *waits_alike(void *argument)
{
    while (sem_wait(&post) != 0) {
    }
    return argument;
}

__attribute__((noinline)) void *spins_on(void *argument)
{
    pthread_setname_np(pthread_self(), "spinner");
    while (!stop) {
    }
    return argument;
}

static void handles(int signal)
{
    handled = signal;
}

int main(int count, char **arguments)
{
    enum { ALIKE = 40 };
    pthread_t threads[ALIKE + 3];
    int signal = atoi(arguments[1]);
    struct sigaction action = {.sa_handler = handles};
    sigset_t all, before;
    if (count > 2)
        sigaction(signal, &action, NULL);
    ZERO(sem_init(&post, 0, 0));
    ZERO(pthread_mutex_lock(&mutex));
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    threads[0] = start(waits_for_the_lock, NULL);
    threads[1] = start(sleeps_long, NULL);
    threads[2] = start(spins_on, NULL);
    for (int n = 0; n < ALIKE; n++)
        threads[3 + n] = start(waits_alike, NULL);
    sleep_ms(50);
    kill(getpid(), signal);
    if (count > 2)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    sleep_ms(50);
    ZERO(pthread_mutex_unlock(&mutex));
    for (int n = 0; n < ALIKE; n++)
        sem_post(&post);
    stop = 1;
    for (int n = 0; n < ALIKE + 3; n++)
        join(threads[n]);
    printf("done, %s\n", handled ? "handled" : "not handled");
    return 0;
}
