/*
 * Makes as many threads as argument 1 says, which all sleep for half a second at once, and joins them. For counting
 * kernel threads from outside and for the checks of the library's variables.
 */
#include "../check.h"

static void *sleeps(void *argument)
{
    sleep_ms(500);
    return argument;
}

int main(int count, char **arguments)
{
    static pthread_t threads[10000];
    int wanted = count > 1 ? atoi(arguments[1]) : 8;
    int sum = 0;
    CHECK(wanted <= 10000, "at most 10000");
    for (int n = 0; n < wanted; n++)
        threads[n] = start(sleeps, AS_POINTER(1));
    for (int n = 0; n < wanted; n++)
        sum += AS_INTEGER(join(threads[n]));
    printf("%d threads\n", sum);
    return 0;
}
