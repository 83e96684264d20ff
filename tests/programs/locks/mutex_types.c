/*
 * Mutexes of every type keep their promises under contention by sleeping holders: normal, recursive, error-checking
 * and adaptive; trylock's EBUSY, the error-checking kind's EDEADLK and EPERM, the recursive kind's depth.
 */
#include "../check.h"

enum { THREADS = 20, ROUNDS = 30 };

struct shared {
    pthread_mutex_t lock;
    int type;
    int inside;
    long count;
};

static void *body(void *argument)
{
    struct shared *shared = argument;
    for (int round = 0; round < ROUNDS; round++) {
        int depth = shared->type == PTHREAD_MUTEX_RECURSIVE ? 3 : 1;
        for (int level = 0; level < depth; level++)
            ZERO(pthread_mutex_lock(&shared->lock));
        CHECK(shared->inside++ == 0, "%d others inside", shared->inside - 1);
        if (round % 10 == 0)
            usleep(100);
        else
            sched_yield();
        shared->count++;
        CHECK(--shared->inside == 0, "%d others inside", shared->inside);
        for (int level = 0; level < depth; level++)
            ZERO(pthread_mutex_unlock(&shared->lock));
    }
    return NULL;
}

static void *tries(void *argument)
{
    return AS_POINTER(pthread_mutex_trylock(argument));
}

static void *unlocks(void *argument)
{
    return AS_POINTER(pthread_mutex_unlock(argument));
}

static void run(int type, const char *name)
{
    static struct shared shared;
    pthread_mutexattr_t attributes;
    pthread_t threads[THREADS];
    shared = (struct shared){.type = type};
    pthread_mutexattr_init(&attributes);
    ZERO(pthread_mutexattr_settype(&attributes, type));
    ZERO(pthread_mutex_init(&shared.lock, &attributes));
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, &shared);
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    ZERO(pthread_mutex_lock(&shared.lock));
    CHECK(AS_INTEGER(join(start(tries, &shared.lock))) == EBUSY, "trylock of a held mutex");
    if (type == PTHREAD_MUTEX_ERRORCHECK) {
        GIVES(EDEADLK, pthread_mutex_lock(&shared.lock));
        CHECK(AS_INTEGER(join(start(unlocks, &shared.lock))) == EPERM, "unlock by another");
    }
    if (type == PTHREAD_MUTEX_RECURSIVE) {
        ZERO(pthread_mutex_trylock(&shared.lock));
        CHECK(AS_INTEGER(join(start(unlocks, &shared.lock))) == EPERM, "unlock by another");
        ZERO(pthread_mutex_unlock(&shared.lock));
    }
    ZERO(pthread_mutex_unlock(&shared.lock));
    if (type == PTHREAD_MUTEX_ERRORCHECK || type == PTHREAD_MUTEX_RECURSIVE)
        GIVES(EPERM, pthread_mutex_unlock(&shared.lock));
    ZERO(pthread_mutex_destroy(&shared.lock));
    printf("%s: %ld\n", name, shared.count);
}

int main(void)
{
    run(PTHREAD_MUTEX_NORMAL, "normal");
    run(PTHREAD_MUTEX_RECURSIVE, "recursive");
    run(PTHREAD_MUTEX_ERRORCHECK, "error-checking");
    run(PTHREAD_MUTEX_ADAPTIVE_NP, "adaptive");
    return 0;
}
