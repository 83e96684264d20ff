/*
 * Calls that spawn calls: a tree three deep. `branch` ends when its own calls have, so `report`, which waits
 * for the branches only, sees all leaves.
 */
#include "../check.h"

static int leaves;

__attribute__((noinline, noclone)) static void leaf(int milliseconds)
{
    sleep_ms(milliseconds);
    leaves++;
}

__attribute__((noinline, noclone)) static void branch(int depth)
{
    sleep_ms(5);
    for (int n = 0; n < 3; n++) {
        if (depth == 0)
            leaf(10 + 10 * n);
        else
            branch(depth - 1);
    }
}

__attribute__((noinline, noclone)) static void report(void)
{
    printf("%d leaves\n", leaves);
}

int main(void)
{
    branch(2);
    report();
    return 0;
}
