/*
 * The 128 bytes below the stack pointer belong to a leaf function and survive its system calls: those that
 * block, those that return at once and those that fail, while other threads run on their own stacks.
 */
#include "../check.h"
#include <linux/futex.h>
#include <sys/syscall.h>

enum { THREADS = 8, ROUNDS = 100 };

/* Fills the red zone with SEED, SEED+1, …, makes the call, and returns the number of words that changed. */
long words_changed_by(long number, long first, long second, long third, long fourth, long seed);
__asm__(".text\n.globl words_changed_by\n.type words_changed_by,@function\nwords_changed_by:\n.cfi_startproc\n"
        "\tmov %rdi, %rax\n\tmov %rsi, %rdi\n\tmov %rdx, %rsi\n\tmov %rcx, %rdx\n\tmov %r8, %r10\n\tmov %r9, %r8\n"
        ".irp n,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\n\tmov %r9, -8*\\n(%rsp)\n\tinc %r9\n.endr\n"
        "\tsyscall\n"
        "\txor %eax, %eax\n"
        ".irp n,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\n\tcmp %r8, -8*\\n(%rsp)\n\tje 1f\n\tinc %rax\n1:\tinc %r8\n.endr\n"
        "\tret\n.cfi_endproc\n.size words_changed_by,.-words_changed_by\n");

static void *body(void *argument)
{
    long seed = 1000000L * (AS_INTEGER(argument) + 1);
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec pause = {0, 50000};
        int word = 1;
        CHECK(words_changed_by(SYS_sched_yield, 0, 0, 0, 0, seed) == 0, "sched_yield");
        CHECK(words_changed_by(SYS_getppid, 0, 0, 0, 0, seed) == 0, "getppid");
        CHECK(words_changed_by(SYS_gettid, 0, 0, 0, 0, seed) == 0, "gettid");
        CHECK(words_changed_by(SYS_nanosleep, (long)&pause, 0, 0, 0, seed) == 0, "nanosleep");
        CHECK(words_changed_by(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 2, 0, seed) == 0, "futex, other value");
        CHECK(words_changed_by(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 1, (long)&pause, seed) == 0,
              "futex, timeout");
        CHECK(words_changed_by(SYS_futex, (long)&word, FUTEX_WAKE_PRIVATE, 1, 0, seed) == 0, "futex, wake");
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    puts("the red zone was never touched");
    return 0;
}
