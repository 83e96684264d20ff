/*
 * Floating point registers belong to whoever computes: a thread with all eight x87 registers and vector registers in
 * use is interrupted by handlers that compute too, and by other threads taking their turn, and neither finds anything
 * of the other's. A handler begins with an empty x87 stack.
 */
#include "../check.h"
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

enum { THREADS = 2 };
static volatile int stop;
static volatile sig_atomic_t handled, wrong;

/* Uses all eight x87 registers; on a stack that is not empty the result is not a number. */
static __attribute__((noinline)) long double eight_registers(void)
{
    long double result;
    __asm__ volatile("fld1\nfld1\nfld1\nfld1\nfld1\nfld1\nfld1\nfld1\n"
                     "faddp\nfaddp\nfaddp\nfaddp\nfaddp\nfaddp\nfaddp\n"
                     : "=t"(result));
    return result;
}

static void handler(int number)
{
    (void)number;
    if (eight_registers() != 8.0L)
        wrong++;
    handled++;
}

/* Computes for a while with all registers loaded. */
static __attribute__((noinline)) long double loaded_loop(long turns)
{
    long double result;
    __asm__ volatile("fld1\nfld1\nfld1\nfld1\nfld1\nfld1\nfld1\nfld1\n"
                     "1: fadd %%st(1), %%st\nfsub %%st(1), %%st\ndec %1\njnz 1b\n"
                     "faddp\nfaddp\nfaddp\nfaddp\nfaddp\nfaddp\nfaddp\n"
                     : "=t"(result), "+r"(turns));
    return result;
}

static void *computes(void *argument)
{
    double vector = 1.5 * AS_INTEGER(argument);
    while (!stop) {
        CHECK(loaded_loop(2000000) == 8.0L, "thread %d", AS_INTEGER(argument));
        volatile double same = 1.5 * AS_INTEGER(argument);
        CHECK(vector == same, "a vector register");
    }
    return NULL;
}

static void *sleeps(void *argument)
{
    while (!stop) {
        CHECK(eight_registers() == 8.0L, "a thread found x87 registers in use");
        CHECK(fabsl(sqrtl(2.0L) - 1.41421356237309504880L) < 1e-18L, "sqrtl");
        usleep(1000);
    }
    return argument;
}

static void *yields(void *argument)
{
    while (!stop) {
        CHECK(eight_registers() == 8.0L, "a thread found x87 registers in use");
        sched_yield();
    }
    return argument;
}

int main(void)
{
    pthread_t threads[2 * THREADS];
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, 2000}, {0, 2000}};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0, "setitimer");
    for (int n = 0; n < 2 * THREADS; n++)
        threads[n] = start(n < THREADS ? computes : n % 2 ? sleeps : yields, AS_POINTER(n));
    for (int n = 0; n < 40; n++) {
        ZERO(pthread_kill(threads[n % (2 * THREADS)], SIGUSR1));
        usleep(5000);
    }
    CHECK(loaded_loop(20000000) == 8.0L, "main");
    stop = 1;
    for (int n = 0; n < 2 * THREADS; n++)
        join(threads[n]);
    CHECK(wrong == 0, "%d of %d handlers found registers in use", wrong, handled);
    CHECK(handled > 40, "%d handled", handled);
    puts("everyone's own");
    return 0;
}
