/*
 * Many threads alive at once: makes N threads (first argument, default 100,000) with default attributes. Each sleeps
 * until the last one has been made, so none ends early and makes room for another.
 *
 * Prints how many were made; when pthread_create fails, also its error, and exits with 1 at once (a machine at its
 * limit of threads can start no other program, so the limit is not held longer than needed). Knows nothing of grivet.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_bool all_made;

static void *sleeper(void *unused)
{
    (void)unused;
    do
        sleep(1);
    while (!atomic_load(&all_made));
    return NULL;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    char *rest = "";
    long wanted = argc > 1 ? strtol(argv[1], &rest, 10) : 100000;
    if (argc > 2 || *rest != '\0' || wanted < 1) {
        fprintf(stderr, "usage: many_threads [N]\n");
        return 2;
    }
    pthread_t *threads = calloc((size_t)wanted, sizeof *threads);
    if (threads == NULL) {
        perror("many_threads");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */

    double start = seconds_now();
    for (long made = 0; made < wanted; made++) {
        int error = pthread_create(&threads[made], NULL, sleeper, NULL);
        if (error != 0) {
            printf("made %ld of %ld threads; pthread_create: %s\n", made, wanted, strerror(error));
            return 1;
        }
    }
    printf("made %ld of %ld threads in %.2f s; all are alive at once\n", wanted, wanted, seconds_now() - start);

    atomic_store(&all_made, 1);
    for (long i = 0; i < wanted; i++)
        pthread_join(threads[i], NULL);
    printf("joined %ld threads\n", wanted);
    free(threads);
    return 0;
}
