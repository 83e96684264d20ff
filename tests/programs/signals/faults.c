/*
 * Signals that instructions raise come to the thread whose instruction it was, with its registers, on its alternate
 * stack: an address put right in a register, a page made accessible, an instruction stepped over, and execution goes
 * on; or a jump out of the handler. Many threads fault at once, between waits, and a blocked fault ends the process.
 */
#include "../check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>

enum { THREADS = 8, ROUNDS = 50, STACK = 64 << 10 };

static __thread char *own_stack;
static __thread volatile int count;
static __thread long target = 7;
static __thread sigjmp_buf out;
static long page_size;

static void on_own_stack(const siginfo_t *info, const ucontext_t *context)
{
    char here;
    CHECK(&here >= own_stack && &here < own_stack + STACK, "signal %d on another stack", info->si_signo);
    CHECK(context->uc_stack.ss_sp == own_stack, "another's alternate stack");
    CHECK(info->si_code > 0, "code %d", info->si_code);
    count++;
}

static void puts_right(int number, siginfo_t *info, void *argument)
{
    ucontext_t *context = argument;
    on_own_stack(info, context);
    CHECK(number == SIGSEGV && info->si_addr == (void *)8, "address %p", info->si_addr);
    CHECK(context->uc_mcontext.gregs[REG_RBX] == 8, "rbx");
    CHECK(context->uc_mcontext.gregs[REG_TRAPNO] == 14 && context->uc_mcontext.gregs[REG_CR2] == 8, "trap");
    context->uc_mcontext.gregs[REG_RBX] = (greg_t)&target;
}

static void makes_accessible(int number, siginfo_t *info, void *argument)
{
    (void)number;
    on_own_stack(info, argument);
    usleep(100);
    CHECK(info->si_code == SEGV_ACCERR, "code %d", info->si_code);
    void *page = (void *)((uintptr_t)info->si_addr & ~(uintptr_t)(page_size - 1));
    CHECK(mprotect(page, page_size, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

static void steps_over(int number, siginfo_t *info, void *argument)
{
    ucontext_t *context = argument;
    on_own_stack(info, context);
    if (number != SIGTRAP)
        context->uc_mcontext.gregs[REG_RIP] += 2;
}

static void leaves(int number, siginfo_t *info, void *argument)
{
    on_own_stack(info, argument);
    siglongjmp(out, number);
}

static void install(int number, void (*function)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = function, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK(sigaction(number, &action, NULL) == 0, "sigaction");
}

static void fault_wrong_address(void)
{
    long value;
    __asm__ volatile("mov $8, %%rbx\nmov (%%rbx), %0" : "=r"(value) : : "rbx", "memory");
    CHECK(value == target, "read %ld", value);
}

static void fault_protected(void)
{
    volatile char *page = mmap(NULL, page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[5] = 1;
    CHECK(page[5] == 1, "the page");
    munmap((void *)page, page_size);
}

static void fault_illegal(void) { __asm__ volatile("ud2"); }
static void fault_trap(void) { __asm__ volatile("int3"); }

static void fault_division(void)
{
    if (sigsetjmp(out, 1) == 0) {
        __asm__ volatile("xor %%ecx, %%ecx\nmov $1, %%eax\ncdq\nidiv %%ecx" : : : "eax", "ecx", "edx");
        CHECK(0, "divided by zero");
    }
}

static void fault_beyond_file(void)
{
    FILE *file = tmpfile();
    volatile char *page = mmap(NULL, page_size, PROT_READ, MAP_SHARED, fileno(file), 0);
    if (sigsetjmp(out, 1) == 0) {
        (void)page[0];
        CHECK(0, "read beyond the file's end");
    }
    munmap((void *)page, page_size);
    fclose(file);
}

static void (*volatile current)(void);

static void *body(void *argument)
{
    own_stack = malloc(STACK);
    stack_t stack = {.ss_sp = own_stack, .ss_size = STACK};
    CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    target = AS_INTEGER(argument) + 100;
    for (int round = 0; round < ROUNDS; round++) {
        current();
        CHECK(count == round + 1, "%d faults in round %d", count, round);
        if (round % 8 == 0)
            usleep(200);
        else if (round % 3 == 0)
            sched_yield();
    }
    int faults = count;
    count = 0;
    stack.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    free(own_stack);
    return AS_POINTER(faults);
}

static void try(const char *name, int number, void (*fault)(void), void (*handler)(int, siginfo_t *, void *))
{
    pthread_t threads[THREADS];
    int sum = 0;
    install(number, handler);
    current = fault;
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        sum += AS_INTEGER(join(threads[n]));
    printf("%s: %d faults\n", name, sum);
}

/* A child in whose thread a fault is blocked, or ignored, dies of it. */
static void *blocks_and_faults(void *argument)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    if (argument != NULL)
        signal(SIGSEGV, SIG_IGN);
    else
        ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    *(volatile int *)8 = 1;
    return NULL;
}

static void dies(const char *name, void *argument)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        join(start(blocks_and_faults, argument));
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child, "waitpid");
    printf("%s: %s\n", name, WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? "died of it" : "did not die");
}

int main(void)
{
    page_size = sysconf(_SC_PAGESIZE);
    try("a register put right", SIGSEGV, fault_wrong_address, puts_right);
    try("a page made accessible", SIGSEGV, fault_protected, makes_accessible);
    try("an illegal instruction stepped over", SIGILL, fault_illegal, steps_over);
    try("a breakpoint", SIGTRAP, fault_trap, steps_over);
    try("a division left", SIGFPE, fault_division, leaves);
    try("a file's end left", SIGBUS, fault_beyond_file, leaves);
    dies("blocked", NULL);
    dies("ignored", &page_size);
    return 0;
}
