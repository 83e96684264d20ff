/*
 * Threads that compute for ever, and threads that call sched_yield for ever, do not keep others from what has come for
 * them: a byte from another process, one from another thread, a connection, a timeout.
 */
#include "waiting.h"
#include <poll.h>
#include <sys/wait.h>

enum { COMPUTING = 2, YIELDING = 3, ROUNDS = 8 };
static volatile int stop;
static volatile unsigned long sum;

static void *computes(void *argument)
{
    while (!stop)
        sum = sum * 31 + 1;
    return argument;
}

static void *yields(void *argument)
{
    while (!stop)
        sched_yield();
    return argument;
}

static void *echoes(void *ends)
{
    int *pair = ends;
    char letter;
    while (read(pair[0], &letter, 1) == 1)
        COUNT(1, write(pair[0], &letter, 1));
    close(pair[0]);
    return NULL;
}

static void *accepts(void *listening)
{
    for (int round = 0; round < ROUNDS; round++) {
        int descriptor = accept(AS_INTEGER(listening), NULL, NULL);
        CHECK(descriptor >= 0, "accept");
        close(descriptor);
    }
    return NULL;
}

static void ask(const char *name, int descriptor)
{
    for (int round = 0; round < ROUNDS; round++) {
        char letter = 'a' + round, answer;
        COUNT(1, write(descriptor, &letter, 1));
        COUNT(1, read(descriptor, &answer, 1));
        CHECK(answer == letter, "%c for %c", answer, letter);
    }
    printf("%s: %d answers\n", name, ROUNDS);
}

int main(void)
{
    int child_ends[2], thread_ends[2];
    unix_pair(child_ends, SOCK_STREAM);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        close(child_ends[1]);
        echoes(child_ends);
        _exit(0);
    }
    unix_pair(thread_ends, SOCK_STREAM);
    struct sockaddr_in address;
    int listening = listener(&address, ROUNDS);
    pthread_t busy[COMPUTING + YIELDING];
    pthread_t echoing = start(echoes, thread_ends), accepting = start(accepts, AS_POINTER(listening));
    for (int n = 0; n < COMPUTING + YIELDING; n++)
        busy[n] = start(n < COMPUTING ? computes : yields, NULL);
    ask("a process", child_ends[1]);
    ask("a thread", thread_ends[1]);
    for (int round = 0; round < ROUNDS; round++) {
        int descriptor = connected_to(&address);
        char letter;
        COUNT(0, read(descriptor, &letter, 1));
        close(descriptor);
    }
    join(accepting);
    puts("connections came and went");
    struct pollfd entry = {.fd = thread_ends[1], .events = POLLIN};
    for (int round = 0; round < ROUNDS; round++)
        CHECK(poll(&entry, 1, 1) == 0, "revents %#x", entry.revents);
    puts("timeouts passed");
    stop = 1;
    for (int n = 0; n < COMPUTING + YIELDING; n++)
        join(busy[n]);
    close(thread_ends[1]);
    close(child_ends[1]);
    /* The parent holds the child's end too. */
    close(child_ends[0]);
    join(echoing);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "status %#x", status);
    return 0;
}
