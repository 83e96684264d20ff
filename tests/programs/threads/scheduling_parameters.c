/*
 * Scheduling policy and priority are answered for threads by pthread_t and by tid: read, set to what they are,
 * and refused (EINVAL) when out of range; SCHED_BATCH set on one thread does not show on another.
 */
#include "../check.h"
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>

static sem_t ready, go;
static pid_t tid_of_other;

static void *body(void *argument)
{
    (void)argument;
    tid_of_other = (pid_t)syscall(SYS_gettid);
    sem_post(&ready);
    while (sem_wait(&go) != 0) {
    }
    return NULL;
}

int main(void)
{
    int policy;
    struct sched_param parameter = {0};
    sem_init(&ready, 0, 0);
    sem_init(&go, 0, 0);
    pthread_t thread = start(body, NULL);
    while (sem_wait(&ready) != 0) {
    }
    ZERO(pthread_getschedparam(thread, &policy, &parameter));
    CHECK(policy == SCHED_OTHER && parameter.sched_priority == 0, "policy %d priority %d", policy, parameter.sched_priority);
    ZERO(pthread_setschedparam(thread, SCHED_OTHER, &parameter));
    CHECK(sched_getscheduler(tid_of_other) == SCHED_OTHER, "sched_getscheduler of a tid");
    parameter.sched_priority = 7;
    GIVES(EINVAL, pthread_setschedparam(thread, SCHED_OTHER, &parameter));
    parameter.sched_priority = 0;
    CHECK(sched_setscheduler(tid_of_other, SCHED_BATCH, &parameter) == 0, "SCHED_BATCH");
    CHECK(sched_getscheduler(tid_of_other) == SCHED_BATCH, "the other's policy: %d", sched_getscheduler(tid_of_other));
    CHECK(sched_getscheduler(0) == SCHED_OTHER, "main's policy: %d", sched_getscheduler(0));
    FAILS(ESRCH, sched_getscheduler(4000000));
    sem_post(&go);
    join(thread);
    puts("scheduling parameters are each thread's own");
    return 0;
}
