/*
 * Two threads transfer money under one lock, and the holder of the lock waits, as one does that writes to a disk or
 * asks a server. Natively the other waits for its turn.
 *
 * Where the threads are coroutines of one thread, and the lock is not the scheduler's, the second one stops that thread
 * in `pthread_mutex_lock`, and the first never runs again to let go. Knows nothing of grivet.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { WAIT_MICROSECONDS = 200000, AMOUNT = 50 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int balance = 100;

static void *transfer(void *name)
{
    printf("%s wants the lock\n", (const char *)name);
    pthread_mutex_lock(&lock);
    printf("%s has the lock\n", (const char *)name);
    int before = balance;
    usleep(WAIT_MICROSECONDS);
    balance = before - AMOUNT;
    pthread_mutex_unlock(&lock);
    printf("%s is done\n", (const char *)name);
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */

    static char *names[] = {"A", "B"};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, transfer, names[i]) != 0)
            return 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("balance %d\n", balance);
    return balance == 0 ? 0 : 1;
}
