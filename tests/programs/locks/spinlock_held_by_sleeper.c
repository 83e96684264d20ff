/*
 * A thread that sleeps while it holds a pthread_spinlock lets the spinner have the lock in the end: the process
 * does not hang though the spinner makes no system call. So too for a spin loop of the program's own.
 */
#include "../check.h"

static pthread_spinlock_t lock;
static volatile int flag;
static int count;

static void *body(void *argument)
{
    for (int round = 0; round < 5; round++) {
        ZERO(pthread_spin_lock(&lock));
        count++;
        sleep_ms(10);
        ZERO(pthread_spin_unlock(&lock));
    }
    return argument;
}

static void *raises_flag(void *argument)
{
    sleep_ms(50);
    flag = 1;
    return argument;
}

int main(void)
{
    pthread_t threads[4];
    ZERO(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE));
    for (int n = 0; n < 4; n++)
        threads[n] = start(body, NULL);
    for (int n = 0; n < 4; n++)
        join(threads[n]);
    printf("%d times inside\n", count);
    pthread_t raiser = start(raises_flag, NULL);
    while (!flag) {
    }
    join(raiser);
    puts("the flag was seen");
    return 0;
}
