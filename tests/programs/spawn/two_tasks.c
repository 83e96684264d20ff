/*
 * Two calls of a static function that blocks, one after the other; natively B starts when A has finished. The
 * tests build and strip this program in several ways.
 */
#include "../check.h"

__attribute__((noinline, noclone)) static void blocking_task(const char *name)
{
    printf("%s starts\n", name);
    sleep_ms(50);
    printf("%s finishes\n", name);
}

int main(void)
{
    blocking_task("A");
    blocking_task("B");
    return 0;
}
