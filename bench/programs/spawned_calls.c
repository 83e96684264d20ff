/* Calls a function that returns at once, over and over; another then looks at what they did.
 * Argument: calls. Prints nanoseconds a call, from the first call until all have ended.
 * Under a spawn rule for `quick` and a join rule for `all_done` each call is a thread of its own. */
#include "measure.h"

static volatile long calls_made;

__attribute__((noinline)) static int quick(void)
{
    calls_made = calls_made + 1;
    return 0;
}

__attribute__((noinline)) static long all_done(void)
{
    return calls_made;
}

int main(int argc, char **argv)
{
    long calls = number_argument(argc, argv, 1, "calls");
    long long start = now_ns();
    for (long call = 0; call < calls; call++)
        quick();
    long made = all_done();
    double taken = (double)(now_ns() - start);
    check(made == calls ? 0 : EINVAL, "calls that were made", made);
    printf("%.1f\n", taken / (double)calls);
    return 0;
}
