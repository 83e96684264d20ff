/*
 * What spawn rules cannot do: a result that the caller uses. It gets the rule's value (0 unless the rule says
 * otherwise) when the call first waits.
 *
 * Natively prints "total 60"; with calls of `fetch` spawned, "total 0".
 */
#include "../check.h"

__attribute__((noinline, noclone)) static int fetch(int item)
{
    sleep_ms(10);
    return 10 * item;
}

int main(void)
{
    int total = 0;
    for (int item = 1; item <= 3; item++)
        total += fetch(item);
    printf("total %d\n", total);
    return 0;
}
