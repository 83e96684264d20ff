/*
 * What spawn rules cannot do: a static buffer used across a blocking call. strtok(3) remembers where it is in
 * one place for the whole process, and the other call moves it on while this one waits.
 *
 * Natively each call prints the four words of its own line; with calls of `task` spawned, the first call reads
 * on in the second one's line.
 */
#include "../check.h"

static char lines[2][32] = {"a1 a2 a3 a4", "b1 b2 b3 b4"};

__attribute__((noinline, noclone)) static void task(int number)
{
    for (char *word = strtok(lines[number], " "); word != NULL; word = strtok(NULL, " ")) {
        printf("call %d: %s\n", number, word);
        sleep_ms(10);
    }
}

int main(void)
{
    task(0);
    task(1);
    return 0;
}
