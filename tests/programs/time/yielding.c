/*
 * sched_yield and pthread_yield let others run: a thread that polls a flag with a yield between sees it change, in
 * a chain of a hundred threads each waiting so for the one before.
 */
#include "../check.h"

enum { THREADS = 100 };
static int flags[THREADS + 1];

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    while (!__atomic_load_n(&flags[me + 1], __ATOMIC_ACQUIRE))
        CHECK(sched_yield() == 0, "sched_yield");
    __atomic_store_n(&flags[me], 1, __ATOMIC_RELEASE);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    __atomic_store_n(&flags[THREADS], 1, __ATOMIC_RELEASE);
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    printf("the flag came down the chain: %d\n", flags[0]);
    return 0;
}
