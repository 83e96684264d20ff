/*
 * What a handler finds in its third argument, and what becomes of what it writes there, when it interrupts a call that
 * waits: the instruction pointer is behind the system call that fails, or at the one that is made again; registers,
 * mask and alternate stack are the interrupted thread's; changed registers and a changed mask are in force once the
 * handler has returned. The handler begins with default floating point settings, the interrupted code gets its own
 * back, and no vector register is lost. Each thing is seen by a thread that waits, by one that computes, and by main.
 */
#include "../check.h"
#include <fcntl.h>
#include <fenv.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

extern char at_call[], behind_call[];

/* A system call of the program's own, between two labels. */
static __attribute__((noinline)) long labelled_call(long number, long first, long second, long third)
{
    long result;
    __asm__ volatile(".globl at_call\n.globl behind_call\nmov %1, %%rax\nat_call: syscall\nbehind_call: nop\nnop\nnop\n"
                     : "=&a"(result)
                     : "r"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
}

static sem_t ready;
static volatile sig_atomic_t handled, seen_sum;
static volatile long seen_rip, seen_rax, seen_rdi;
static volatile int seen_blocked, seen_round, seen_quiet, give_result, block_more;
static volatile size_t seen_stack;
static int ends[2];

static void handler(int number, siginfo_t *info, void *argument)
{
    ucontext_t *context = argument;
    greg_t *registers = context->uc_mcontext.gregs;
    seen_rip = registers[REG_RIP];
    seen_rax = registers[REG_RAX];
    seen_rdi = registers[REG_RDI];
    seen_blocked = sigismember(&context->uc_sigmask, SIGUSR2) * 10 + sigismember(&context->uc_sigmask, number);
    seen_stack = context->uc_stack.ss_size;
    seen_round = fegetround();
    seen_quiet = fetestexcept(FE_ALL_EXCEPT) == 0;
    CHECK(info->si_signo == number && info->si_code == SI_TKILL && info->si_pid == getpid(), "siginfo");
    if (give_result)
        registers[REG_RAX] = 4711;
    if (block_more)
        sigaddset(&context->uc_sigmask, SIGWINCH);
    fesetround(FE_DOWNWARD);
    feraiseexcept(FE_DIVBYZERO);
    handled++;
}

static int blocked(int number)
{
    sigset_t mask;
    ZERO(pthread_sigmask(SIG_BLOCK, NULL, &mask));
    return sigismember(&mask, number);
}

static const char *place(void)
{
    return seen_rip == (long)at_call ? "at the call" : seen_rip == (long)behind_call ? "behind the call" : "elsewhere";
}

static void install(int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    handled = 0;
}

struct call {
    long number, first, second, third, result;
};

static void *makes_call(void *argument)
{
    struct call *call = argument;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    stack_t stack = {.ss_sp = malloc(20000), .ss_size = 20000};
    CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    fesetround(FE_UPWARD);
    sem_post(&ready);
    call->result = labelled_call(call->number, call->first, call->second, call->third);
    CHECK(fegetround() == FE_UPWARD, "the rounding mode is %d", fegetround());
    CHECK(fetestexcept(FE_DIVBYZERO) == 0, "the handler's floating point flags are left");
    printf("signal mask %d%d%d; ", blocked(SIGUSR1), blocked(SIGUSR2), blocked(SIGWINCH));
    free(stack.ss_sp);
    return NULL;
}

/* Interrupts a thread in CALL, which goes on by itself or because of a byte in the pipe. */
static void interrupt(const char *name, struct call call, int flags)
{
    install(flags);
    pthread_t thread = start(makes_call, &call);
    while (sem_wait(&ready) != 0) {
    }
    sleep_ms(30);
    ZERO(pthread_kill(thread, SIGUSR1));
    while (!handled)
        usleep(1000);
    printf("%s: ", name);
    sleep_ms(10);
    if (flags & SA_RESTART)
        CHECK(write(ends[1], "x", 1) == 1, "write");
    join(thread);
    printf("%s, rax %ld%s, blocked %02d, stack %zu, ", place(), seen_rax, seen_rdi == call.first ? "" : ", other rdi",
           seen_blocked, seen_stack);
    printf("rounds %s, %s; result %ld\n", seen_round == FE_TONEAREST ? "to nearest" : "otherwise",
           seen_quiet ? "no flags" : "flags", call.result);
}

static void *computes(void *argument)
{
    volatile int *stop = argument;
    fesetround(FE_TOWARDZERO);
    sem_post(&ready);
    register long sum __asm__("r12") = 12;
    while (!*stop)
        __asm__ volatile("" : "+r"(sum));
    CHECK(sum == 12 && fegetround() == FE_TOWARDZERO, "rounding mode %d", fegetround());
    return NULL;
}

/* Four numbers that stay in a wide register while a call is interrupted. */
static __attribute__((target("avx"), noinline)) int wide_register_survives(const struct timespec *time)
{
    static const double numbers[4] = {1, 2, 3, 4};
    double after[4];
    long result;
    __asm__ volatile("vmovupd %3, %%ymm9\nmov %2, %%eax\nxor %%esi, %%esi\nsyscall\nvmovupd %%ymm9, %1\nvzeroupper\n"
                     : "=&a"(result), "=m"(after)
                     : "i"(SYS_nanosleep), "m"(numbers), "D"(time)
                     : "rcx", "r11", "rsi", "memory", "xmm9");
    CHECK(result == -EINTR, "nanosleep gave %ld", result);
    return memcmp(numbers, after, sizeof after) == 0;
}

static void *keeps_wide_register(void *argument)
{
    struct timespec time = {60, 0};
    sem_post(&ready);
    *(int *)argument = wide_register_survives(&time);
    return NULL;
}

int main(void)
{
    struct timespec long_time = {60, 0};
    static char byte;
    sem_init(&ready, 0, 0);
    CHECK(pipe(ends) == 0, "pipe");
    struct call sleep_call = {SYS_nanosleep, (long)&long_time, 0, 0, 0};
    struct call read_call = {SYS_read, ends[0], (long)&byte, 1, 0};
    interrupt("nanosleep", sleep_call, 0);
    interrupt("read", read_call, 0);
    interrupt("read, made again", read_call, SA_RESTART);
    give_result = 1;
    interrupt("nanosleep with a result of the handler's", sleep_call, 0);
    give_result = 0;
    block_more = 1;
    interrupt("nanosleep, more blocked afterwards", sleep_call, 0);
    block_more = 0;

    install(0);
    volatile int stop = 0;
    pthread_t thread = start(computes, (void *)&stop);
    while (sem_wait(&ready) != 0) {
    }
    sleep_ms(10);
    ZERO(pthread_kill(thread, SIGUSR1));
    while (!handled)
        usleep(1000);
    stop = 1;
    join(thread);
    printf("a computing thread: rounds %s\n", seen_round == FE_TONEAREST ? "to nearest" : "otherwise");

    install(0);
    fesetround(FE_UPWARD);
    raise(SIGUSR1);
    CHECK(fegetround() == FE_UPWARD, "main's rounding mode %d", fegetround());
    printf("main: rounds %s, %s\n", seen_round == FE_TONEAREST ? "to nearest" : "otherwise", place());

    if (__builtin_cpu_supports("avx")) {
        int survives = 0;
        thread = start(keeps_wide_register, &survives);
        while (sem_wait(&ready) != 0) {
        }
        sleep_ms(30);
        ZERO(pthread_kill(thread, SIGUSR1));
        join(thread);
        CHECK(survives, "the upper half of a register is lost");
    }
    puts("wide registers survive");
    return 0;
}
