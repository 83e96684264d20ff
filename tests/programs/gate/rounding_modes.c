/*
 * The floating-point environment belongs to a thread: rounding mode and exception flags (MXCSR and the x87
 * control word) are inherited from the creator and unaffected by what other threads set while this one sleeps.
 */
#include "../check.h"
#include <fenv.h>

enum { THREADS = 8, ROUNDS = 50 };
static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

static void *inherits(void *argument)
{
    CHECK(fegetround() == AS_INTEGER(argument), "mode %#x", fegetround());
    return NULL;
}

static void *body(void *argument)
{
    int mode = modes[AS_INTEGER(argument) % 4];
    volatile double one = 1, three = 3, tiny = 0x1p-1074;
    volatile long double long_one = 1, long_three = 3;
    CHECK(fesetround(mode) == 0, "fesetround");
    double quotient = one / three;
    long double long_quotient = long_one / long_three;
    feclearexcept(FE_ALL_EXCEPT);
    int raises = AS_INTEGER(argument) % 2;
    if (raises)
        (void)(volatile double){tiny / three};
    for (int round = 0; round < ROUNDS; round++) {
        usleep(200);
        CHECK(fegetround() == mode, "mode %#x became %#x", mode, fegetround());
        CHECK(!!fetestexcept(FE_UNDERFLOW) == raises, "underflow flag in thread %d", AS_INTEGER(argument));
        if (!raises)
            continue;
        CHECK(one / three == quotient && long_one / long_three == long_quotient, "quotients changed");
    }
    join(start(inherits, AS_POINTER(mode)));
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    CHECK(fegetround() == FE_TONEAREST, "main's mode %#x", fegetround());
    puts("each thread kept its rounding mode and flags");
    return 0;
}
