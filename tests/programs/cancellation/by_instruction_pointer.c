/*
 * Cancellation as glibc 2.41 and musl do it, imitated: a call that may be cancelled is made by one function, and the
 * cancelling signal's handler compares the interrupted instruction pointer with that function's labels. Before the
 * label behind the system call nothing has been done yet, and the thread is cancelled there; at that label or later
 * the call has had its effect, which must not be lost. A call that another thread is just letting go on is either
 * cancelled and has done nothing, or returns what it did. A cancelled call that was to be made again is cancelled too.
 */
#include "../check.h"
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

extern char cancel_start[], cancel_end[];

__asm__(".pushsection .text\n"
        ".globl cancellable_call\n.type cancellable_call, @function\ncancellable_call:\n.cfi_startproc\n"
        "cancel_start:\n"
        "cmpl $0, (%rdi)\n" /* was the thread cancelled before? */
        "jne 1f\n"
        "mov %rsi, %rax\n" /* number */
        "mov %rdx, %rdi\n"
        "mov %rcx, %rsi\n"
        "mov %r8, %rdx\n"
        "mov %r9, %r10\n"
        "mov 8(%rsp), %r8\n"
        "syscall\n"
        "cancel_end:\n"
        "ret\n"
        "1: mov $-125, %rax\n" /* ECANCELED */
        "ret\n"
        ".cfi_endproc\n.size cancellable_call, . - cancellable_call\n.popsection\n");
long cancellable_call(volatile int *cancelled, long number, long a, long b, long c, long d, long e);

static __thread volatile int cancelled;
static volatile long seen_rip;
static volatile int handled;
static sem_t begun;

static void handler(int number, siginfo_t *info, void *argument)
{
    greg_t *registers = ((ucontext_t *)argument)->uc_mcontext.gregs;
    (void)number;
    (void)info;
    cancelled = 1;
    seen_rip = registers[REG_RIP];
    if (seen_rip >= (long)cancel_start && seen_rip < (long)cancel_end) {
        /* As if the function had returned ECANCELED. */
        registers[REG_RAX] = -ECANCELED;
        registers[REG_RIP] = *(greg_t *)registers[REG_RSP];
        registers[REG_RSP] += sizeof(greg_t);
    }
    handled = 1;
}

struct call {
    long number, a, b, c, d, e, result;
};

static void *body(void *argument)
{
    struct call *call = argument;
    cancelled = 0;
    sem_post(&begun);
    call->result = cancellable_call(&cancelled, call->number, call->a, call->b, call->c, call->d, call->e);
    return NULL;
}

static const char *named(long result)
{
    return result < 0 ? strerrorname_np(-(int)result) : "done";
}

static void cancel(const char *name, struct call call, int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(SIGRTMIN, &action, NULL) == 0, "sigaction");
    handled = 0;
    pthread_t thread = start(body, &call);
    while (sem_wait(&begun) != 0) {
    }
    sleep_ms(20);
    ZERO(pthread_kill(thread, SIGRTMIN));
    join(thread);
    printf("%s%s: %s at the %s\n", name, flags & SA_RESTART ? ", restarting" : "", named(call.result),
           seen_rip == (long)cancel_end                                           ? "end"
           : seen_rip >= (long)cancel_start && seen_rip < (long)cancel_end ? "start"
                                                                                  : "wrong place");
}

/* A pipe's reader is cancelled just when a byte comes: the byte is either still in the pipe or in the reader's hands. */
static void no_byte_is_lost(void)
{
    int ends[2];
    char byte;
    int taken = 0, left = 0;
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(SIGRTMIN, &action, NULL) == 0 && pipe(ends) == 0, "sigaction, pipe");
    for (int round = 0; round < 2000; round++) {
        struct call call = {SYS_read, ends[0], (long)&byte, 1, 0, 0, 0};
        pthread_t thread = start(body, &call);
        while (sem_wait(&begun) != 0) {
        }
        for (int turn = 0; turn < round % 4; turn++)
            sched_yield();
        CHECK(write(ends[1], "x", 1) == 1, "write");
        for (volatile int spin = 0; spin < round % 7 * 50; spin++) {
        }
        if (round % 3 == 0)
            sched_yield();
        ZERO(pthread_kill(thread, SIGRTMIN));
        join(thread);
        struct pollfd poller = {ends[0], POLLIN, 0};
        int waiting = poll(&poller, 1, 0);
        CHECK(call.result == 1 || call.result == -ECANCELED, "round %d: read gave %ld", round, call.result);
        CHECK(waiting == (call.result == -ECANCELED), "round %d: read gave %ld, in the pipe: %d", round, call.result, waiting);
        if (waiting) {
            left++;
            CHECK(read(ends[0], &byte, 1) == 1, "read");
        } else {
            taken++;
        }
    }
    CHECK(taken + left == 2000, "%d and %d", taken, left);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    int ends[2], futex = 0;
    char byte, name[] = "/tmp/cancellation-XXXXXX";
    static const struct timespec long_time = {60, 0};
    sem_init(&begun, 0, 0);
    CHECK(pipe(ends) == 0, "pipe");
    struct pollfd poller = {ends[0], POLLIN, 0};
    int file = mkstemp(name), other = open(name, O_RDWR);
    CHECK(file >= 0 && other >= 0 && flock(other, LOCK_EX) == 0, "a locked file");
    int set = semget(IPC_PRIVATE, 1, 0600);
    struct sembuf down = {0, -1, 0};
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        cancel("nanosleep", (struct call){SYS_nanosleep, (long)&long_time, 0, 0, 0, 0, 0}, flags);
        cancel("read", (struct call){SYS_read, ends[0], (long)&byte, 1, 0, 0, 0}, flags);
        cancel("poll", (struct call){SYS_poll, (long)&poller, 1, -1, 0, 0, 0}, flags);
        cancel("futex", (struct call){SYS_futex, (long)&futex, 128, 0, 0, 0, 0}, flags);
        cancel("wait4", (struct call){SYS_wait4, child, 0, 0, 0, 0, 0}, flags);
        cancel("flock", (struct call){SYS_flock, file, LOCK_EX, 0, 0, 0, 0}, flags);
        cancel("semop", (struct call){SYS_semop, set, (long)&down, 1, 0, 0, 0}, flags);
        cancel("pause", (struct call){SYS_pause, 0, 0, 0, 0, 0, 0}, flags);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    semctl(set, 0, IPC_RMID);
    unlink(name);
    no_byte_is_lost();
    puts("no byte is lost");
    return 0;
}
