/*
 * Each thread has an alternate stack of its own: sigaltstack tells of it, handlers with SA_ONSTACK run on it and those
 * without do not, nested ones go on where they are. While a thread is on it it cannot be changed (EPERM) and is reported
 * as in use; SS_AUTODISARM takes it away for the time of the handler and gives it back; what a handler on the ordinary
 * stack sets is undone when it returns. Wrong flags and small stacks are refused.
 */
#include "../check.h"
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

enum { SIZE = 64 << 10, THREADS = 3 };

static __thread char *own;
static __thread volatile int depth, deepest, on_stack, told_flags;
static sem_t ready, go;

static int is_on_alternate(void)
{
    char here;
    return own != NULL && &here >= own && &here < own + SIZE;
}

static void handler(int number, siginfo_t *info, void *argument)
{
    ucontext_t *context = argument;
    stack_t now;
    (void)info;
    depth++;
    on_stack += is_on_alternate();
    CHECK(sigaltstack(NULL, &now) == 0, "sigaltstack");
    told_flags = now.ss_flags;
    if (own != NULL)
        CHECK(context->uc_stack.ss_sp == own && context->uc_stack.ss_size == SIZE, "uc_stack");
    if (is_on_alternate()) {
        stack_t other = {.ss_sp = own, .ss_size = SIZE};
        FAILS(EPERM, sigaltstack(&other, NULL));
    }
    if (number == SIGUSR1 && depth < 4)
        raise(SIGUSR1);
    if (depth > deepest)
        deepest = depth;
    depth--;
}

static void disarmed(int number, siginfo_t *info, void *argument)
{
    ucontext_t *context = argument;
    stack_t now;
    (void)number;
    (void)info;
    CHECK(is_on_alternate(), "not on the alternate stack");
    CHECK(context->uc_stack.ss_sp == own && (context->uc_stack.ss_flags & (int)SS_AUTODISARM), "uc_stack");
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE, "flags %#x", now.ss_flags);
    /* Allowed now, and undone on return. */
    stack_t other = {.ss_sp = own, .ss_size = SIZE / 2};
    CHECK(sigaltstack(&other, NULL) == 0, "sigaltstack");
}

static void sets_stack(int number)
{
    (void)number;
    stack_t other = {.ss_flags = SS_DISABLE};
    CHECK(sigaltstack(&other, NULL) == 0, "sigaltstack");
    CHECK(sigaltstack(NULL, &other) == 0 && other.ss_flags == SS_DISABLE, "not disabled");
}

static sigjmp_buf out;

static void leaves(int number)
{
    (void)number;
    CHECK(is_on_alternate(), "not on the alternate stack");
    siglongjmp(out, 1);
}

static void install(int number, void (*function)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = function, .sa_flags = SA_SIGINFO | SA_NODEFER | flags};
    CHECK(sigaction(number, &action, NULL) == 0, "sigaction");
}

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    stack_t now, stack = {.ss_sp = malloc(SIZE), .ss_size = SIZE};
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE && now.ss_size == 0, "inherited a stack");
    if (me > 0) {
        own = stack.ss_sp;
        CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    }
    sem_post(&ready);
    while (sem_wait(&go) != 0) {
    }
    raise(SIGUSR1);
    CHECK(deepest == 4 && on_stack == (me > 0 ? 4 : 0), "thread %d: depth %d, on the stack %d", me, deepest, on_stack);
    CHECK(told_flags == (me > 0 ? SS_ONSTACK : SS_DISABLE), "flags %#x", told_flags);
    raise(SIGUSR2);
    CHECK(on_stack == (me > 0 ? 4 : 0) && told_flags == (me > 0 ? 0 : SS_DISABLE), "thread %d: flags %d", me, told_flags);
    free(stack.ss_sp);
    return NULL;
}

static void *special_cases(void *argument)
{
    (void)argument;
    stack_t now, stack = {.ss_sp = malloc(SIZE), .ss_size = SIZE};
    own = stack.ss_sp;
    stack.ss_flags = 0x40;
    FAILS(EINVAL, sigaltstack(&stack, NULL));
    stack.ss_flags = 0;
    stack.ss_size = 1000;
    FAILS(ENOMEM, sigaltstack(&stack, NULL));
    stack.ss_size = SIZE;
    stack.ss_flags = SS_ONSTACK;
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaltstack(NULL, &now) == 0 && now.ss_flags == 0, "flags %#x", now.ss_flags);
    puts("wrong ones refused");

    stack.ss_flags = (int)SS_AUTODISARM;
    CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == (int)SS_AUTODISARM, "flags %#x", now.ss_flags);
    install(SIGUSR1, disarmed, SA_ONSTACK);
    for (int round = 0; round < 3; round++) {
        raise(SIGUSR1);
        CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == (int)SS_AUTODISARM && now.ss_size == SIZE, "not back");
    }
    puts("disarmed and armed again");

    stack.ss_flags = 0;
    CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    struct sigaction action = {.sa_handler = sets_stack};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    raise(SIGUSR1);
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == own && now.ss_flags == 0, "flags %#x", now.ss_flags);
    puts("what a handler sets is undone");

    action.sa_handler = leaves;
    action.sa_flags = SA_ONSTACK;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    for (volatile int round = 0; round < 3; round++)
        if (sigsetjmp(out, 1) == 0)
            raise(SIGUSR1);
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == 0, "still in use after a jump");
    stack.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaltstack(NULL, &now) == 0 && now.ss_size == 0, "not disabled");
    puts("free after a jump");
    free(own);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    sem_init(&ready, 0, 0);
    sem_init(&go, 0, 0);
    install(SIGUSR1, handler, SA_ONSTACK);
    install(SIGUSR2, handler, 0);
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        while (sem_wait(&ready) != 0) {
        }
    /* Asleep, their handlers run on the same stacks. */
    for (int n = 0; n < THREADS; n++)
        ZERO(pthread_kill(threads[n], SIGWINCH));
    for (int n = 0; n < THREADS; n++)
        sem_post(&go);
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    puts("one each");
    join(start(special_cases, NULL));
    return 0;
}
