/*
 * Threads that are pinned to a CPU see that they run there, by sched_getcpu as by getcpu; threads that they make are
 * pinned as well, and others are not. A process whose first thread is pinned can have threads elsewhere. What is left of
 * it in the end, and a child, run where their masks say. With one CPU there is not much to see.
 */
#include "../check.h"
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { MOST = 8, LOOKS = 200 };
static int cpus[MOST], count;
static pthread_barrier_t all_there;

static cpu_set_t only(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return set;
}

static void pin(pthread_t thread, int cpu)
{
    cpu_set_t set = only(cpu);
    ZERO(pthread_setaffinity_np(thread, sizeof set, &set));
}

static void has_mask(cpu_set_t expected)
{
    cpu_set_t set;
    ZERO(pthread_getaffinity_np(pthread_self(), sizeof set, &set));
    CHECK(CPU_EQUAL(&set, &expected), "the mask has %d CPUs", CPU_COUNT(&set));
}

static void runs_on(int cpu)
{
    unsigned number = 0, node = 0, called = 0;
    int seen = sched_getcpu();
    CHECK(seen == cpu, "sched_getcpu gave %d, not %d", seen, cpu);
    CHECK(getcpu(&number, &node) == 0 && (int)number == cpu, "getcpu gave %u, not %d", number, cpu);
    CHECK(getcpu(&called, NULL) == 0 && (int)called == cpu, "getcpu gave %u, not %d", called, cpu);
    CHECK(getcpu(NULL, &node) == 0, "getcpu of the node");
    CHECK(syscall(SYS_getcpu, &called, NULL, NULL) == 0 && (int)called == cpu, "the call gave %u", called);
    has_mask(only(cpu));
}

static void *is_pinned_too(void *argument)
{
    runs_on(AS_INTEGER(argument));
    return NULL;
}

static void *looks(void *argument)
{
    int cpu = AS_INTEGER(argument);
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < LOOKS; i++) {
        runs_on(cpu);
        sched_yield();
    }
    join(start(is_pinned_too, argument));
    pin(pthread_self(), cpus[0]);
    runs_on(cpus[0]);
    return NULL;
}

static void *pins_itself(void *argument)
{
    pin(pthread_self(), AS_INTEGER(argument));
    return looks(argument);
}

static void *is_free(void *argument)
{
    cpu_set_t all = *(cpu_set_t *)argument;
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < LOOKS; i++) {
        CHECK(CPU_ISSET(sched_getcpu(), &all), "an impossible CPU");
        has_mask(all);
        sched_yield();
    }
    return NULL;
}

static void all_at_once(cpu_set_t mask)
{
    pthread_t pinned[MOST], other;
    ZERO(pthread_barrier_init(&all_there, NULL, count + 1));
    for (int i = 0; i < count; i++) {
        if (i % 2 == 0) {
            pinned[i] = start(pins_itself, AS_POINTER(cpus[i]));
        } else {
            pthread_attr_t attributes;
            cpu_set_t set = only(cpus[i]);
            pthread_attr_init(&attributes);
            ZERO(pthread_attr_setaffinity_np(&attributes, sizeof set, &set));
            ZERO(pthread_create(&pinned[i], &attributes, looks, AS_POINTER(cpus[i])));
            pthread_attr_destroy(&attributes);
        }
    }
    other = start(is_free, &mask);
    join(other);
    for (int i = 0; i < count; i++)
        join(pinned[i]);
    has_mask(mask);
}

static void *pins_the_other(void *argument)
{
    pin(*(pthread_t *)argument, cpus[count - 1]);
    return NULL;
}

static void *forks(void *argument)
{
    int cpu = AS_INTEGER(argument), status = -1;
    pin(pthread_self(), cpu);
    pid_t child = fork();
    if (child == 0) {
        runs_on(cpu);
        join(start(is_pinned_too, argument));
        runs_on(cpu);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0, "status %x", status);
    return NULL;
}

static void *asks_for_nothing(void *argument)
{
    cpu_set_t none;
    CPU_ZERO(&none);
    GIVES(EINVAL, pthread_setaffinity_np(pthread_self(), sizeof none, &none));
    CPU_SET(CPU_SETSIZE - 1, &none);
    GIVES(EINVAL, pthread_setaffinity_np(pthread_self(), sizeof none, &none));
    return argument;
}

int main(void)
{
    cpu_set_t before;
    CHECK(sched_getaffinity(0, sizeof before, &before) == 0, "sched_getaffinity");
    for (int cpu = 0; cpu < CPU_SETSIZE && count < MOST; cpu++)
        if (CPU_ISSET(cpu, &before))
            cpus[count++] = cpu;

    all_at_once(before);
    join(start(asks_for_nothing, NULL));
    for (int i = 0; i < count; i++)
        join(start(forks, AS_POINTER(cpus[i])));
    has_mask(before);

    /* Pinned by a thread that has ended, the first one is alone and runs there. */
    pthread_t self = pthread_self();
    join(start(pins_the_other, &self));
    runs_on(cpus[count - 1]);

    /* Others may be elsewhere all the same. */
    all_at_once(only(cpus[count - 1]));
    runs_on(cpus[count - 1]);
    pin(self, cpus[0]);
    runs_on(cpus[0]);
    puts("done");
    return 0;
}
