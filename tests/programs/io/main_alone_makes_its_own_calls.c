/*
 * A thread comes and goes; then main, alone, reads and writes. Each of its calls is to reach the kernel as it is, once:
 * the test counts them.
 */
#include "waiting.h"

static void *comes_and_goes(void *argument)
{
    return argument;
}

int main(void)
{
    int ends[2];
    char byte = 'x';
    join(start(comes_and_goes, NULL));
    make_pipe(ends);
    for (int round = 0; round < 1000; round++) {
        COUNT(1, write(ends[1], &byte, 1));
        COUNT(1, read(ends[0], &byte, 1));
    }
    puts("2000 calls");
    return 0;
}
