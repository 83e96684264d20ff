/*
 * Every way in which arguments are passed: integer and vector registers, the stack, both mixed, a variable
 * number of them, structures by value. Each call waits before it looks at them, and a second call with others
 * follows at once.
 */
#include "../check.h"
#include <stdarg.h>

#define TASK __attribute__((noinline, noclone)) static void

struct large {
    long words[12];
    char text[64];
};

TASK six_integers(char a, short b, int c, long d, unsigned char e, const char *f)
{
    sleep_ms(5);
    printf("six integers: %d %d %d %ld %u %s\n", a, b, c, d, e, f);
}

TASK ten_integers(long a, long b, long c, long d, long e, long f, long g, int h, long i, const char *j)
{
    sleep_ms(5);
    printf("ten integers: %ld %ld %ld %ld %ld %ld %ld %d %ld %s\n", a, b, c, d, e, f, g, h, i, j);
}

TASK eight_doubles(double a, double b, double c, double d, double e, double f, double g, double h)
{
    sleep_ms(5);
    printf("eight doubles: %g %g %g %g %g %g %g %g\n", a, b, c, d, e, f, g, h);
}

TASK mixed(float a, int b, double c, const char *d, float e, long f, double g, double h, float i, float j, double k,
           double l, long double m, int n)
{
    sleep_ms(5);
    printf("mixed: %g %d %g %s %g %ld %g %g %g %g %g %g %Lg %d\n", a, b, c, d, e, f, g, h, i, j, k, l, m, n);
}

TASK variable(const char *format, ...)
{
    va_list list;
    sleep_ms(5);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
}

TASK structure(int before, struct large value, double after)
{
    sleep_ms(5);
    long sum = 0;
    for (int n = 0; n < 12; n++)
        sum += value.words[n];
    printf("structure: %d %ld %s %g\n", before, sum, value.text, after);
}

TASK vector(__int128 wide, float __attribute__((vector_size(16))) four)
{
    sleep_ms(5);
    printf("vector: %llx %llx %g %g %g %g\n", (unsigned long long)(wide >> 64), (unsigned long long)wide, four[0], four[1],
           four[2], four[3]);
}

/* 31 words lie on the stack: 248 of the 256 bytes that are passed on. */
#define WORDS_8(x) long x##0, long x##1, long x##2, long x##3, long x##4, long x##5, long x##6, long x##7
#define SUM_8(x) (x##0 + x##1 + x##2 + x##3 + x##4 + x##5 + x##6 + x##7)
TASK full_stack(long a, long b, long c, long d, long e, long f, WORDS_8(g), WORDS_8(h), WORDS_8(i), long j, long k, long l,
                long m, long n, long o, long last)
{
    sleep_ms(5);
    printf("full stack: %ld %ld\n",
           a + b + c + d + e + f + SUM_8(g) + SUM_8(h) + SUM_8(i) + j + k + l + m + n + o, last);
}

int main(void)
{
    for (int n = 1; n <= 2; n++) {
        struct large value = {{n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "text by value"};
        float __attribute__((vector_size(16))) four = {n, 2, 3, 4};
        six_integers(-n, -200, -300000, -4000000000L, 250, n == 1 ? "first" : "second");
        ten_integers(n, 2, 3, 4, 5, 6, 7 * n, -8, 9, n == 1 ? "first" : "second");
        eight_doubles(n, 2.5, 3, 4, -5, 6, 7, 8.25 * n);
        mixed(1.5f, n, 2.5, "string", 3.5f, -4L, 5.5, 6.5, 7.5f, 8.5f, 9.5, 10.5, 11.5L, 12 * n);
        variable("variable: %d %s %g %ld %g %d %g %d %g %s\n", n, "two", 3.5, 4L, 5.5, 6, 7.5, 8, 9.5, "ten");
        variable("variable without doubles: %d %d\n", n, 2);
        structure(n, value, 0.5 * n);
        vector(((__int128)n << 64) + 5, four);
        full_stack(n, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8,
                   1, 2, 3, 4, 5, 6, -n);
    }
    return 0;
}
