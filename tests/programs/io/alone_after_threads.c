/*
 * Once its threads have ended, main waits by itself, computing in between: a call that no handler may restart
 * (epoll_wait, semtimedop) is not interrupted in a program that handles no signal.
 */
#include "waiting.h"
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>

static void compute(int ms)
{
    struct timespec now, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    end.tv_nsec += ms * 1000000L;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

static void *computes(void *argument)
{
    compute(30);
    return argument;
}

int main(void)
{
    pthread_t threads[2];
    for (int n = 0; n < 2; n++)
        threads[n] = start(computes, NULL);
    for (int n = 0; n < 2; n++)
        join(threads[n]);

    int set = epoll_create1(0), semaphores = semget(IPC_PRIVATE, 1, 0600);
    CHECK(set >= 0 && semaphores >= 0, "epoll_create1, semget");
    struct epoll_event event;
    struct sembuf down = {0, -1, 0};
    for (int round = 0; round < 10; round++) {
        compute(6);
        COUNT(0, epoll_wait(set, &event, 1, 10));
        compute(6);
        FAILS(EAGAIN, semtimedop(semaphores, &down, 1, &(struct timespec){0, 10000000}));
    }
    semctl(semaphores, 0, IPC_RMID);
    puts("never interrupted");
    return 0;
}
