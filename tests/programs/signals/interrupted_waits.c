/*
 * Waits of pthreads and the like under handlers without SA_RESTART: locks, conditions, barriers, joins go on waiting as
 * if nothing had been; select tells how much of its time is left and so does nanosleep, clock_nanosleep to a time does
 * not; sigtimedwait and sem_timedwait end with EINTR; SA_RESTART makes sem_wait go on. A signal that the thread blocks,
 * or that is ignored, ends none of them. Each waiter is signalled several times.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/select.h>

static volatile int handled, over, go;
static sem_t ready, semaphore;
static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, inheriting, robust;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_t sleeper;

static void handler(int number)
{
    (void)number;
    handled++;
}

static struct timespec late(void) { return deadline_in(CLOCK_REALTIME, 60 * SECOND); }

static long lock_plain(void) { return pthread_mutex_lock(&plain) + pthread_mutex_unlock(&plain); }
static long lock_inheriting(void) { return pthread_mutex_lock(&inheriting) + pthread_mutex_unlock(&inheriting); }
static long lock_robust(void) { return pthread_mutex_lock(&robust) + pthread_mutex_unlock(&robust); }
static long lock_until(void)
{
    struct timespec time = late();
    return pthread_mutex_timedlock(&plain, &time) + pthread_mutex_unlock(&plain);
}
static long lock_inheriting_until(void)
{
    struct timespec time = late();
    return pthread_mutex_timedlock(&inheriting, &time) + pthread_mutex_unlock(&inheriting);
}
static long read_lock(void) { return pthread_rwlock_rdlock(&rwlock) + pthread_rwlock_unlock(&rwlock); }
static long write_lock(void) { return pthread_rwlock_wrlock(&rwlock) + pthread_rwlock_unlock(&rwlock); }
static long meet(void) { return pthread_barrier_wait(&barrier) > 0; }
static long join_sleeper(void) { return pthread_join(sleeper, NULL); }

static long wait_for_condition(void)
{
    pthread_mutex_lock(&plain);
    int error = 0;
    while (!go && error == 0)
        error = pthread_cond_wait(&condition, &plain);
    pthread_mutex_unlock(&plain);
    return error;
}

static long wait_for_condition_until(void)
{
    struct timespec time = late();
    pthread_mutex_lock(&plain);
    int error = 0;
    while (!go && error == 0)
        error = pthread_cond_timedwait(&condition, &plain, &time);
    pthread_mutex_unlock(&plain);
    return error;
}

static long down(void) { return sem_wait(&semaphore) == 0 ? 0 : errno; }
static long down_until(void)
{
    struct timespec time = late();
    return sem_timedwait(&semaphore, &time) == 0 ? 0 : errno;
}

static long select_with_time(void)
{
    struct timeval time = {60, 0};
    long error = select(0, NULL, NULL, NULL, &time) == 0 ? 0 : errno;
    CHECK(time.tv_sec >= 50 && time.tv_sec < 60, "%ld s left", (long)time.tv_sec);
    return error;
}

static long sleep_for(void)
{
    struct timespec time = {60, 0}, left = {0, 0};
    long error = clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &left);
    CHECK(left.tv_sec >= 50 && left.tv_sec < 60, "%ld s left", (long)left.tv_sec);
    return error;
}

static long sleep_until(void)
{
    struct timespec time = late(), left = {7, 7};
    long error = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, &left);
    CHECK(left.tv_sec == 7, "%ld s left", (long)left.tv_sec);
    return error;
}

static long wait_for_signal(void)
{
    sigset_t set;
    struct timespec time = {60, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX);
    return sigtimedwait(&set, NULL, &time) > 0 ? 0 : errno;
}

static void let_lock(void) { pthread_mutex_unlock(&plain); }
static void hold_lock(void) { pthread_mutex_lock(&plain); }
static void hold_inheriting(void) { pthread_mutex_lock(&inheriting); }
static void let_inheriting(void) { pthread_mutex_unlock(&inheriting); }
static void hold_robust(void) { pthread_mutex_lock(&robust); }
static void let_robust(void) { pthread_mutex_unlock(&robust); }
static void hold_rwlock(void) { pthread_rwlock_wrlock(&rwlock); }
static void let_rwlock(void) { pthread_rwlock_unlock(&rwlock); }
static void post(void) { sem_post(&semaphore); }
static void at_barrier(void) { pthread_barrier_wait(&barrier); }
static void signal_condition(void)
{
    pthread_mutex_lock(&plain);
    go = 1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&plain);
}
static void *sleeps(void *argument)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!go)
        usleep(1000);
    return argument;
}
static void start_sleeper(void) { sleeper = start(sleeps, NULL); }
static void end_sleeper(void) { go = 1; }

static const struct wait {
    const char *name;
    void (*hold)(void);
    long (*call)(void);
    void (*let)(void);
    int flags;
} waits[] = {
    {"pthread_mutex_lock", hold_lock, lock_plain, let_lock, 0},
    {"pthread_mutex_lock, inheriting", hold_inheriting, lock_inheriting, let_inheriting, 0},
    {"pthread_mutex_lock, robust", hold_robust, lock_robust, let_robust, 0},
    {"pthread_mutex_timedlock", hold_lock, lock_until, let_lock, 0},
    {"pthread_mutex_timedlock, inheriting", hold_inheriting, lock_inheriting_until, let_inheriting, 0},
    {"pthread_rwlock_rdlock", hold_rwlock, read_lock, let_rwlock, 0},
    {"pthread_rwlock_wrlock", hold_rwlock, write_lock, let_rwlock, 0},
    {"pthread_barrier_wait", NULL, meet, at_barrier, 0},
    {"pthread_cond_wait", NULL, wait_for_condition, signal_condition, 0},
    {"pthread_cond_timedwait", NULL, wait_for_condition_until, signal_condition, 0},
    {"pthread_join", start_sleeper, join_sleeper, end_sleeper, 0},
    {"sem_wait", NULL, down, post, 0},
    {"sem_wait, SA_RESTART", NULL, down, post, SA_RESTART},
    {"sem_timedwait", NULL, down_until, post, 0},
    {"sem_timedwait, SA_RESTART", NULL, down_until, post, SA_RESTART},
    {"select", NULL, select_with_time, NULL, SA_RESTART},
    {"clock_nanosleep", NULL, sleep_for, NULL, SA_RESTART},
    {"clock_nanosleep to a time", NULL, sleep_until, NULL, SA_RESTART},
    {"sigtimedwait", NULL, wait_for_signal, NULL, SA_RESTART},
};

static void *body(void *argument)
{
    const struct wait *wait = argument;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    sem_post(&ready);
    long result = wait->call();
    over = 1;
    return AS_POINTER(result);
}

int main(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&inheriting, &attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_NONE);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_barrier_init(&barrier, NULL, 2);
    sem_init(&ready, 0, 0);
    sem_init(&semaphore, 0, 0);
    for (size_t n = 0; n < sizeof waits / sizeof *waits; n++) {
        const struct wait *wait = &waits[n];
        struct sigaction action = {.sa_handler = handler, .sa_flags = wait->flags};
        CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
        signal(SIGHUP, SIG_IGN);
        handled = over = go = 0;
        if (wait->hold != NULL)
            wait->hold();
        pthread_t thread = start(body, (void *)wait);
        while (sem_wait(&ready) != 0) {
        }
        sleep_ms(10);
        ZERO(pthread_kill(thread, SIGUSR2));
        ZERO(pthread_kill(thread, SIGHUP));
        ZERO(pthread_kill(thread, SIGCHLD));
        sleep_ms(5);
        CHECK(!over && !handled, "%s ended by signals that it does not handle", wait->name);
        int sent = 0;
        while (!over && sent < 3) {
            ZERO(pthread_kill(thread, SIGUSR1));
            sent++;
            while (handled < sent)
                usleep(200);
            sleep_ms(5);
        }
        const char *after = over ? "ended" : "went on";
        if (wait->let != NULL)
            wait->let();
        long result = AS_INTEGER(join(thread));
        printf("%s: %s, %s\n", wait->name, after, result == 0 ? "0" : strerrorname_np((int)result));
        while (sem_trywait(&semaphore) == 0) {
        }
    }
    return 0;
}
