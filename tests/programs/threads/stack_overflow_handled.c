/*
 * A program's own SIGSEGV handler on an alternate stack sees a stack overflow in its thread: the fault's address
 * lies in that thread's guard, the handler can jump out, and the thread, and the others, go on. Each thread has
 * its own alternate stack.
 */
#include "../check.h"
#include <setjmp.h>
#include <signal.h>

static _Thread_local sigjmp_buf back;
static _Thread_local char *guard_low, *guard_high;
static _Thread_local int caught;

static void handler(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    char *address = info->si_addr;
    if (address < guard_low - 4096 || address >= guard_high + 4096)
        _exit(3);
    caught++;
    siglongjmp(back, 1);
}

/* Frames smaller than a guard page, and not inlined into one another, so that none steps over the guard. */
static __attribute__((noinline)) long recurse(long depth)
{
    volatile char block[600];
    if (depth < 0)
        return 0;
    memset((char *)block, (int)depth, sizeof block);
    return recurse(depth + 1) + block[depth % 600];
}

static _Thread_local char alternate[65536];

static void find_guard(void)
{
    pthread_attr_t attributes;
    void *low;
    size_t size, guard;
    ZERO(pthread_getattr_np(pthread_self(), &attributes));
    ZERO(pthread_attr_getstack(&attributes, &low, &size));
    ZERO(pthread_attr_getguardsize(&attributes, &guard));
    pthread_attr_destroy(&attributes);
    guard_low = (char *)low - guard;
    guard_high = (char *)low + guard;
}

static void *body(void *argument)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    find_guard();
    for (volatile int round = 0; round < 3; round++) {
        if (sigsetjmp(back, 1) == 0)
            recurse(0);
        usleep(300);
        stack_t now;
        CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == alternate, "another's alternate stack: %p", now.ss_sp);
    }
    CHECK(caught == 3, "caught %d", caught);
    return argument;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    pthread_t threads[4];
    for (int n = 0; n < 4; n++)
        threads[n] = start(body, NULL);
    for (int n = 0; n < 4; n++)
        join(threads[n]);
    puts("each thread's overflow reached its own handler three times");
    return 0;
}
