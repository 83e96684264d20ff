/*
 * What the C and C++ test programs share: checks that stay on in every build and say what was claimed and
 * what was seen, and a few lines for clocks and threads. A failed check ends the process with status 1 at
 * once, from whichever thread finds it. Nothing here knows of grivet.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND 1000000LL
#define SECOND 1000000000LL

/* Ends the process with status 1 unless CONDITION holds; the rest is a printf message with what was seen. */
#define CHECK(condition, ...)                                                                  \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            int check_errno = errno;                                                           \
            fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition);            \
            fprintf(stderr, __VA_ARGS__);                                                      \
            fprintf(stderr, " (errno %d, %s)\n", check_errno, strerror(check_errno));          \
            fflush(stdout);                                                                    \
            _exit(1);                                                                          \
        }                                                                                      \
    } while (0)

/* For calls that return 0 or an error number, as pthread_* do. */
#define ZERO(call)                                                                             \
    do {                                                                                       \
        int zero_result = (call);                                                              \
        CHECK(zero_result == 0, "%s gave %d, %s", #call, zero_result, strerror(zero_result));  \
    } while (0)

/* For calls that return an error number and should give this one. */
#define GIVES(expected, call)                                                                  \
    do {                                                                                       \
        int gives_result = (call);                                                             \
        CHECK(gives_result == (expected), "%s gave %d (%s), expected %s", #call, gives_result, \
              strerror(gives_result), #expected);                                              \
    } while (0)

/* For calls that return -1 and set errno. */
#define FAILS(expected, call)                                                                  \
    do {                                                                                       \
        errno = 0;                                                                             \
        long fails_result = (long)(call);                                                      \
        CHECK(fails_result == -1 && errno == (expected), "%s gave %ld, expected %s", #call,    \
              fails_result, #expected);                                                        \
    } while (0)

/* The time on CLOCK in nanoseconds. */
static inline int64_t now_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* NANOSECONDS as a timespec. */
static inline struct timespec timespec_of(int64_t nanoseconds)
{
    struct timespec time;
    time.tv_sec = nanoseconds / SECOND;
    time.tv_nsec = nanoseconds % SECOND;
    return time;
}

/* The time on CLOCK that lies NANOSECONDS ahead. */
static inline struct timespec deadline_in(clockid_t clock, int64_t nanoseconds)
{
    return timespec_of(now_ns(clock) + nanoseconds);
}

/* Sleeps MILLISECONDS, all of them, signals or not. */
static inline void sleep_ms(long milliseconds)
{
    struct timespec left = timespec_of(milliseconds * MILLISECOND);
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
}

/* Starts a joinable thread with default attributes. */
static inline pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    ZERO(pthread_create(&thread, NULL, body, argument));
    return thread;
}

/* Joins THREAD and returns its value. */
static inline void *join(pthread_t thread)
{
    void *value = NULL;
    ZERO(pthread_join(thread, &value));
    return value;
}

/* A small integer as a thread's argument or value, and back. */
#define AS_POINTER(integer) ((void *)(intptr_t)(integer))
#define AS_INTEGER(pointer) ((int)(intptr_t)(pointer))

#endif
