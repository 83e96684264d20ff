/* One thread after another is made and joined. Argument: threads. Prints nanoseconds for each create and join. */
#include "measure.h"
#include <pthread.h>

static void *nothing(void *unused)
{
    return unused;
}

static void create_and_join(long threads)
{
    for (long made = 0; made < threads; made++) {
        pthread_t thread;
        check(pthread_create(&thread, NULL, nothing, NULL), "pthread_create", made);
        pthread_join(thread, NULL);
    }
}

int main(int argc, char **argv)
{
    long threads = number_argument(argc, argv, 1, "threads");
    create_and_join(threads / 10 + 1);
    long long start = now_ns();
    create_and_join(threads);
    printf("%.1f\n", (double)(now_ns() - start) / threads);
    return 0;
}
