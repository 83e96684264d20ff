/*
 * A compiler that knows a function's code keeps values across its calls in registers that this code leaves alone, whole
 * vector registers among them (GCC's -fipa-ra, on from -O2). So a rewritten entry must leave them alone, too: when
 * `leaf` is spawned, and when it waits for calls of `task`, which overwrite these registers.
 *
 * Prints "1.5 2.5 3.5 4.5" each time; on a processor without AVX it says so.
 */
#include "../check.h"
#include <immintrin.h>

__attribute__((noinline, noclone)) static void leaf(long rounds)
{
    __asm__ volatile("1: dec %0\n jnz 1b" : "+r"(rounds));
}

__attribute__((noinline, noclone, target("avx"))) static void task(int number)
{
    sleep_ms(10 * number);
    __asm__ volatile("vzeroall" ::: "xmm0", "xmm1", "xmm2", "xmm3");
}

__attribute__((noinline, target("avx"))) static void across_a_call(void)
{
    double values[4] = {1.5, 2.5, 3.5, 4.5};
    __m256d wide = _mm256_loadu_pd(values);
    __asm__ volatile("" : "+x"(wide)); /* in a register here and there */
    leaf(10);
    __asm__ volatile("" : "+x"(wide));
    _mm256_storeu_pd(values, wide);
    printf("%g %g %g %g\n", values[0], values[1], values[2], values[3]);
}

int main(void)
{
    if (!__builtin_cpu_supports("avx")) {
        puts("no AVX");
        return 0;
    }
    for (int number = 1; number <= 2; number++)
        task(number);
    across_a_call();
    return 0;
}
