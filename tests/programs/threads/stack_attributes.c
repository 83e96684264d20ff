/*
 * A thread's stack is as its attributes say: a chosen size, guards of several sizes and none, and memory of the
 * program's own given with pthread_attr_setstack, on which the thread then runs. Sizes mixed at once, and reused.
 */
#include "../check.h"
#include <limits.h>
#include <sys/mman.h>

struct expectation {
    size_t size;
    char *low, *high;
};

static long use_stack(long bytes)
{
    volatile char block[1024];
    memset((char *)block, (int)bytes, sizeof block);
    if (bytes <= 2048)
        return block[5];
    return use_stack(bytes - 1200) + block[7];
}

static void *body(void *argument)
{
    const struct expectation *expected = argument;
    char *here = (char *)__builtin_frame_address(0);
    if (expected->low)
        CHECK(here > expected->low && here < expected->high, "%p is not in %p..%p", (void *)here,
              (void *)expected->low, (void *)expected->high);
    long space = (long)expected->size - 12 * 1024;
    if (space > 0) {
        usleep(500);
        use_stack(space);
        usleep(500);
    }
    return NULL;
}

int main(void)
{
    enum { KINDS = 12, OWN = 8 };
    const size_t sizes[] = {(size_t)PTHREAD_STACK_MIN + 16384, 65536, 131072, 1 << 20, 8 << 20, 64 << 20};
    struct expectation expected[KINDS], own[OWN];
    pthread_t threads[KINDS], own_threads[OWN];
    for (int round = 0; round < 5; round++) {
        for (int n = 0; n < KINDS; n++) {
            pthread_attr_t attributes;
            size_t guard = n % 3 == 0 ? 0 : n % 3 == 1 ? 4096 : 65536;
            pthread_attr_init(&attributes);
            expected[n] = (struct expectation){sizes[n % 6], NULL, NULL};
            ZERO(pthread_attr_setstacksize(&attributes, sizes[n % 6] + guard));
            ZERO(pthread_attr_setguardsize(&attributes, guard));
            ZERO(pthread_create(&threads[n], &attributes, body, &expected[n]));
            pthread_attr_destroy(&attributes);
        }
        for (int n = 0; n < KINDS; n++)
            join(threads[n]);
    }
    puts("sizes from the least to 64 MiB, guards of 0, 4 KiB and 64 KiB");

    for (int n = 0; n < OWN; n++) {
        pthread_attr_t attributes;
        size_t size = 128 * 1024;
        own[n].low = n % 2 ? malloc(size) : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        own[n].high = own[n].low + size;
        own[n].size = size - 16384;
        memset(own[n].low, 0x5a, size);
        pthread_attr_init(&attributes);
        ZERO(pthread_attr_setstack(&attributes, own[n].low, size));
        ZERO(pthread_create(&own_threads[n], &attributes, body, &own[n]));
        pthread_attr_destroy(&attributes);
    }
    for (int n = 0; n < OWN; n++) {
        join(own_threads[n]);
        own[n].low[0] = own[n].high[-1] = 1;
        if (n % 2)
            free(own[n].low);
        else
            munmap(own[n].low, 128 * 1024);
    }
    puts("eight stacks of the program's own");

    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    GIVES(EINVAL, pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN - 1));
    ZERO(pthread_attr_setstacksize(&attributes, (size_t)1 << 46));
    pthread_t thread;
    GIVES(EAGAIN, pthread_create(&thread, &attributes, body, &expected[0]));
    puts("a stack of 64 TiB: EAGAIN");
    return 0;
}
