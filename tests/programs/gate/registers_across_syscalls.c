/*
 * Every register but rax, rcx and r11 comes back from a system call as it was, whatever other threads did
 * with theirs meanwhile: general registers, xmm, ymm and zmm, opmasks. Eight threads, each with its own
 * bit patterns, make blocking and non-blocking calls both by a `syscall` instruction of the program's own
 * and through libc's syscall(), whose wrapper leaves the xmm registers and the callee-saved ones alone.
 */
#include "../check.h"
#include <linux/futex.h>
#include <sys/syscall.h>

enum { THREADS = 8, ROUNDS = 60, GENERAL = 13, VECTORS = 32, VECTOR_BYTES = 64, MASKS = 8 };

/* rax rdi rsi rdx r10 r8 r9 rbx rbp r12 r13 r14 r15; then the vector registers; then k0-k7. */
struct registers {
    uint64_t general[GENERAL];
    uint64_t padding[3];
    uint8_t vector[VECTORS][VECTOR_BYTES];
    uint64_t mask[MASKS];
};

/* Loads IN into the registers, makes the call, stores what they hold into OUT. One for each vector width. */
void call_keeping_xmm(const struct registers *in, struct registers *out);
void call_keeping_ymm(const struct registers *in, struct registers *out);
void call_keeping_zmm(const struct registers *in, struct registers *out);
void libc_call_keeping_xmm(const struct registers *in, struct registers *out);

