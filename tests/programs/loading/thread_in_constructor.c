/*
 * Threads made outside main: in the program's own constructor, before main, in the constructor of a library that
 * dlopen brings (argument 1), and in an atexit handler.
 */
#include "../check.h"
#include <dlfcn.h>

static int early;

static void *sleeps(void *argument)
{
    sleep_ms(5);
    return argument;
}

__attribute__((constructor)) static void construct(void)
{
    early = AS_INTEGER(join(start(sleeps, AS_POINTER(13))));
}

static void at_exit(void)
{
    printf("at exit: %d\n", AS_INTEGER(join(start(sleeps, AS_POINTER(34)))));
}

int main(int count, char **arguments)
{
    CHECK(count == 2, "usage: thread_in_constructor LIBRARY");
    atexit(at_exit);
    printf("before main: %d\n", early);
    void *library = dlopen(arguments[1], RTLD_NOW);
    CHECK(library != NULL, "%s", dlerror());
    printf("in dlopen: %d\n", ((int (*)(void))dlsym(library, "plugin_made"))());
    return 0;
}
