/*
 * A program whose first and only threads come from thrd_create, not pthread_create.
 */
#include "../check.h"
#include <threads.h>

static int sleeps(void *argument)
{
    struct timespec pause = {0, 200 * MILLISECOND};
    thrd_sleep(&pause, NULL);
    return AS_INTEGER(argument);
}

int main(void)
{
    thrd_t threads[4];
    int sum = 0;
    for (int n = 0; n < 4; n++)
        CHECK(thrd_create(&threads[n], sleeps, AS_POINTER(n)) == thrd_success, "thrd_create");
    for (int n = 0; n < 4; n++) {
        int value;
        CHECK(thrd_join(threads[n], &value) == thrd_success, "thrd_join");
        sum += value;
    }
    printf("%d\n", sum);
    return 0;
}
