/*
 * Forks, from each call or from main while calls run. The children have none of the calls that run in their
 * parents; they make calls of their own, and main's child waits for these, and only these, at its exit.
 */
#include "../check.h"
#include <sys/wait.h>

static int finished;

__attribute__((noinline, noclone)) static void task(int milliseconds)
{
    sleep_ms(milliseconds);
    finished++;
}

static int status_of(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child, "child %d", (int)child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void at_exit_of_child(void)
{
    _exit(finished);
}

__attribute__((noinline, noclone)) static void forking_task(int number)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        finished = 0;
        task(10);
        task(20);
        sleep_ms(50);
        _exit(finished);
    }
    printf("call %d: child finished %d calls\n", number, status_of(child));
}

__attribute__((noinline, noclone)) static void report(void)
{
    printf("%d calls finished\n", finished);
}

int main(int count, char **arguments)
{
    CHECK(count == 2, "%d arguments", count);
    if (strcmp(arguments[1], "calls") == 0) {
        forking_task(1);
        forking_task(2);
        return 0;
    }
    task(100);
    task(200);
    pid_t child = fork();
    if (child == 0) {
        finished = 0;
        task(10);
        atexit(at_exit_of_child);
        exit(99);
    }
    printf("child of main finished %d calls\n", status_of(child));
    report();
    return 0;
}
