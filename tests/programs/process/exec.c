/*
 * exec replaces a process that has threads, from main or (argument "thread") from a thread: the new program has the
 * same process id, arguments and environment, an unblocked signal mask as it was, and makes threads of its own.
 * Runs itself three times.
 */
#include "../check.h"
#include <signal.h>

static char **arguments_of_next;

static void *sleeps(void *argument)
{
    sleep_ms(600000);
    return argument;
}

static void *executes(void *argument)
{
    (void)argument;
    sleep_ms(10);
    execv("/proc/self/exe", arguments_of_next);
    CHECK(0, "execv");
    return NULL;
}

int main(int count, char **arguments)
{
    const char *from = count > 1 ? arguments[1] : "main";
    int generation = count > 2 ? atoi(arguments[2]) : 0;
    char process[16], next[16];
    snprintf(process, sizeof process, "%d", getpid());
    if (generation > 0)
        CHECK(strcmp(process, getenv("FIRST_PROCESS")) == 0, "process %s became %s", getenv("FIRST_PROCESS"), process);
    setenv("FIRST_PROCESS", process, 1);
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    CHECK(!sigismember(&mask, SIGTERM) && !sigismember(&mask, SIGINT), "signals are blocked");
    for (int n = 0; n < 5; n++)
        start(sleeps, NULL);
    sleep_ms(20);
    printf("generation %d from %s\n", generation, from);
    fflush(stdout);
    if (generation == 3)
        return 5;
    snprintf(next, sizeof next, "%d", generation + 1);
    arguments_of_next = (char *[]){arguments[0], (char *)from, next, NULL};
    if (strcmp(from, "thread") != 0)
        executes(NULL);
    start(executes, NULL);
    sleep_ms(600000);
    return 1;
}
