/* See same_name_1.c. */
#include "../check.h"

void second_file(void);

__attribute__((noinline, noclone)) static void task(void)
{
    puts("second file's");
}

void second_file(void)
{
    task();
}
