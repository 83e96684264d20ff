/*
 * A thread named "busy one" computes for as many seconds of processor time as argument 1 says (12 by default)
 * without any system call that yields, while another thread is ready to run all that time; then both end.
 */
#include "../check.h"

static volatile int stop;

static void *computes(void *argument)
{
    pthread_setname_np(pthread_self(), "busy one");
    volatile unsigned long steps = 0;
    int64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + AS_INTEGER(argument) * SECOND;
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
        for (int n = 0; n < 1000; n++)
            steps++;
    stop = 1;
    return NULL;
}

static void *is_ready(void *argument)
{
    while (!stop)
        sched_yield();
    return argument;
}

int main(int count, char **arguments)
{
    pthread_t ready = start(is_ready, NULL);
    pthread_t busy = start(computes, AS_POINTER(count > 1 ? atoi(arguments[1]) : 12));
    join(busy);
    join(ready);
    puts("done");
    return 0;
}
