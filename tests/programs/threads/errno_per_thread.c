/*
 * errno and other thread-local words stay each thread's own across switches: each thread sets its own, yields,
 * sleeps and waits, and finds it again.
 */
#include "../check.h"

enum { THREADS = 50 };
static __thread int initialised = 1234;
static __thread int zero;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    CHECK(initialised == 1234 && zero == 0, "new thread sees %d and %d", initialised, zero);
    initialised = me;
    for (int round = 0; round < 50; round++) {
        zero = me + round;
        errno = me + 1;
        sched_yield();
        CHECK(errno == me + 1, "errno %d in thread %d", errno, me);
        pthread_mutex_lock(&lock);
        if (round % 10 == 0)
            sched_yield();
        pthread_mutex_unlock(&lock);
        CHECK(errno == me + 1, "errno %d in thread %d after a lock", errno, me);
        if (round % 10 == 0) {
            usleep(100);
            CHECK(errno == me + 1, "errno %d in thread %d after a sleep", errno, me);
        }
        CHECK(initialised == me && zero == me + round, "another's words");
        if (close(-1) == -1)
            CHECK(errno == EBADF, "errno %d after close(-1)", errno);
    }
    return &errno;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    errno = 99;
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    CHECK(errno == 99, "main's errno %d", errno);
    puts("errno and thread-local words are each thread's own");
    return 0;
}
