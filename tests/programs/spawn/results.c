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

TASK double real(void)
{
    sleep_ms(5);
    return 2.5;
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
    printf("real %g\n", real());
    printf("pointer %s\n", pointer() ? "given" : "null");
    printf("truth %d\n", truth());
    return 0;
}
