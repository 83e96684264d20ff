/* So many threads at once: each is made, sleeps and is joined. Arguments: threads, sleep of each in seconds, stack size of each in bytes.
 * Prints seconds for all of it. Fails when a thread can't be made, and when not all of them were alive at one moment. */
#include "measure.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static long sleep_seconds;
static atomic_long alive, most_alive;

static void *sleep_once(void *unused)
{
    long now = atomic_fetch_add(&alive, 1) + 1, most = atomic_load(&most_alive);
    while (now > most && !atomic_compare_exchange_weak(&most_alive, &most, now))
        ;
    sleep(sleep_seconds);
    atomic_fetch_sub(&alive, 1);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    long threads = number_argument(argc, argv, 1, "threads");
    sleep_seconds = number_argument(argc, argv, 2, "sleep in seconds");
    long stack = number_argument(argc, argv, 3, "stack size in bytes");
    pthread_t *made = malloc(threads * sizeof *made);
    check(made == NULL ? ENOMEM : 0, "malloc", 0);
    pthread_attr_init(&attributes);
    check(pthread_attr_setstacksize(&attributes, stack), "pthread_attr_setstacksize", 0);

    long long start = now_ns();
    for (long count = 0; count < threads; count++) {
        int error = pthread_create(&made[count], &attributes, sleep_once, NULL);
        if (error != 0) {
            fprintf(stderr, "pthread_create: %s after %ld threads\n", strerror(error), count);
            fflush(stderr);
            _exit(1); /* not to wait for those that sleep */
        }
    }
    for (long count = 0; count < threads; count++)
        pthread_join(made[count], NULL);
    double seconds = (now_ns() - start) / 1e9;
    if (atomic_load(&most_alive) < threads) {
        fprintf(stderr, "only %ld of %ld threads alive at one moment, %.2f s in all\n", atomic_load(&most_alive), threads, seconds);
        return 1;
    }
    printf("%.4f\n", seconds);
    return 0;
}
