/*
 * Reader-writer locks: readers together, writers alone, with sleeps inside; try and timed forms on both clocks;
 * EDEADLK for the writer who locks again; by default a reader enters past a waiting writer, and with
 * PREFER_WRITER_NONRECURSIVE it does not.
 */
#include "../check.h"

enum { READERS = 10, WRITERS = 4, ROUNDS = 20 };
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int readers_inside, writers_inside, most_readers;
static long written;

static void *reads(void *argument)
{
    for (int round = 0; round < ROUNDS; round++) {
        ZERO(pthread_rwlock_rdlock(&lock));
        int now = __atomic_add_fetch(&readers_inside, 1, __ATOMIC_SEQ_CST);
        if (now > most_readers)
            most_readers = now;
        CHECK(writers_inside == 0, "a writer inside");
        usleep(200);
        CHECK(writers_inside == 0, "a writer inside");
        __atomic_sub_fetch(&readers_inside, 1, __ATOMIC_SEQ_CST);
        ZERO(pthread_rwlock_unlock(&lock));
    }
    return argument;
}

static void *writes(void *argument)
{
    for (int round = 0; round < ROUNDS; round++) {
        ZERO(pthread_rwlock_wrlock(&lock));
        CHECK(writers_inside++ == 0, "another writer inside");
        CHECK(readers_inside == 0, "%d readers inside", readers_inside);
        usleep(100);
        written++;
        CHECK(readers_inside == 0, "%d readers inside", readers_inside);
        writers_inside--;
        ZERO(pthread_rwlock_unlock(&lock));
        usleep(200);
    }
    return argument;
}

static void *writes_once(void *argument)
{
    ZERO(pthread_rwlock_wrlock(argument));
    ZERO(pthread_rwlock_unlock(argument));
    return NULL;
}

static void *tries_to_read(void *argument)
{
    int result = pthread_rwlock_tryrdlock(argument);
    if (result == 0)
        pthread_rwlock_unlock(argument);
    return AS_POINTER(result);
}

static void *times_out(void *argument)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    for (int n = 0; n < 2; n++) {
        struct timespec soon = deadline_in(clocks[n], 5 * MILLISECOND);
        GIVES(ETIMEDOUT, pthread_rwlock_clockrdlock(argument, clocks[n], &soon));
        CHECK(now_ns(clocks[n]) >= soon.tv_sec * SECOND + soon.tv_nsec, "too early");
        soon = deadline_in(clocks[n], 5 * MILLISECOND);
        GIVES(ETIMEDOUT, pthread_rwlock_clockwrlock(argument, clocks[n], &soon));
        CHECK(now_ns(clocks[n]) >= soon.tv_sec * SECOND + soon.tv_nsec, "too early");
    }
    GIVES(EBUSY, pthread_rwlock_trywrlock(argument));
    return NULL;
}

static int reader_passes_waiting_writer(int kind)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlock_t preferring;
    pthread_rwlockattr_init(&attributes);
    ZERO(pthread_rwlockattr_setkind_np(&attributes, kind));
    ZERO(pthread_rwlock_init(&preferring, &attributes));
    ZERO(pthread_rwlock_rdlock(&preferring));
    pthread_t writer = start(writes_once, &preferring);
    sleep_ms(50);
    int result = AS_INTEGER(join(start(tries_to_read, &preferring)));
    ZERO(pthread_rwlock_unlock(&preferring));
    join(writer);
    return result == 0;
}

int main(void)
{
    pthread_t threads[READERS + WRITERS];
    for (int n = 0; n < READERS + WRITERS; n++)
        threads[n] = start(n < READERS ? reads : writes, NULL);
    for (int n = 0; n < READERS + WRITERS; n++)
        join(threads[n]);
    CHECK(most_readers > 1, "readers were never inside together");
    printf("written %ld times\n", written);
    ZERO(pthread_rwlock_wrlock(&lock));
    GIVES(EDEADLK, pthread_rwlock_wrlock(&lock));
    GIVES(EDEADLK, pthread_rwlock_rdlock(&lock));
    join(start(times_out, &lock));
    ZERO(pthread_rwlock_unlock(&lock));
    printf("reader passes a waiting writer: by default %d, preferring writers %d\n",
           reader_passes_waiting_writer(PTHREAD_RWLOCK_DEFAULT_NP),
           reader_passes_waiting_writer(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP));
    return 0;
}