__asm__(
    ".macro each_of_16 operation, width\n"
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t\\operation \\width,\\n\n.endr\n.endm\n"
    ".macro each_of_upper operation, width\n"
    ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t\\operation \\width,\\n\n.endr\n.endm\n"
    ".macro load width, n\n"
    ".ifc \\width,xmm\n\tmovups 128+64*\\n(%rdi), %xmm\\n\n.endif\n"
    ".ifc \\width,ymm\n\tvmovups 128+64*\\n(%rdi), %ymm\\n\n.endif\n"
    ".ifc \\width,zmm\n\tvmovups 128+64*\\n(%rdi), %zmm\\n\n.endif\n.endm\n"
    ".macro store width, n\n"
    ".ifc \\width,xmm\n\tmovups %xmm\\n, 128+64*\\n(%rcx)\n.endif\n"
    ".ifc \\width,ymm\n\tvmovups %ymm\\n, 128+64*\\n(%rcx)\n.endif\n"
    ".ifc \\width,zmm\n\tvmovups %zmm\\n, 128+64*\\n(%rcx)\n.endif\n.endm\n"
    ".macro enter\n"
    "\tpush %rbx; .cfi_adjust_cfa_offset 8\n\tpush %rbp; .cfi_adjust_cfa_offset 8\n"
    "\tpush %r12; .cfi_adjust_cfa_offset 8\n\tpush %r13; .cfi_adjust_cfa_offset 8\n"
    "\tpush %r14; .cfi_adjust_cfa_offset 8\n\tpush %r15; .cfi_adjust_cfa_offset 8\n"
    "\tpush %rsi; .cfi_adjust_cfa_offset 8\n.endm\n"
    ".macro leave_function\n"
    "\tpop %rsi; .cfi_adjust_cfa_offset -8\n"
    "\tpop %r15; .cfi_adjust_cfa_offset -8\n\tpop %r14; .cfi_adjust_cfa_offset -8\n"
    "\tpop %r13; .cfi_adjust_cfa_offset -8\n\tpop %r12; .cfi_adjust_cfa_offset -8\n"
    "\tpop %rbp; .cfi_adjust_cfa_offset -8\n\tpop %rbx; .cfi_adjust_cfa_offset -8\n\tret\n.endm\n"
    ".macro load_general\n"
    "\tmov 16(%rdi), %rsi\n\tmov 24(%rdi), %rdx\n\tmov 32(%rdi), %r10\n\tmov 40(%rdi), %r8\n"
    "\tmov 48(%rdi), %r9\n\tmov 56(%rdi), %rbx\n\tmov 64(%rdi), %rbp\n\tmov 72(%rdi), %r12\n"
    "\tmov 80(%rdi), %r13\n\tmov 88(%rdi), %r14\n\tmov 96(%rdi), %r15\n\tmov 0(%rdi), %rax\n"
    "\tmov 8(%rdi), %rdi\n.endm\n"
    ".macro store_general\n"
    "\tmov %rax, 0(%rcx)\n\tmov %rdi, 8(%rcx)\n\tmov %rsi, 16(%rcx)\n\tmov %rdx, 24(%rcx)\n"
    "\tmov %r10, 32(%rcx)\n\tmov %r8, 40(%rcx)\n\tmov %r9, 48(%rcx)\n\tmov %rbx, 56(%rcx)\n"
    "\tmov %rbp, 64(%rcx)\n\tmov %r12, 72(%rcx)\n\tmov %r13, 80(%rcx)\n\tmov %r14, 88(%rcx)\n"
    "\tmov %r15, 96(%rcx)\n.endm\n"
    ".text\n"
    ".globl call_keeping_xmm\n.type call_keeping_xmm,@function\ncall_keeping_xmm:\n.cfi_startproc\n"
    "\tenter\n\teach_of_16 load, xmm\n\tload_general\n\tsyscall\n\tmov (%rsp), %rcx\n"
    "\tstore_general\n\teach_of_16 store, xmm\n\tleave_function\n"
    ".cfi_endproc\n.size call_keeping_xmm,.-call_keeping_xmm\n"
    ".globl call_keeping_ymm\n.type call_keeping_ymm,@function\ncall_keeping_ymm:\n.cfi_startproc\n"
    "\tenter\n\teach_of_16 load, ymm\n\tload_general\n\tsyscall\n\tmov (%rsp), %rcx\n"
    "\tstore_general\n\teach_of_16 store, ymm\n\tvzeroupper\n\tleave_function\n"
    ".cfi_endproc\n.size call_keeping_ymm,.-call_keeping_ymm\n"
    ".globl call_keeping_zmm\n.type call_keeping_zmm,@function\ncall_keeping_zmm:\n.cfi_startproc\n"
    "\tenter\n\teach_of_16 load, zmm\n\teach_of_upper load, zmm\n"
    "\t.irp n,0,1,2,3,4,5,6,7\n\tkmovq 2176+8*\\n(%rdi), %k\\n\n.endr\n"
    "\tload_general\n\tsyscall\n\tmov (%rsp), %rcx\n"
    "\tstore_general\n\teach_of_16 store, zmm\n\teach_of_upper store, zmm\n"
    "\t.irp n,0,1,2,3,4,5,6,7\n\tkmovq %k\\n, 2176+8*\\n(%rcx)\n.endr\n"
    "\tvzeroupper\n\tleave_function\n"
    ".cfi_endproc\n.size call_keeping_zmm,.-call_keeping_zmm\n"
    /* libc's syscall(number, a, b, c, d, e, f): the number in rdi, the sixth argument on the stack. */
    ".globl libc_call_keeping_xmm\n.type libc_call_keeping_xmm,@function\nlibc_call_keeping_xmm:\n.cfi_startproc\n"
    "\tenter\n\teach_of_16 load, xmm\n"
    "\tsub $8, %rsp; .cfi_adjust_cfa_offset 8\n\tpush 48(%rdi); .cfi_adjust_cfa_offset 8\n"
    "\tmov 16(%rdi), %rdx\n\tmov 24(%rdi), %rcx\n\tmov 32(%rdi), %r8\n\tmov 40(%rdi), %r9\n"
    "\tmov 56(%rdi), %rbx\n\tmov 64(%rdi), %rbp\n\tmov 72(%rdi), %r12\n"
    "\tmov 80(%rdi), %r13\n\tmov 88(%rdi), %r14\n\tmov 96(%rdi), %r15\n"
    "\tmov 8(%rdi), %rsi\n\tmov 0(%rdi), %rdi\n\tcall syscall@PLT\n"
    "\tadd $16, %rsp; .cfi_adjust_cfa_offset -16\n\tmov (%rsp), %rcx\n"
    "\tstore_general\n\teach_of_16 store, xmm\n\tleave_function\n"
    ".cfi_endproc\n.size libc_call_keeping_xmm,.-libc_call_keeping_xmm\n");

