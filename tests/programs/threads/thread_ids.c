/*
 * Thread ids: gettid is constant and unique among living threads, equals getpid only in main, is never reused
 * while in use; pthread_self differs; tgkill(pid, tid, 0) finds the living and gives ESRCH for the ended.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>

enum { THREADS = 200 };
static pid_t tids[THREADS];
static pthread_t selves[THREADS];
static pthread_barrier_t barrier;

static void *body(void *argument)
{
    int n = AS_INTEGER(argument);
    tids[n] = gettid();
    selves[n] = pthread_self();
    CHECK(getpid() != gettid(), "a thread with the process's id");
    pthread_barrier_wait(&barrier);
    sleep_ms(1);
    CHECK(tids[n] == gettid() && tids[n] == syscall(SYS_gettid), "gettid changed");
    CHECK(tgkill(getpid(), tids[(n + 1) % THREADS], 0) == 0, "tgkill of a living neighbour");
    pthread_barrier_wait(&barrier);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    CHECK(gettid() == getpid(), "main's tid");
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    for (int n = 0; n < THREADS; n++) {
        CHECK(pthread_equal(threads[n], selves[n]), "pthread_self of %d", n);
        for (int other = 0; other < n; other++)
            CHECK(tids[n] != tids[other], "threads %d and %d share a tid", n, other);
    }
    FAILS(ESRCH, tgkill(getpid(), tids[0], 0));
    CHECK(gettid() == getpid(), "main's tid");
    printf("%d ids, all different\n", THREADS);
    return 0;
}
