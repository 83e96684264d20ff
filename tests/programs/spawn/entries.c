/*
 * Functions whose first bytes are awkward to move, written in assembly so that they stay as they are. The
 * first argument names the function, which is called twice.
 */
#include "../check.h"

__attribute__((used)) static int offset = 40;

__attribute__((used)) static void work(int item)
{
    printf("%d starts\n", item);
    sleep_ms(20);
    printf("%d finishes\n", item);
}

#define FUNCTION(name, ...)                                                                                  \
    void name(int item);                                                                                     \
    __asm__(".text\n.p2align 4\n.globl " #name "\n.type " #name ", @function\n" #name ":\n.cfi_startproc\n" \
            __VA_ARGS__ "\n.cfi_endproc\n.size " #name ", . - " #name "\n")

FUNCTION(with_endbr, "endbr64\n push %rbx\n .cfi_def_cfa_offset 16\n call work\n pop %rbx\n .cfi_def_cfa_offset 8\n ret");
FUNCTION(rip_relative, "add offset(%rip), %edi\n sub $8, %rsp\n .cfi_def_cfa_offset 16\n call work\n add $8, %rsp\n"
                       " .cfi_def_cfa_offset 8\n ret");
/* Adds 7 until the sum is a multiple of 8, in a loop back to the first instruction. */
FUNCTION(loop_to_entry, "add $7, %edi\n test $7, %edi\n jnz loop_to_entry\n jmp work");
/* Calls itself at first, until the argument is below 10. */
FUNCTION(recursive, "cmp $10, %edi\n jb 1f\n sub $10, %edi\n sub $8, %rsp\n .cfi_def_cfa_offset 16\n call recursive\n"
                    " add $8, %rsp\n .cfi_def_cfa_offset 8\n ret\n 1: jmp work");
FUNCTION(call_in_prologue, "push %rdi\n .cfi_def_cfa_offset 16\n call work\n pop %rdi\n .cfi_def_cfa_offset 8\n ret");
FUNCTION(call_first, "call 1f\n ret\n 1: .cfi_def_cfa_offset 16\n call work\n ret");
/* Takes its own address from the stack, as position-independent code for 32 bits does. */
FUNCTION(call_for_address, "call 1f\n 1: pop %rax\n lea offset - 1b(%rax), %rax\n add (%rax), %edi\n jmp work");
FUNCTION(short_jump, "test %edi, %edi\n jz 1f\n sub $8, %rsp\n .cfi_def_cfa_offset 16\n call work\n add $8, %rsp\n"
                     " .cfi_def_cfa_offset 8\n 1: ret");
FUNCTION(tail_jump, "jmp work");
/* Shorter than the jump that is to replace it, with padding behind. */
FUNCTION(two_bytes, ".byte 0xeb, work_follows - . - 1");
FUNCTION(work_follows, "jmp work");
/* Shorter than the jump, and the next function follows at once. */
__asm__(".text\n.globl lone_return\n.type lone_return, @function\nlone_return: ret\n.size lone_return, 1\n"
        ".globl neighbour\n.type neighbour, @function\nneighbour: jmp work\n.size neighbour, . - neighbour\n");
void lone_return(int item);
void neighbour(int item);

/* Reached by a tail call, and through a pointer, only. */
__attribute__((noinline, noclone)) static void target(int item)
{
    work(item);
    __asm__ volatile("");
}
__attribute__((noinline)) static void tail_call(int item)
{
    target(item + 60);
}
static void (*volatile pointer)(int) = target;
__attribute__((noinline)) static void through_pointer(int item)
{
    pointer(item);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*call)(int);
    } functions[] = {
        {"with_endbr", with_endbr},
        {"rip_relative", rip_relative},
        {"loop_to_entry", loop_to_entry},
        {"recursive", recursive},
        {"call_in_prologue", call_in_prologue},
        {"call_first", call_first},
        {"call_for_address", call_for_address},
        {"short_jump", short_jump},
        {"tail_jump", tail_jump},
        {"two_bytes", two_bytes},
        {"neighbour", neighbour},
        {"lone_return", lone_return},
        {"tail_call", tail_call},
        {"through_pointer", through_pointer},
    };
    CHECK(count == 2, "%d arguments", count);
    for (size_t n = 0; n < sizeof functions / sizeof *functions; n++) {
        if (strcmp(functions[n].name, arguments[1]) == 0) {
            functions[n].call(11);
            functions[n].call(12);
            return 0;
        }
    }
    return 2;
}
