/*
 * exit() called by any thread ends the whole process with that status, after the atexit handlers and a flush
 * of stdio, while the other threads sleep, wait and hold locks.
 */
#include "../check.h"

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void says_goodbye(void)
{
    puts("atexit handler");
}

static void *holds(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&held);
    sleep_ms(600000);
    return NULL;
}

static void *waits(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&held);
    return NULL;
}

static void *exits(void *argument)
{
    (void)argument;
    sleep_ms(30);
    printf("leaving with status 7, ");
    exit(7);
}

int main(void)
{
    atexit(says_goodbye);
    start(holds, NULL);
    sleep_ms(10);
    start(waits, NULL);
    start(exits, NULL);
    sleep_ms(600000);
    return 1;
}
