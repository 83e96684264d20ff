/*
 * Two tasks of two seconds each (four steps of half a second) in two POSIX threads: natively two kernel threads
 * besides the main one, and two seconds in all because the waits overlap.
 *
 * Prints each step with the seconds since the start. Knows nothing of grivet.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEPS = 4, STEP_MICROSECONDS = 500000 };

static struct timespec start;

static double seconds_since_start(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
}

static void *blocking_task(void *name)
{
    printf("[%4.2f s] %s starts\n", seconds_since_start(), (const char *)name);
    for (int step = 1; step <= STEPS; step++) {
        usleep(STEP_MICROSECONDS);
        printf("[%4.2f s] %s step %d of %d\n", seconds_since_start(), (const char *)name, step, STEPS);
    }
    printf("[%4.2f s] %s finishes\n", seconds_since_start(), (const char *)name);
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */
    clock_gettime(CLOCK_MONOTONIC, &start);

    static char *names[] = {"A", "B"};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        int error = pthread_create(&threads[i], NULL, blocking_task, names[i]);
        if (error != 0) {
            fprintf(stderr, "two_tasks: pthread_create: %s\n", strerror(error));
            return 1;
        }
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);

    printf("Total %.2f s\n", seconds_since_start());
    return 0;
}
