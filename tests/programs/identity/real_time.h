/*
 * What the tests of real-time priorities share: one CPU for all threads, so that the order in which they run is
 * determined; a record of that order; threads of SCHED_FIFO and SCHED_RR.
 */
#ifndef REAL_TIME_H
#define REAL_TIME_H

#include "../check.h"
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

static char record[64];
static atomic_int length;

/* Adds LETTER to the record. */
static inline void note(char letter)
{
    record[length++] = letter;
}

/* Prints the record and begins a new one. */
static inline void told(const char *what)
{
    record[length] = 0;
    printf("%s: %s\n", what, record);
    length = 0;
}

/* Starts a thread of this POLICY and PRIORITY with the letter that it notes as its argument. */
static inline pthread_t make(int policy, int priority, void *(*body)(void *), char letter)
{
    pthread_attr_t attributes;
    pthread_t thread;
    struct sched_param parameter = {.sched_priority = priority};
    pthread_attr_init(&attributes);
    ZERO(pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED));
    ZERO(pthread_attr_setschedpolicy(&attributes, policy));
    ZERO(pthread_attr_setschedparam(&attributes, &parameter));
    ZERO(pthread_create(&thread, &attributes, body, AS_POINTER(letter)));
    return thread;
}

static void *notes(void *argument)
{
    note(AS_INTEGER(argument));
    return NULL;
}

/* One CPU for the process, and for main a priority above all; ends the program if it may not have that. */
static inline void begin_on_one_cpu(void)
{
    cpu_set_t all, one;
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0, "affinity");
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0, "affinity");
    join(start(notes, AS_POINTER('x')));
    length = 0;
    int result = pthread_setschedparam(pthread_self(), SCHED_FIFO, &(struct sched_param){.sched_priority = 90});
    if (result == EPERM) {
        puts("not permitted");
        exit(0);
    }
    ZERO(result);
}

#endif
