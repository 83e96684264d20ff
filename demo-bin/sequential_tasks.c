/*
 * The blocking problem, as small as it gets: two tasks of two seconds each, one after the other, in a program
 * with a single thread. While a task waits, nothing else happens, so the program takes four seconds.
 *
 * Prints each step with the seconds since the start. Knows nothing of grivet; `noinline` keeps `blocking_task` and
 * `report` functions of their own, as functions of any size are.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct timespec start;

static double seconds_since_start(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
}

/* Stands for anything that waits: a request, a query, a slow device. */
__attribute__((noinline)) static void blocking_task(const char *name)
{
    printf("[%.2f s] %s starts\n", seconds_since_start(), name);
    sleep(2);
    printf("[%.2f s] %s finishes\n", seconds_since_start(), name);
}

__attribute__((noinline)) static void report(void)
{
    printf("Total %.2f s\n", seconds_since_start());
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */
    clock_gettime(CLOCK_MONOTONIC, &start);
    blocking_task("A");
    blocking_task("B");
    report();
    return 0;
}
