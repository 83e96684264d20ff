/*
 * A compiler that sees a function knows which registers it leaves alone, and keeps values in them across the
 * call (GCC's -fipa-ra). `task` changes rax only; its caller checks all other registers that a call may
 * change.
 */
#include "../check.h"

enum { INTEGERS = 8, VECTORS = 16 };

struct registers {
    uint64_t integer[INTEGERS];
    uint64_t vector[VECTORS][2];
};

void task(void);
void call_task(const struct registers *before, struct registers *after);

/* Sleeps 5 ms by a system call of its own; the kernel changes rcx and r11, and the function sets them right. */
__asm__(".text\n.p2align 4\n.globl task\n.type task, @function\ntask:\n.cfi_startproc\n"
        " push %rdi\n push %rsi\n push %rcx\n push %r11\n push $5000000\n push $0\n .cfi_adjust_cfa_offset 48\n"
        " mov $35, %eax\n mov %rsp, %rdi\n xor %esi, %esi\n syscall\n"
        " add $16, %rsp\n pop %r11\n pop %rcx\n pop %rsi\n pop %rdi\n .cfi_adjust_cfa_offset -48\n ret\n"
        ".cfi_endproc\n.size task, . - task\n");

#define EACH_INTEGER(with)   \
    with(rcx, 0) with(rdx, 8) with(rsi, 16) with(rdi, 24)  \
    with(r8, 32) with(r9, 40) with(r10, 48) with(r11, 56)
#define EACH_VECTOR(with)                                                                                           \
    with(0) with(1) with(2) with(3) with(4) with(5) with(6) with(7) with(8) with(9) with(10) with(11) with(12)      \
        with(13) with(14) with(15)
#define LOAD(name, offset) " mov " #offset "(%rbx), %" #name "\n"
#define STORE(name, offset) " mov %" #name ", " #offset "(%r12)\n"
#define LOAD_VECTOR(n) " movups 64 + 16 * " #n "(%rbx), %xmm" #n "\n"
#define STORE_VECTOR(n) " movups %xmm" #n ", 64 + 16 * " #n "(%r12)\n"

__asm__(".text\n.p2align 4\n.globl call_task\n.type call_task, @function\ncall_task:\n.cfi_startproc\n"
        " push %rbx\n push %r12\n sub $8, %rsp\n .cfi_adjust_cfa_offset 24\n"
        " mov %rdi, %rbx\n mov %rsi, %r12\n"
        EACH_VECTOR(LOAD_VECTOR) EACH_INTEGER(LOAD)
        " call task\n"
        EACH_INTEGER(STORE) EACH_VECTOR(STORE_VECTOR)
        " add $8, %rsp\n pop %r12\n pop %rbx\n .cfi_adjust_cfa_offset -24\n ret\n"
        ".cfi_endproc\n.size call_task, . - call_task\n");

int main(void)
{
    struct registers before, after;
    for (int n = 0; n < INTEGERS; n++)
        before.integer[n] = 0x1111111111111111 * (uint64_t)(n + 1);
    for (int n = 0; n < VECTORS; n++) {
        before.vector[n][0] = 0x100000001 * (uint64_t)n;
        before.vector[n][1] = ~before.vector[n][0];
    }
    call_task(&before, &after);
    for (int n = 0; n < INTEGERS; n++)
        CHECK(before.integer[n] == after.integer[n], "integer register %d: %lx", n, after.integer[n]);
    for (int n = 0; n < VECTORS; n++)
        CHECK(memcmp(before.vector[n], after.vector[n], sizeof before.vector[n]) == 0, "xmm%d", n);
    puts("all registers kept");
    return 0;
}
