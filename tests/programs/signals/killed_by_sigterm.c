/*
 * SIGTERM still ends a process that has made threads, with its default action: signals are unblocked again after
 * pthread_create in creator and created alike. The process sends it to itself from outside, by /bin/kill.
 */
#include "../check.h"

static void *sleeps(void *argument)
{
    sleep_ms(600000);
    return argument;
}

int main(void)
{
    char command[64];
    for (int n = 0; n < 5; n++)
        start(sleeps, NULL);
    sleep_ms(20);
    puts("waiting for SIGTERM");
    fflush(stdout);
    snprintf(command, sizeof command, "(sleep 0.2; kill -TERM %d) &", getpid());
    if (system(command) != 0)
        return 2;
    sleep_ms(600000);
    return 1;
}
