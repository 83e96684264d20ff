/* Prints the size of the stack that a call of `task` runs on. */
#include "../check.h"

__attribute__((noinline, noclone)) static void task(void)
{
    pthread_attr_t attributes;
    size_t size;
    ZERO(pthread_getattr_np(pthread_self(), &attributes));
    ZERO(pthread_attr_getstacksize(&attributes, &size));
    ZERO(pthread_attr_destroy(&attributes));
    printf("%zu\n", size);
}

int main(void)
{
    task();
    return 0;
}
