/*
 * Robust mutexes: when the owner ends without unlocking, a waiter and a later locker get EOWNERDEAD; made
 * consistent the mutex works on, otherwise it is ENOTRECOVERABLE. Private ones here, also held several at once.
 */
#include "../check.h"

static pthread_mutex_t locks[3];

static void *dies_holding(void *argument)
{
    for (int n = 0; n < 3; n++)
        ZERO(pthread_mutex_lock(&locks[n]));
    sleep_ms(30);
    return argument;
}

static void *waits(void *argument)
{
    int result = pthread_mutex_lock(&locks[0]);
    CHECK(result == EOWNERDEAD, "lock gave %s", strerror(result));
    ZERO(pthread_mutex_consistent(&locks[0]));
    ZERO(pthread_mutex_unlock(&locks[0]));
    return argument;
}

int main(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    ZERO(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
    for (int n = 0; n < 3; n++)
        ZERO(pthread_mutex_init(&locks[n], &attributes));
    pthread_t owner = start(dies_holding, NULL);
    sleep_ms(10);
    pthread_t waiter = start(waits, NULL);
    join(owner);
    join(waiter);
    ZERO(pthread_mutex_lock(&locks[0]));
    ZERO(pthread_mutex_unlock(&locks[0]));
    GIVES(EOWNERDEAD, pthread_mutex_lock(&locks[1]));
    ZERO(pthread_mutex_unlock(&locks[1]));
    GIVES(ENOTRECOVERABLE, pthread_mutex_lock(&locks[1]));
    GIVES(EOWNERDEAD, pthread_mutex_trylock(&locks[2]));
    ZERO(pthread_mutex_consistent(&locks[2]));
    ZERO(pthread_mutex_unlock(&locks[2]));
    puts("the dead owner's mutexes were passed on");
    return 0;
}
