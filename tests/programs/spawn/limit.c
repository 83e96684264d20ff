/*
 * Makes N calls (first argument) and prints how many ran at most at once; half of the calls block for longer
 * than the others. With a second argument every call makes calls of its own.
 */
#include "../check.h"

static int running;
static int most;
static int done;

__attribute__((noinline, noclone)) static void task(int number, int children)
{
    running++;
    if (running > most)
        most = running;
    sleep_ms(number % 2 ? 1 : 3);
    for (int n = 0; n < children; n++)
        task(n, 0);
    running--;
    done++;
}

__attribute__((noinline, noclone)) static void report(void)
{
    printf("%d done, at most %d at once\n", done, most);
}

int main(int count, char **arguments)
{
    int calls = atoi(arguments[1]);
    for (int number = 0; number < calls; number++)
        task(number, count > 2 ? atoi(arguments[2]) : 0);
    report();
    return 0;
}
