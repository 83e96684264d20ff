/*
 * A shared library whose constructor makes a thread that sleeps while dlopen waits for it, used by
 * loading/thread_in_constructor.c. Built with -shared.
 */
#include "../check.h"

static int made;

static void *sleeps(void *argument)
{
    sleep_ms(5);
    return argument;
}

__attribute__((constructor)) static void construct(void)
{
    made = AS_INTEGER(join(start(sleeps, AS_POINTER(21))));
}

int plugin_made(void)
{
    return made;
}
