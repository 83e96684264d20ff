/* With same_name_2.c: two static functions of one name, and one that is inlined everywhere. */
#include "../check.h"

void second_file(void);

__attribute__((noinline, noclone)) static void task(void)
{
    puts("first file's");
}

static inline __attribute__((always_inline)) void inlined_task(void)
{
    sleep_ms(1);
}

int main(void)
{
    inlined_task();
    task();
    second_file();
    return 0;
}
