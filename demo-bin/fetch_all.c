/*
 * A batch tool of the usual kind: it fetches N items (first argument, default 200) one at a time, and for each one
 * waits 100 ms, as for a distant server's answer. N = 200 takes twenty seconds, all of it waiting.
 *
 * Reports every fiftieth item and, at the end, how many have their result and the time. Knows nothing of grivet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ANSWER_NS = 100000000, REPORTED = 50 };

static long *results;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What a server would compute of an item. */
static long answer_for(long item)
{
    return item * item + 1;
}

__attribute__((noinline)) static void fetch(long item)
{
    const struct timespec wait = {.tv_nsec = ANSWER_NS};
    nanosleep(&wait, NULL);
    results[item] = answer_for(item);
    if ((item + 1) % REPORTED == 0)
        printf("item %ld is here\n", item + 1);
}

__attribute__((noinline)) static void report(long wanted, double start)
{
    long right = 0;
    for (long item = 0; item < wanted; item++)
        right += results[item] == answer_for(item);
    printf("fetched %ld of %ld items in %.2f s\n", right, wanted, seconds_now() - start);
}

int main(int argc, char **argv)
{
    char *rest = "";
    long wanted = argc > 1 ? strtol(argv[1], &rest, 10) : 200;
    if (argc > 2 || *rest != '\0' || wanted < 1) {
        fprintf(stderr, "usage: fetch_all [N]\n");
        return 2;
    }
    results = calloc((size_t)wanted, sizeof *results);
    if (results == NULL) {
        perror("fetch_all");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */

    double start = seconds_now();
    for (long item = 0; item < wanted; item++)
        fetch(item);
    report(wanted, start);
    free(results);
    return 0;
}
