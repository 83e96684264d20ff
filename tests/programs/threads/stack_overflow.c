/*
 * A thread that overflows its stack dies of SIGSEGV; it does not write into a neighbour's memory. The thread is
 * named "deep one" and has 256 KiB, surrounded by sleeping threads with stacks of the same size.
 */
#include "../check.h"

/* Frames smaller than a guard page, and not inlined into one another, so that none steps over the guard. */
static __attribute__((noinline)) long recurse(long depth)
{
    volatile char block[600];
    if (depth < 0)
        return 0;
    memset((char *)block, (int)depth, sizeof block);
    return recurse(depth + 1) + block[depth % 600];
}

static void *sleeps(void *argument)
{
    sleep_ms(600000);
    return argument;
}

static void *overflows(void *argument)
{
    (void)argument;
    pthread_setname_np(pthread_self(), "deep one");
    sleep_ms(20);
    return AS_POINTER(recurse(0));
}

int main(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    for (int n = 0; n < 4; n++)
        ZERO(pthread_create(&thread, &attributes, sleeps, NULL));
    ZERO(pthread_create(&thread, &attributes, overflows, NULL));
    for (int n = 0; n < 4; n++)
        ZERO(pthread_create(&thread, &attributes, sleeps, NULL));
    puts("about to overflow");
    fflush(stdout);
    sleep_ms(600000);
    return 1;
}
