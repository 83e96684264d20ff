/*
 * What spawn rules cannot do: an argument that points into the caller's frame and is looked at after the call has
 * waited. By then the caller has written the next value there, or returned.
 *
 * Natively prints "1 2 3"; with calls of `task` spawned, the last value three times.
 */
#include "../check.h"

__attribute__((noinline, noclone)) static void task(const int *number)
{
    sleep_ms(10);
    printf("%d ", *number);
}

int main(void)
{
    volatile int number;
    for (number = 1; number <= 3; number++)
        task((const int *)&number);
    number = 9;
    sleep_ms(50);
    puts("");
    return 0;
}
