/* Starts another program, one that has no function `task`, from a call. */
#include "../check.h"

__attribute__((noinline, noclone)) static void task(void)
{
    sleep_ms(5);
    fflush(stdout);
    CHECK(system("echo shell") == 0, "system");
    puts("call");
}

int main(void)
{
    task();
    return 0;
}
