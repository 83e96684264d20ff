/*
 * pthread_atfork handlers run around a fork from a thread, in the documented order, and may lock what another thread
 * holds for a while; malloc works in the child though others were in it.
 */
#include "../check.h"
#include <sys/wait.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[64];
static volatile int stop;

static void note(const char *text)
{
    strcat(log_text, text);
}

static void prepare_first(void) { note("P1 "); }
static void prepare_second(void) { pthread_mutex_lock(&lock); note("P2 "); }
static void parent_first(void) { note("p1 "); }
static void parent_second(void) { pthread_mutex_unlock(&lock); note("p2 "); }
static void child_first(void) { note("c1 "); }
static void child_second(void) { pthread_mutex_unlock(&lock); note("c2 "); }

static void *holds(void *argument)
{
    pthread_mutex_lock(&lock);
    *(volatile int *)argument = 1;
    sleep_ms(50);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void *allocates(void *argument)
{
    while (!stop) {
        free(malloc(100000));
        free(malloc(100));
        sched_yield();
    }
    return argument;
}

static void *forks(void *argument)
{
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        for (int n = 1; n < 1000; n++)
            free(malloc((size_t)n * 100));
        _exit(strcmp(log_text, "P2 P1 c1 c2 ") == 0 ? 0 : 9);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "child's status %#x", status);
    return argument;
}

int main(void)
{
    volatile int held = 0;
    ZERO(pthread_atfork(prepare_first, parent_first, child_first));
    ZERO(pthread_atfork(prepare_second, parent_second, child_second));
    pthread_t allocators[4];
    for (int n = 0; n < 4; n++)
        allocators[n] = start(allocates, NULL);
    pthread_t holder = start(holds, (void *)&held);
    while (!held)
        sched_yield();
    join(start(forks, NULL));
    join(holder);
    stop = 1;
    for (int n = 0; n < 4; n++)
        join(allocators[n]);
    printf("%s\n", log_text);
    return 0;
}
