/*
 * Main waits for a flag that another thread sets, without a lock: with the argument "yield" it calls sched_yield in
 * between, otherwise nothing at all, so that the other thread runs only if main is interrupted.
 */
#include "../check.h"
#include <sched.h>
#include <stdatomic.h>

static atomic_int flag;

static void *sets(void *argument)
{
    flag = 1;
    return argument;
}

int main(int count, char **arguments)
{
    int yields = count > 1 && strcmp(arguments[1], "yield") == 0;
    pthread_t thread = start(sets, NULL);
    puts("waits");
    fflush(stdout);
    while (!flag)
        if (yields)
            sched_yield();
    join(thread);
    puts("the flag was set");
    return 0;
}
