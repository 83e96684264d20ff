/*
 * Two calls of a static function that blocks, one after the other; natively B starts when A has finished. The tests
 * build and strip this program in several ways.
 */
#include "../check.h"

__attribute__((noinline, noclone)) static int blocking_task(const char *name)
{
    printf("%s starts\n", name);
    sleep_ms(50);
    printf("%s finishes\n", name);
    return 7;
}

int main(void)
{
    int first = blocking_task("A");
    int second = blocking_task("B");
    printf("results %d and %d\n", first, second);
    return 0;
}
