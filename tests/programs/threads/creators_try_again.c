/*
 * Two threads make detached ones under a limit of memory, and try again at once when there is none: a call that fails
 * at once, over and over. The threads that were made must come to their turn meanwhile, and end, and make room.
 */
#include "../check.h"
#include <sys/resource.h>

enum { WANTED = 1000, CREATORS = 2 };
static int made, ran;
static pthread_attr_t detached;

static void *nothing(void *argument)
{
    __atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
    return argument;
}

static void *creates(void *argument)
{
    while (__atomic_load_n(&made, __ATOMIC_SEQ_CST) < WANTED) {
        pthread_t thread;
        int result = pthread_create(&thread, &detached, nothing, NULL);
        if (result == 0)
            __atomic_add_fetch(&made, 1, __ATOMIC_SEQ_CST);
        else
            CHECK(result == EAGAIN, "pthread_create gave %d", result);
    }
    return argument;
}

int main(void)
{
    struct rlimit limit = {800 << 20, 800 << 20};
    pthread_t threads[CREATORS];
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
    ZERO(pthread_attr_init(&detached));
    ZERO(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED));
    ZERO(pthread_attr_setstacksize(&detached, 16 << 20));
    for (int n = 0; n < CREATORS; n++)
        threads[n] = start(creates, NULL);
    for (int n = 0; n < CREATORS; n++)
        join(threads[n]);
    while (__atomic_load_n(&ran, __ATOMIC_SEQ_CST) < __atomic_load_n(&made, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    puts("all were made, and ran");
    return 0;
}
