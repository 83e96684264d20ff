/*
 * Spawned calls that main waits for: `report` prints their sum, the clock is read through clock_gettime. The
 * first argument says how main looks at the calls; another thread, which spawns nothing, goes on without
 * waiting for them.
 */
#include "../check.h"

static int sum;

__attribute__((noinline, noclone)) static void task(int number)
{
    sleep_ms(10 * number);
    sum += number;
}

__attribute__((noinline, noclone)) static void report(const char *when)
{
    printf("%s: %d\n", when, sum);
}

static void *bystander(void *argument)
{
    struct timespec now;
    sleep_ms(10);
    clock_gettime(CLOCK_MONOTONIC, &now);
    report("bystander");
    return argument;
}

int main(int count, char **arguments)
{
    CHECK(count == 2, "%d arguments", count);
    pthread_t thread = strcmp(arguments[1], "bystander") == 0 ? start(bystander, NULL) : 0;
    for (int round = 0; round < 2; round++) {
        for (int number = 2; number < 5; number++)
            task(number);
        if (strcmp(arguments[1], "clock") == 0) {
            struct timespec now;
            ZERO(clock_gettime(CLOCK_MONOTONIC, &now));
            printf("by the clock: %d\n", sum);
        } else {
            report("main");
        }
    }
    if (thread)
        join(thread);
    return 0;
}
