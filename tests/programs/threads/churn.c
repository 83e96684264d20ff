/*
 * Twenty thousand threads made and joined one after another, and in batches, come out right: stacks and
 * thread-local blocks are reused and each new thread finds its thread-local words fresh.
 */
#include "../check.h"

static __thread long word;
static __thread char block[3000];

static void *body(void *argument)
{
    CHECK(word == 0, "a used word: %ld", word);
    for (size_t n = 0; n < sizeof block; n += 100)
        CHECK(block[n] == 0, "a used block");
    word = 1;
    memset(block, 1, sizeof block);
    return argument;
}

int main(void)
{
    long sum = 0;
    for (int n = 0; n < 10000; n++)
        sum += AS_INTEGER(join(start(body, AS_POINTER(n))));
    pthread_t threads[100];
    for (int batch = 0; batch < 100; batch++) {
        for (int n = 0; n < 100; n++)
            threads[n] = start(body, AS_POINTER(n));
        for (int n = 0; n < 100; n++)
            sum += AS_INTEGER(join(threads[n]));
    }
    printf("%ld\n", sum);
    return 0;
}
