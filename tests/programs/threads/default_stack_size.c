/*
 * Prints the stack size a thread made without attributes runs with, as pthread_getattr_np reports it. For the
 * checks of GRIVET_STACK, which sets that default.
 */
#include "../check.h"

static void *body(void *argument)
{
    (void)argument;
    pthread_attr_t attributes;
    size_t size;
    ZERO(pthread_getattr_np(pthread_self(), &attributes));
    ZERO(pthread_attr_getstacksize(&attributes, &size));
    pthread_attr_destroy(&attributes);
    printf("%zu\n", size);
    return NULL;
}

int main(void)
{
    join(start(body, NULL));
    return 0;
}
