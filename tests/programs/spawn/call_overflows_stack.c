/* A call that needs 4 MiB of stack: little natively, too much for a smaller one. */
#include "../check.h"

__attribute__((noinline, noclone)) static int deep(int pages)
{
    volatile char page[4096];
    page[0] = (char)pages;
    return pages == 0 ? 0 : deep(pages - 1) + (page[0] == (char)pages);
}

__attribute__((noinline, noclone)) static void task(void)
{
    printf("%d\n", deep(1000));
}

int main(void)
{
    task();
    return 0;
}