static int vector_bytes = 16;

/* What the processor and the kernel offer: 16, 32 or 64 bytes a vector register. */
static int widest_vector(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512bw"))
        return 64;
    return __builtin_cpu_supports("avx") ? 32 : 16;
}

static uint64_t pattern(uint64_t *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return *state ^ (*state >> 29);
}

static void fill(struct registers *registers, uint64_t *state)
{
    for (int n = 7; n < GENERAL; n++)
        registers->general[n] = pattern(state);
    for (int n = 0; n < VECTORS; n++)
        for (int byte = 0; byte < VECTOR_BYTES; byte++)
            registers->vector[n][byte] = (uint8_t)(pattern(state) >> 32);
    for (int n = 0; n < MASKS; n++)
        registers->mask[n] = pattern(state);
}

static void compare(const struct registers *in, const struct registers *out, int first_general, int width,
                    const char *call)
{
    static const char *const names[] = {"rax", "rdi", "rsi", "rdx", "r10", "r8", "r9",
                                        "rbx", "rbp", "r12", "r13", "r14", "r15"};
    for (int n = first_general; n < GENERAL; n++)
        CHECK(in->general[n] == out->general[n], "%s after %s: %#lx became %#lx", names[n], call,
              in->general[n], out->general[n]);
    for (int n = 0; n < (width == 64 ? 32 : 16); n++)
        CHECK(memcmp(in->vector[n], out->vector[n], (size_t)width) == 0, "vector register %d (%d bytes) after %s",
              n, width, call);
    if (width == 64)
        for (int n = 0; n < MASKS; n++)
            CHECK(in->mask[n] == out->mask[n], "k%d after %s", n, call);
}

static void *body(void *argument)
{
    uint64_t state = (uint64_t)AS_INTEGER(argument) * 0x9e3779b97f4a7c15ULL + 1;
    struct registers in, out;
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec pause = {0, 100000 + 10000 * AS_INTEGER(argument)};
        struct timespec limit = {0, 200000};
        int word = 7;
        const struct {
            const char *name;
            uint64_t number, arguments[6];
            int64_t result;
        } calls[] = {
            {"clock_nanosleep", SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0, (uint64_t)&pause, 0, 11, 12}, 0},
            {"nanosleep", SYS_nanosleep, {(uint64_t)&pause, 0, 21, 22, 23, 24}, 0},
            {"sched_yield", SYS_sched_yield, {31, 32, 33, 34, 35, 36}, 0},
            {"futex that does not match", SYS_futex, {(uint64_t)&word, FUTEX_WAIT_PRIVATE, 8, 0, 41, 42}, -EAGAIN},
            {"futex that times out", SYS_futex, {(uint64_t)&word, FUTEX_WAIT_PRIVATE, 7, (uint64_t)&limit, 51, 52}, -ETIMEDOUT},
            {"getppid", SYS_getppid, {61, 62, 63, 64, 65, 66}, getppid()},
            {"no such call", 100000, {71, 72, 73, 74, 75, 76}, -ENOSYS},
        };
        for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
            fill(&in, &state);
            in.general[0] = calls[n].number;
            memcpy(&in.general[1], calls[n].arguments, sizeof calls[n].arguments);
            for (int width = 16; width <= vector_bytes; width *= 2) {
                (width == 16 ? call_keeping_xmm : width == 32 ? call_keeping_ymm : call_keeping_zmm)(&in, &out);
                CHECK((int64_t)out.general[0] == calls[n].result, "%s gave %ld", calls[n].name, (long)out.general[0]);
                compare(&in, &out, 1, width, calls[n].name);
            }
            libc_call_keeping_xmm(&in, &out);
            int64_t expected = calls[n].result < 0 ? -1 : calls[n].result;
            CHECK((int64_t)out.general[0] == expected, "syscall() of %s gave %ld", calls[n].name, (long)out.general[0]);
            compare(&in, &out, 7, 16, calls[n].name);
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    vector_bytes = widest_vector();
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    printf("%d threads, %d rounds: every register came back, vectors of %d bytes included\n", THREADS, ROUNDS,
           vector_bytes);
    return 0;
}
