/*
 * malloc, realloc and free from a hundred threads, blocks freed by other threads than made them, and switches in
 * between: no block is handed out twice and no content changes.
 */
#include "../check.h"

enum { THREADS = 100, ROUNDS = 200, SHARED = 64 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char *shared[SHARED];

static void verify(const unsigned char *block)
{
    size_t size;
    memcpy(&size, block, sizeof size);
    for (size_t n = sizeof size; n < size; n++)
        CHECK(block[n] == (unsigned char)size, "byte %zu of %zu", n, size);
}

static void *body(void *argument)
{
    unsigned state = (unsigned)AS_INTEGER(argument) * 2654435761u + 1;
    for (int round = 0; round < ROUNDS; round++) {
        state = state * 1664525u + 1013904223u;
        size_t size = 16 + (state >> 8) % (round % 50 == 0 ? 300000 : 3000);
        unsigned char *block = malloc(size / 2 + 16);
        CHECK(block != NULL, "malloc");
        memset(block, 0, size / 2 + 16);
        block = realloc(block, size);
        CHECK(block != NULL, "realloc");
        memset(block, (int)size, size);
        memcpy(block, &size, sizeof size);
        if (round % 8 == 0)
            sched_yield();
        verify(block);
        pthread_mutex_lock(&lock);
        unsigned char *old = shared[state % SHARED];
        shared[state % SHARED] = block;
        pthread_mutex_unlock(&lock);
        if (old) {
            verify(old);
            free(old);
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    for (int n = 0; n < SHARED; n++)
        if (shared[n])
            verify(shared[n]);
    puts("every block was its owner's alone");
    return 0;
}
