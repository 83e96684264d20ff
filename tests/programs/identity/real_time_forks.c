/*
 * The highest priority is first in futex_waitv, too; a child process has the policy and priority of the thread that
 * forks, and its threads run by theirs; with SCHED_RESET_ON_FORK it has neither. On one CPU.
 */
#include "real_time.h"
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
struct one {
    uint64_t value, address;
    uint32_t flags, reserved;
};
static uint32_t words[2];

static void *waits(void *argument)
{
    struct one list[2] = {{0, (uintptr_t)&words[0], 2 | FUTEX_PRIVATE_FLAG, 0},
                          {0, (uintptr_t)&words[1], 2 | FUTEX_PRIVATE_FLAG, 0}};
    CHECK(syscall(SYS_futex_waitv, list, 2, 0, NULL, 0) >= 0, "futex_waitv");
    note(AS_INTEGER(argument));
    return NULL;
}

static void *forks(void *argument)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct sched_param parameter;
        CHECK(sched_getparam(0, &parameter) == 0, "getparam");
        printf("the child has policy %d, priority %d; ", sched_getscheduler(0), parameter.sched_priority);
        pthread_t low = make(SCHED_FIFO, 10, notes, 'l'), high = make(SCHED_FIFO, 20, notes, 'h');
        join(low), join(high);
        if (parameter.sched_priority != 0)
            told("its threads");
        else
            puts("its threads ended");
        fflush(stdout);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "child's status %#x", status);
    return argument;
}

int main(void)
{
    static const int priorities[4] = {10, 30, 20, 30};
    pthread_t threads[4];
    begin_on_one_cpu();
    for (int n = 0; n < 4; n++) {
        threads[n] = make(SCHED_FIFO, priorities[n], waits, "dacb"[n]);
        sleep_ms(3);
    }
    for (int n = 0; n < 4; n++) {
        CHECK(syscall(SYS_futex, &words[n % 2], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) == 1, "wake");
        sleep_ms(3);
    }
    for (int n = 0; n < 4; n++)
        join(threads[n]);
    told("futex_waitv");
    join(make(SCHED_FIFO, 60, forks, 'f'));
    CHECK(sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &(struct sched_param){90}) == 0, "reset");
    forks(NULL);
    return 0;
}
