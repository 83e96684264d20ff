/*
 * Spawned calls that leave by pthread_exit while calls that they made are still running: `report` must see
 * those at their end all the same. Made for spawned calls: natively pthread_exit would end the program's only
 * thread.
 */
#include "../check.h"

/* Not known to the compiler, which would drop the code behind a call that never returns. */
static volatile int leave = 1;
static int leaves;

__attribute__((noinline, noclone)) static void leaf(void)
{
    sleep_ms(20);
    leaves++;
}

__attribute__((noinline, noclone)) static void task(void)
{
    leaf();
    leaf();
    if (leave)
        pthread_exit(NULL);
}

__attribute__((noinline, noclone)) static void report(void)
{
    printf("%d leaves\n", leaves);
}

int main(void)
{
    task();
    task();
    report();
    return 0;
}
