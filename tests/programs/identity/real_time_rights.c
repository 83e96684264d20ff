/*
 * Who gets which scheduling policy and priority: attributes explicit and inherited, SCHED_RESET_ON_FORK, each thread
 * its own by pthread calls and by id (sched_setscheduler, sched_setattr, sched_rr_get_interval); wrong values EINVAL,
 * unknown ids ESRCH, and without the right to EPERM for the real-time policies only.
 */
#include "../check.h"
#include <grp.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
static sem_t ready, done;
static pid_t tid;

static const char *told(int policy, int priority)
{
    static char text[40];
    static const char *const names[] = {"OTHER", "FIFO", "RR", "BATCH", "4", "IDLE"};
    snprintf(text, sizeof text, "%s%s %d", names[policy & 7], policy & SCHED_RESET_ON_FORK ? "|RESET" : "", priority);
    return text;
}

static const char *seen(pid_t thread)
{
    struct sched_param parameter = {-1};
    int policy = sched_getscheduler(thread);
    CHECK(policy >= 0 && sched_getparam(thread, &parameter) == 0, "policy %d of %d", policy, thread);
    return told(policy, parameter.sched_priority);
}

static void *tells(void *argument)
{
    printf("%s: %s, nice %d\n", (char *)argument, seen(0), getpriority(PRIO_PROCESS, 0));
    return NULL;
}

static void *stays(void *argument)
{
    tid = gettid();
    sem_post(&ready);
    while (sem_wait(&done) != 0) {
    }
    return argument;
}

static int make(int policy, int priority, char *what)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    ZERO(pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED));
    ZERO(pthread_attr_setschedpolicy(&attributes, policy));
    ZERO(pthread_attr_setschedparam(&attributes, &(struct sched_param){.sched_priority = priority}));
    int result = pthread_create(&thread, &attributes, tells, what);
    if (result == 0)
        join(thread);
    return result;
}

static int set(pid_t thread, int policy, int priority)
{
    return sched_setscheduler(thread, policy, &(struct sched_param){.sched_priority = priority});
}

static void *asks_for_more(void *argument)
{
    FAILS(EPERM, set(0, SCHED_FIFO, 1));
    FAILS(EPERM, set(gettid(), SCHED_RR, 1));
    FAILS(EPERM, set(tid, SCHED_RR, 1));
    GIVES(EPERM, make(SCHED_FIFO, 5, "never"));
    GIVES(EPERM, pthread_setschedprio(*(pthread_t *)argument, 5) == EINVAL ? EPERM : 0);
    CHECK(set(0, SCHED_BATCH, 0) == 0 && set(0, SCHED_OTHER, 0) == 0, "batch and back");
    CHECK(set(tid, SCHED_IDLE, 0) == 0 && sched_getscheduler(tid) == SCHED_IDLE, "idle");
    FAILS(EPERM, set(tid, SCHED_OTHER, 0));
    CHECK(set(0, SCHED_BATCH | SCHED_RESET_ON_FORK, 0) == 0, "reset");
    FAILS(EPERM, set(0, SCHED_BATCH, 0));
    struct attributes given = {.size = sizeof given, .policy = SCHED_FIFO, .priority = 3};
    FAILS(EPERM, syscall(SYS_sched_setattr, 0, &given, 0));
    given = (struct attributes){.size = sizeof given, .policy = SCHED_OTHER, .nice = -5, .flags = 1};
    FAILS(EPERM, syscall(SYS_sched_setattr, 0, &given, 0));
    return NULL;
}

