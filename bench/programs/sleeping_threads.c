/* Many threads that only sleep, all at once: what does one of them hold in memory?
 * Arguments: threads, stack size of each in bytes. Prints bytes a thread: resident pages and page tables with all asleep, less the same
 * once a first thread has come and gone. So what a thread library keeps for each thread counts, in its own tables as well, and what
 * the first thread brings in once (code, tables of the process) does not. */
#include "measure.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_long begun;

static void *sleep_on(void *unused)
{
    atomic_fetch_add(&begun, 1);
    sleep(3600);
    return unused;
}

static void *end_at_once(void *unused)
{
    return unused;
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    long threads = number_argument(argc, argv, 1, "threads");
    long stack = number_argument(argc, argv, 2, "stack size in bytes");
    pthread_attr_init(&attributes);
    check(pthread_attr_setstacksize(&attributes, stack), "pthread_attr_setstacksize", 0);

    pthread_t first;
    check(pthread_create(&first, &attributes, end_at_once, NULL), "pthread_create", 0);
    check(pthread_join(first, NULL), "pthread_join", 0);
    memory_held(); /* the first call makes stdio's buffers */
    long before = memory_held();
    for (long made = 0; made < threads; made++) {
        pthread_t thread;
        check(pthread_create(&thread, &attributes, sleep_on, NULL), "pthread_create", made);
    }
    while (atomic_load(&begun) < threads)
        usleep(1000);
    usleep(100000); /* the last to begin has still to reach its sleep */
    long after = memory_held();
    printf("%.0f\n", (double)(after - before) / threads);
    fflush(stdout);
    _exit(0);
}
