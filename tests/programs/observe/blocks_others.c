/*
 * A thread keeps the others waiting for 700 ms: argument 1 says how. vfork: it waits for a child made by vfork to end;
 * compute: it computes. The others sleep in short spans all that time.
 */
#include "../check.h"
#include <sys/wait.h>

static volatile int over;
static volatile unsigned long sum;

static void *sleeps_shortly(void *argument)
{
    while (!over)
        sleep_ms(5);
    return argument;
}

__attribute__((noinline)) void *keeps_them_waiting(void *argument)
{
    const char *how = argument;
    pthread_setname_np(pthread_self(), "blocker");
    if (!strcmp(how, "vfork")) {
        pid_t child = vfork();
        if (child == 0) {
            usleep(700000);
            _exit(0);
        }
        CHECK(waitpid(child, NULL, 0) == child, "waitpid");
    } else {
        int64_t end = now_ns(CLOCK_MONOTONIC) + 700 * MILLISECOND;
        while (now_ns(CLOCK_MONOTONIC) < end)
            sum++;
    }
    over = 1;
    return NULL;
}

int main(int count, char **arguments)
{
    pthread_t sleepers[3], blocker;
    CHECK(count == 2, "%d arguments", count);
    for (int n = 0; n < 3; n++)
        sleepers[n] = start(sleeps_shortly, NULL);
    blocker = start(keeps_them_waiting, arguments[1]);
    join(blocker);
    for (int n = 0; n < 3; n++)
        join(sleepers[n]);
    puts("done");
    return 0;
}
