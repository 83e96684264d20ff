/* Calls a function that no rule names, over and over, in a program in which another function is spawned.
 * Argument: calls. Prints nanoseconds a call.
 * Under a spawn rule for `other` that one call is a thread of its own; `plain` must cost what it costs natively. */
#include "measure.h"

static volatile long others, calls_made;

__attribute__((noinline)) static void other(void)
{
    others = others + 1;
}

__attribute__((noinline)) static void plain(void)
{
    calls_made = calls_made + 1;
}

int main(int argc, char **argv)
{
    long calls = number_argument(argc, argv, 1, "calls");
    other();
    for (long call = 0; call < calls / 10; call++)
        plain();
    long long start = now_ns();
    for (long call = 0; call < calls; call++)
        plain();
    printf("%.3f\n", (double)(now_ns() - start) / (double)calls);
    return 0;
}
