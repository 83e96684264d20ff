/* Calls made outside main: by a constructor before it, and behind it by an exit handler and a destructor. */
#include "../check.h"

__attribute__((noinline, noclone)) static void task(const char *name)
{
    sleep_ms(20);
    printf("%s\n", name);
    fflush(stdout);
}

__attribute__((constructor)) static void constructor(void)
{
    task("constructor");
}

__attribute__((destructor)) static void destructor(void)
{
    task("destructor");
}

static void at_exit(void)
{
    task("exit handler");
}

int main(void)
{
    CHECK(atexit(at_exit) == 0, "atexit");
    task("main");
    return 0;
}
