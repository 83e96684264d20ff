/* Each call makes threads, which take a lock in turn, and joins them; one thread of each itself makes calls. */
#include "../check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int threads;
static int leaves;

__attribute__((noinline, noclone)) static void leaf(void)
{
    sleep_ms(5);
    leaves++;
}

static void *body(void *argument)
{
    ZERO(pthread_mutex_lock(&lock));
    sleep_ms(1);
    threads++;
    ZERO(pthread_mutex_unlock(&lock));
    if (argument != NULL)
        leaf();
    return argument;
}

__attribute__((noinline, noclone)) static void task(int number)
{
    pthread_t made[4];
    for (int n = 0; n < 4; n++)
        made[n] = start(body, AS_POINTER(n == number));
    for (int n = 0; n < 4; n++)
        CHECK(AS_INTEGER(join(made[n])) == (n == number), "another thread's value");
}

static void at_exit(void)
{
    printf("%d threads, %d leaves\n", threads, leaves);
}

int main(void)
{
    atexit(at_exit);
    for (int number = 0; number < 4; number++)
        task(number);
    return 0;
}
