/*
 * Thirty threads and main wait for a semaphore that nobody will post: stuck with more threads than a report lists.
 */
#include "../check.h"
#include <semaphore.h>

static sem_t never;

static void *waits(void *argument)
{
    while (sem_wait(&never) != 0) {
    }
    return argument;
}

int main(void)
{
    sem_init(&never, 0, 0);
    for (int n = 0; n < 30; n++)
        start(waits, NULL);
    puts("about to wait for ever");
    fflush(stdout);
    waits(NULL);
    return 1;
}
