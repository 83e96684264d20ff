/*
 * Affinity is a thread's: set on itself, on another thread by pthread_t and by tid, at creation by attribute, read
 * back the same way, inherited, EINVAL for no processor, and the main thread's is left alone. sched_getcpu answers.
 */
#include "../check.h"
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>

static cpu_set_t all, one;
static sem_t ready, go;
static pid_t tid_of_other;

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static void *expects(void *argument)
{
    cpu_set_t set;
    ZERO(pthread_getaffinity_np(pthread_self(), sizeof set, &set));
    CHECK(CPU_EQUAL(&set, (cpu_set_t *)argument), "%d processors", CPU_COUNT(&set));
    int cpu = sched_getcpu();
    CHECK(cpu >= 0 && CPU_ISSET(cpu, &all), "sched_getcpu gave %d", cpu);
    return NULL;
}

static void *body(void *argument)
{
    (void)argument;
    tid_of_other = (pid_t)syscall(SYS_gettid);
    expects(&all);
    ZERO(pthread_setaffinity_np(pthread_self(), sizeof one, &one));
    expects(&one);
    join(start(expects, &one));
    sem_post(&ready);
    wait_for(&go);
    expects(&all);
    sem_post(&ready);
    wait_for(&go);
    expects(&one);
    return NULL;
}

int main(void)
{
    cpu_set_t set, none;
    sem_init(&ready, 0, 0);
    sem_init(&go, 0, 0);
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0, "sched_getaffinity");
    CPU_ZERO(&one);
    CPU_ZERO(&none);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    pthread_t thread = start(body, NULL);
    wait_for(&ready);
    ZERO(pthread_getaffinity_np(thread, sizeof set, &set));
    CHECK(CPU_EQUAL(&set, &one), "another's set has %d processors", CPU_COUNT(&set));
    ZERO(pthread_setaffinity_np(thread, sizeof all, &all));
    CHECK(sched_getaffinity(tid_of_other, sizeof set, &set) == 0, "sched_getaffinity of a tid");
    CHECK(CPU_EQUAL(&set, &all), "the tid's set has %d processors", CPU_COUNT(&set));
    sem_post(&go);
    wait_for(&ready);
    CHECK(sched_setaffinity(tid_of_other, sizeof one, &one) == 0, "sched_setaffinity of a tid");
    sem_post(&go);
    join(thread);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ZERO(pthread_attr_setaffinity_np(&attributes, sizeof one, &one));
    ZERO(pthread_create(&thread, &attributes, expects, &one));
    join(thread);
    GIVES(EINVAL, pthread_setaffinity_np(pthread_self(), sizeof none, &none));
    expects(&all);
    puts("affinity is each thread's own");
    return 0;
}