int main(void)
{
    sem_init(&ready, 0, 0);
    sem_init(&done, 0, 0);
    pthread_t other = start(stays, NULL);
    while (sem_wait(&ready) != 0) {
    }
    if (set(tid, SCHED_FIFO, 7) != 0) {
        CHECK(errno == EPERM, "FIFO");
        puts("not permitted");
        return 0;
    }
    printf("the other: %s, ", seen(tid));
    printf("main: %s\n", seen(0));
    int policy;
    struct sched_param parameter;
    ZERO(pthread_setschedparam(other, SCHED_RR, &(struct sched_param){.sched_priority = 8}));
    ZERO(pthread_getschedparam(other, &policy, &parameter));
    printf("pthread: %s\n", told(policy, parameter.sched_priority));
    struct timespec interval;
    CHECK(sched_rr_get_interval(tid, &interval) == 0, "interval");
    printf("SCHED_RR has turns of %ld ms, ", interval.tv_nsec / 1000000);
    CHECK(set(tid, SCHED_FIFO, 8) == 0 && sched_rr_get_interval(tid, &interval) == 0, "interval");
    printf("SCHED_FIFO of %ld ms\n", interval.tv_sec * 1000 + interval.tv_nsec / 1000000);
    struct attributes given = {.size = sizeof given, .policy = SCHED_RR, .priority = 9, .flags = 1};
    CHECK(syscall(SYS_sched_setattr, tid, &given, 0) == 0, "setattr");
    given = (struct attributes){.size = sizeof given, .policy = SCHED_BATCH, .nice = 4};
    CHECK(syscall(SYS_sched_setattr, 0, &given, 0) == 0, "setattr");
    memset(&given, -1, sizeof given);
    CHECK(syscall(SYS_sched_getattr, tid, &given, sizeof given, 0) == 0, "getattr");
    printf("attributes: %s, flags %d\n", told(given.policy, given.priority), (int)given.flags);
    CHECK(syscall(SYS_sched_getattr, 0, &given, sizeof given, 0) == 0, "getattr");
    printf("main's: %s, nice %d, flags %d\n", told(given.policy, given.priority), given.nice, (int)given.flags);

    GIVES(EINVAL, pthread_setschedparam(other, SCHED_FIFO, &(struct sched_param){.sched_priority = 0}));
    GIVES(EINVAL, pthread_setschedparam(other, SCHED_RR, &(struct sched_param){.sched_priority = 100}));
    GIVES(EINVAL, pthread_setschedparam(other, SCHED_OTHER, &(struct sched_param){.sched_priority = 1}));
    GIVES(EINVAL, pthread_setschedparam(other, 77, &(struct sched_param){.sched_priority = 1}));
    GIVES(EINVAL, pthread_setschedprio(other, 200));
    FAILS(EINVAL, set(-1, SCHED_OTHER, 0));
    FAILS(EINVAL, sched_setscheduler(tid, SCHED_OTHER, NULL));
    FAILS(EINVAL, sched_getparam(tid, NULL));
    FAILS(ESRCH, set(0x3ffffff0, SCHED_OTHER, 0));
    FAILS(ESRCH, sched_getscheduler(0x3ffffff0));
    FAILS(EINVAL, syscall(SYS_sched_setattr, tid, NULL, 0));
    given = (struct attributes){.size = 20, .policy = SCHED_OTHER};
    FAILS(E2BIG, syscall(SYS_sched_setattr, tid, &given, 0));
    FAILS(EINVAL, syscall(SYS_sched_getattr, tid, &given, 8, 0));

    ZERO(make(SCHED_FIFO, 11, "explicit"));
    ZERO(make(SCHED_OTHER, 0, "explicit"));
    CHECK(set(0, SCHED_FIFO, 12) == 0, "FIFO");
    join(start(tells, "inherited"));
    CHECK(set(0, SCHED_RR | SCHED_RESET_ON_FORK, 13) == 0, "RR");
    tells("main");
    join(start(tells, "reset"));
    CHECK(set(0, SCHED_BATCH | SCHED_RESET_ON_FORK, 0) == 0, "BATCH");
    CHECK(setpriority(PRIO_PROCESS, 0, -3) == 0, "nice");
    join(start(tells, "reset"));
    CHECK(set(0, SCHED_OTHER, 0) == 0, "OTHER");
    sem_post(&done);
    join(other);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        CHECK(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0, "becoming nobody");
        other = start(stays, NULL);
        while (sem_wait(&ready) != 0) {
        }
        join(start(asks_for_more, &other));
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "child's status %#x", status);
    puts("without the right to: refused");
    return 0;
}
