/*
 * All threads sleep, deep in calls. A debugger that attaches then is to see where one of them is, from the system call
 * to the start of the thread.
 */
#include "../check.h"

__attribute__((noinline)) static int innermost(int seconds)
{
    sleep(seconds);
    return seconds + 1;
}

__attribute__((noinline)) static int outer(int seconds)
{
    return innermost(seconds) * 2;
}

static void *sleeps(void *argument)
{
    CHECK(outer(AS_INTEGER(argument)) > 0, "no time passed");
    return NULL;
}

int main(int count, char **arguments)
{
    pthread_t threads[3];
    int seconds = count > 1 ? atoi(arguments[1]) : 1;
    for (int n = 0; n < 3; n++)
        threads[n] = start(sleeps, AS_POINTER(seconds));
    for (int n = 0; n < 3; n++)
        join(threads[n]);
    puts("slept");
    return 0;
}
