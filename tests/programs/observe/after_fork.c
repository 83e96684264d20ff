/*
 * A thread forks; its child, where it is the only one left, makes threads of its own. The child's id is on the line before
 * "ready". Both end when the input ends, the child first.
 */
#include "waits.h"
#include <sys/wait.h>

static int child;

static void *waits_in_child(void *nothing)
{
    sleep_ms(1000000);
    return nothing;
}

static void *waits_in_parent(void *nothing)
{
    sleep_ms(1000000);
    return nothing;
}

__attribute__((noinline)) static void lives_in_child(void)
{
    char nothing;
    for (int i = 0; i < 3; i++)
        start(waits_in_child, NULL);
    sleep_ms(20);
    while (read(0, &nothing, 1) > 0)
        ;
    _exit(7);
}

static void *forks(void *nothing)
{
    child = fork();
    if (child == 0)
        lives_in_child();
    return nothing;
}

int main(void)
{
    int status;
    for (int i = 0; i < 2; i++)
        start(waits_in_parent, NULL);
    join(start(forks, NULL));
    sleep_ms(100);
    printf("%d\n", child);
    be_looked_at();
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7, "the child: %#x", status);
    puts("unharmed");
    return 0;
}
