/* What the benchmark programs share: the clock, argument parsing, errors and the memory figures of this process.
 * Header-only, so that each program is one `cc FILE.c`. Nothing here makes threads or knows of grivet. */
#ifndef MEASURE_H
#define MEASURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline long long now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Ends the program with status 1 when `error`, an errno value, is not 0; `what` names the call and `done` how often it had succeeded. */
static inline void check(int error, const char *what, long done)
{
    if (error == 0)
        return;
    fprintf(stderr, "%s: %s after %ld\n", what, strerror(error), done);
    exit(1);
}

/* The positive number in argument `index`; status 2 when there is none. */
static inline long number_argument(int argc, char **argv, int index, const char *name)
{
    char *end;
    long value = index < argc ? strtol(argv[index], &end, 10) : 0;
    if (value <= 0 || *end != '\0') {
        fprintf(stderr, "%s: argument %d must be a positive number: %s\n", argv[0], index, name);
        exit(2);
    }
    return value;
}

/* Bytes of memory held now: resident pages and page tables (VmRSS + VmPTE of /proc/self/status, see proc_pid_status(5)).
 * The kernel's own memory of a thread (task_struct, 16 KiB of kernel stack) is in neither. */
static inline long memory_held(void)
{
    char line[256];
    long kibibytes = 0, value;
    FILE *status = fopen("/proc/self/status", "r");
    check(status == NULL ? errno : 0, "open /proc/self/status", 0);
    while (fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "VmRSS: %ld", &value) == 1 || sscanf(line, "VmPTE: %ld", &value) == 1)
            kibibytes += value;
    fclose(status);
    return kibibytes * 1024;
}

#endif
