/* How long the first thread of a process takes to make and join. The difference between two thread libraries is what the first thread costs
 * besides. Prints milliseconds. */
#include "measure.h"
#include <pthread.h>

static void *nothing(void *unused)
{
    return unused;
}

int main(void)
{
    pthread_t thread;
    now_ns(); /* the first call resolves the symbol */
    long long start = now_ns();
    check(pthread_create(&thread, NULL, nothing, NULL), "pthread_create", 0);
    pthread_join(thread, NULL);
    printf("%.4f\n", (now_ns() - start) / 1e6);
    return 0;
}
