/* Prints what functions of several result types return to their caller. */
#include "../check.h"

#define TASK __attribute__((noinline, noclone)) static

TASK int number(void)
{
    sleep_ms(5);
    return 5;
}

TASK long long_number(void)
{
    sleep_ms(5);
    return 5000000000L;
}

/* The argument is passed where the result is returned. */
TASK double real(double half)
{
    sleep_ms(5);
    return 2 * half;
}

TASK void *pointer(void)
{
    sleep_ms(5);
    return stdout;
}

TASK _Bool truth(void)
{
    sleep_ms(5);
    return 1;
}

int main(void)
{
    printf("number %d\n", number());
    printf("long_number %ld\n", long_number());
    printf("real %g\n", real(1.25));
    printf("pointer %s\n", pointer() ? "given" : "null");
    printf("truth %d\n", truth());
    return 0;
}
