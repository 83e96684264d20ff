/*
 * The signal mask is a thread's own: inherited from the creator, changed without effect on others, kept across
 * sleeps; a signal blocked by one thread is delivered when that thread unblocks it.
 */
#include "../check.h"
#include <signal.h>

static __thread volatile sig_atomic_t handled;

static void handler(int number)
{
    (void)number;
    handled++;
}

static int blocked(int number)
{
    sigset_t mask;
    ZERO(pthread_sigmask(SIG_BLOCK, NULL, &mask));
    return sigismember(&mask, number);
}

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    sigset_t set;
    CHECK(blocked(SIGUSR2) && !blocked(SIGUSR1), "inherited mask");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (me % 2)
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int round = 0; round < 20; round++) {
        usleep(200);
        CHECK(blocked(SIGUSR1) == me % 2 && blocked(SIGUSR2) && !blocked(SIGTERM), "another's mask in thread %d", me);
    }
    raise(SIGUSR1);
    usleep(200);
    CHECK(handled == !(me % 2), "thread %d handled %d", me, handled);
    if (me % 2) {
        sigset_t pending;
        sigpending(&pending);
        CHECK(sigismember(&pending, SIGUSR1), "not pending");
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    CHECK(handled == 1, "thread %d handled %d", me, handled);
    return AS_POINTER(handled);
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigset_t set;
    pthread_t threads[10];
    int sum = 0;
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int n = 0; n < 10; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < 10; n++)
        sum += AS_INTEGER(join(threads[n]));
    CHECK(handled == 0 && blocked(SIGUSR2) && !blocked(SIGUSR1), "main's mask");
    printf("%d signals handled\n", sum);
    return 0;
}
