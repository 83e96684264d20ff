/*
 * An argument that the caller frees as soon as the call has returned, and whose memory the next item gets. A spawned
 * call begins at once and runs until it first waits, so what it reads before is still there; this one keeps a copy of
 * all that it needs afterwards.
 *
 * Prints three names, natively and with calls of `task` spawned.
 */
#include "../check.h"

__attribute__((noinline, noclone)) static void task(const char *name)
{
    char copy[16];
    snprintf(copy, sizeof copy, "%s", name);
    sleep_ms(10);
    printf("%s\n", copy);
}

int main(void)
{
    for (int number = 1; number <= 3; number++) {
        char *name;
        CHECK(asprintf(&name, "item %d", number) > 0, "asprintf");
        task(name);
        free(name);
    }
    return 0;
}
