/* Twenty threads, one after the other: the next has none of the ids of those before it, as with the kernel, which gives ids in turn. */
#include "../check.h"

enum { THREADS = 20 };

static void *own_id(void *argument)
{
    (void)argument;
    return (void *)(intptr_t)gettid();
}

int main(void)
{
    intptr_t ids[THREADS];
    for (int n = 0; n < THREADS; n++) {
        ids[n] = (intptr_t)join(start(own_id, NULL));
        for (int other = 0; other < n; other++)
            CHECK(ids[other] != ids[n], "threads %d and %d have the id %ld", other, n, (long)ids[n]);
    }
    puts("all different");
    return 0;
}
