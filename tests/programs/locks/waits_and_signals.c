/*
 * Signals whose handlers run while a thread waits: for a priority-inheritance mutex, whose wait always goes on, before
 * and after FUTEX_CMP_REQUEUE_PI moved it; in futex_waitv, which ends with EINTR unless the handler has SA_RESTART, and
 * is made again then; in FUTEX_WAIT with and without a time limit.
 */
#include "asleep.h"
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
enum { PRIVATE = FUTEX_PRIVATE_FLAG };
struct one {
    uint64_t value, address;
    uint32_t flags, reserved;
};
static atomic_int handled;
static uint32_t condition, word;
static _Atomic uint32_t lock;
static pthread_mutex_t mutex;

static long futex(void *address, int operation, uint32_t value, const void *timeout, void *second)
{
    return syscall(SYS_futex, address, operation, value, timeout, second, FUTEX_BITSET_MATCH_ANY);
}

static void handler(int number)
{
    (void)number;
    handled++;
}

static const char *outcome(long result)
{
    static _Thread_local char text[32];
    if (result >= 0)
        snprintf(text, sizeof text, "%ld", result);
    else
        snprintf(text, sizeof text, "%s", strerrorname_np(errno));
    return text;
}

static void *at_mutex(void *argument)
{
    (void)argument;
    will_sleep();
    int result = pthread_mutex_lock(&mutex);
    ZERO(pthread_mutex_unlock(&mutex));
    return AS_POINTER(strdup(result == 0 ? "0" : strerrorname_np(result)));
}

static void *at_timed_mutex(void *argument)
{
    (void)argument;
    will_sleep();
    struct timespec limit = deadline_in(CLOCK_REALTIME, 2 * SECOND);
    int result = pthread_mutex_timedlock(&mutex, &limit);
    if (result == 0)
        ZERO(pthread_mutex_unlock(&mutex));
    return AS_POINTER(strdup(result == 0 ? "0" : strerrorname_np(result)));
}

static void *at_lock_pi2(void *argument)
{
    (void)argument;
    will_sleep();
    struct timespec limit = deadline_in(CLOCK_MONOTONIC, 2 * SECOND);
    char *text = strdup(outcome(futex(&lock, FUTEX_LOCK_PI2 | PRIVATE, 0, &limit, NULL)));
    futex(&lock, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL);
    return text;
}

static void *before_move(void *argument)
{
    (void)argument;
    will_sleep();
    char *text = strdup(outcome(futex(&condition, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, NULL, &lock)));
    futex(&lock, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL);
    return text;
}

static void *in_waitv(void *argument)
{
    (void)argument;
    will_sleep();
    struct one list[2] = {{0, (uintptr_t)&condition, 2 | PRIVATE, 0}, {0, (uintptr_t)&word, 2 | PRIVATE, 0}};
    return strdup(outcome(syscall(SYS_futex_waitv, list, 2, 0, NULL, 0)));
}

static void *in_timed_waitv(void *argument)
{
    (void)argument;
    will_sleep();
    struct one list[2] = {{0, (uintptr_t)&condition, 2 | PRIVATE, 0}, {0, (uintptr_t)&word, 2 | PRIVATE, 0}};
    struct timespec limit = deadline_in(CLOCK_MONOTONIC, 2 * SECOND);
    return strdup(outcome(syscall(SYS_futex_waitv, list, 2, 0, &limit, CLOCK_MONOTONIC)));
}

static void *in_wait(void *argument)
{
    (void)argument;
    will_sleep();
    return strdup(outcome(futex(&word, FUTEX_WAIT | PRIVATE, 0, NULL, NULL)));
}

static void *in_timed_wait(void *argument)
{
    (void)argument;
    will_sleep();
    struct timespec span = {2, 0};
    return strdup(outcome(futex(&word, FUTEX_WAIT | PRIVATE, 0, &span, NULL)));
}

static void *in_timed_wait_bitset(void *argument)
{
    (void)argument;
    will_sleep();
    struct timespec limit = deadline_in(CLOCK_REALTIME, 2 * SECOND);
    return strdup(outcome(futex(&word, FUTEX_WAIT_BITSET | PRIVATE | FUTEX_CLOCK_REALTIME, 0, &limit, NULL)));
}

static const struct {
    const char *name;
    void *(*body)(void *);
    int moves;
} waits[] = {{"PI mutex", at_mutex, 0},        {"PI mutex, timed", at_timed_mutex, 0},
             {"LOCK_PI2", at_lock_pi2, 0},     {"WAIT_REQUEUE_PI", before_move, 1},
             {"moved", before_move, 2},        {"futex_waitv", in_waitv, 0},
             {"futex_waitv, timed", in_timed_waitv, 0}, {"WAIT", in_wait, 0},
             {"WAIT, timed", in_timed_wait, 0}, {"WAIT_BITSET, timed", in_timed_wait_bitset, 0}};

/* Moves the one that waits at `condition` to the lock. */
static void move(void)
{
    long moved = syscall(SYS_futex, &condition, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, (void *)1L, &lock, 0);
    CHECK(moved == 1, "moved %ld", moved);
}

int main(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    ZERO(pthread_mutex_init(&mutex, &attributes));
    for (int restarts = 0; restarts < 2; restarts++) {
        struct sigaction action = {.sa_handler = handler, .sa_flags = restarts ? SA_RESTART : 0};
        sigaction(SIGUSR1, &action, NULL);
        for (unsigned n = 0; n < sizeof waits / sizeof *waits; n++) {
            ZERO(pthread_mutex_lock(&mutex));
            CHECK(futex(&lock, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL) == 0, "lock");
            handled = 0;
            pthread_t thread = start(waits[n].body, NULL);
            until_asleep();
            if (waits[n].moves == 2)
                move();
            pthread_kill(thread, SIGUSR1);
            for (int looks = 0; handled == 0 && looks < 1000; looks++)
                usleep(1000);
            sleep_ms(5);
            if (waits[n].moves == 1)
                move();
            printf("%s%s: %s, ", waits[n].name, restarts ? ", restarting" : "", handled ? "handled" : "not handled");
            ZERO(pthread_mutex_unlock(&mutex));
            CHECK(futex(&lock, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL) == 0, "unlock");
            futex(&word, FUTEX_WAKE | PRIVATE, 1, NULL, NULL);
            char *result = join(thread);
            printf("result %s\n", result);
            free(result);
        }
    }
    return 0;
}
