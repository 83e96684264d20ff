/* How long a program takes from its start to its end. It is started over and over with posix_spawn and waited for.
 * Arguments: [--preload LIBRARY] starts PROGRAM [ARGUMENT...]. The library is loaded into PROGRAM only, not into this process.
 * Prints the median in milliseconds. PROGRAM must end with status 0. */
#define _GNU_SOURCE
#include "measure.h"
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static int by_value(const void *left, const void *right)
{
    long long difference = *(const long long *)left - *(const long long *)right;
    return (difference > 0) - (difference < 0);
}

/* Nanoseconds from the start of `command` to its end. */
static long long start_and_wait(char **command, char **environment)
{
    pid_t child;
    int status;
    long long start = now_ns();
    check(posix_spawn(&child, command[0], NULL, NULL, command, environment), command[0], 0);
    check(waitpid(child, &status, 0) < 0 ? errno : 0, "waitpid", 0);
    long long taken = now_ns() - start;
    if (status != 0) {
        fprintf(stderr, "%s: ended with wait status %#x\n", command[0], status);
        exit(1);
    }
    return taken;
}

int main(int argc, char **argv)
{
    int next = 1;
    char preload[4096] = "", *environment[256];
    int variables = 0;
    if (argc > 2 && strcmp(argv[1], "--preload") == 0) {
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", argv[2]);
        environment[variables++] = preload;
        next = 3;
    }
    for (char **variable = environ; *variable != NULL && variables < 255; variable++)
        environment[variables++] = *variable;
    environment[variables] = NULL;

    long starts = number_argument(argc, argv, next, "starts");
    if (argc <= next + 1) {
        fprintf(stderr, "%s: no program to start\n", argv[0]);
        return 2;
    }
    long long *taken = malloc(starts * sizeof *taken);
    check(taken == NULL ? ENOMEM : 0, "malloc", 0);
    for (int warm_up = 0; warm_up < 5; warm_up++)
        start_and_wait(argv + next + 1, environment);
    for (long count = 0; count < starts; count++)
        taken[count] = start_and_wait(argv + next + 1, environment);
    qsort(taken, starts, sizeof *taken, by_value);
    printf("%.4f\n", taken[starts / 2] / 1e6);
    return 0;
}
