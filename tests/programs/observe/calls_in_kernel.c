/*
 * Calls that the kernel makes wait, and that it would let fail with EINTR at a debugger's stop: `helper` has a thread in
 * semop(2), which a kernel thread of grivet's makes; `alone` has the only thread there is left in epoll_wait(2).
 */
#include "waits.h"
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>

static int set;

static void *waits_for_set(void *nothing)
{
    struct sembuf down = {0, -1, 0};
    CHECK(semop(set, &down, 1) == 0, "semop");
    return nothing;
}

static void *ends_at_once(void *nothing)
{
    return nothing;
}

static void helper(void)
{
    struct sembuf up = {0, 1, 0};
    set = semget(IPC_PRIVATE, 1, 0600);
    CHECK(set >= 0, "semget");
    pthread_t waiting = start(waits_for_set, NULL);
    sleep_ms(50);
    be_looked_at();
    CHECK(semop(set, &up, 1) == 0, "semop");
    join(waiting);
    semctl(set, 0, IPC_RMID);
}

static void alone(void)
{
    struct epoll_event event = {EPOLLIN, {0}};
    join(start(ends_at_once, NULL));
    int files = epoll_create1(0);
    CHECK(files >= 0 && epoll_ctl(files, EPOLL_CTL_ADD, 0, &event) == 0, "epoll");
    puts("ready");
    fflush(stdout);
    CHECK(epoll_wait(files, &event, 1, -1) == 1, "epoll_wait");
}

int main(int count, char **arguments)
{
    if (count > 1 && !strcmp(arguments[1], "helper"))
        helper();
    else
        alone();
    puts("unharmed");
    return 0;
}
