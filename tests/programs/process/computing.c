/*
 * For a debugger: three threads compute and never wait, so that they are interrupted anywhere, while main calls `seen` after
 * a while, and then has them end.
 */
#include "../check.h"

static volatile long total;
static int is_over;

__attribute__((noinline)) static long part(long number)
{
    return number * 3 + total;
}

__attribute__((noinline)) static long computes(long number)
{
    long sum = 0;
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
        for (long n = 0; n < 1000; n++)
            sum += part(number + n);
    return sum;
}

static void *body(void *argument)
{
    total += computes(AS_INTEGER(argument));
    return NULL;
}

__attribute__((noinline)) static void seen(void)
{
    __asm__ volatile("" ::: "memory");
}

int main(void)
{
    pthread_t threads[3];
    for (int n = 0; n < 3; n++)
        threads[n] = start(body, AS_POINTER(n));
    sleep_ms(200);
    seen();
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (int n = 0; n < 3; n++)
        join(threads[n]);
    return 0;
}
