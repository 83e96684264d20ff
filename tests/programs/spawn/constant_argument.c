/*
 * A function whose second argument is always the same: the compiler keeps only a clone of it,
 * `fetch.constprop.0`, without that argument.
 */
#include "../check.h"

__attribute__((noinline)) static void fetch(int item, long milliseconds)
{
    printf("%d starts\n", item);
    sleep_ms(milliseconds);
    printf("%d finishes after %ld ms\n", item, milliseconds);
}

int main(void)
{
    for (int item = 1; item <= 3; item++)
        fetch(item, 50);
    return 0;
}
