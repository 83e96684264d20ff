/*
 * Two threads that wake each other by signals alone, thousands of times, in each call that lets a signal in for the
 * time of its wait (sigsuspend, ppoll, pselect, epoll_pwait) or takes it (sigwaitinfo, signalfd): none is lost between
 * the look and the wait, and the mask is back afterwards. A signal that a thread sends to itself, or to a process in
 * which it alone does not block it, has been handled when the call that sends it returns.
 */
#include "../check.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>

enum { ROUNDS = 3000 };

static __thread volatile sig_atomic_t came;
static sigset_t only, open_mask;
static int epoll;
static pthread_t players[2];
static sem_t both, go;

static void handler(int number)
{
    (void)number;
    came++;
}

static void by_sigsuspend(void) { FAILS(EINTR, sigsuspend(&open_mask)); }
static void by_ppoll(void) { FAILS(EINTR, ppoll(NULL, 0, NULL, &open_mask)); }
static void by_pselect(void) { FAILS(EINTR, pselect(0, NULL, NULL, NULL, NULL, &open_mask)); }
static void by_epoll_pwait(void)
{
    struct epoll_event event;
    FAILS(EINTR, epoll_pwait(epoll, &event, 1, -1, &open_mask));
}
static void by_sigwaitinfo(void)
{
    siginfo_t info;
    /* glibc says SI_USER here for what pthread_kill sent. */
    CHECK(sigwaitinfo(&only, &info) == SIGUSR1 && info.si_pid == getpid(), "sigwaitinfo");
    came++;
}
static void by_signalfd(void)
{
    static __thread int file = -1;
    struct signalfd_siginfo record;
    if (file < 0)
        file = signalfd(-1, &only, SFD_CLOEXEC);
    CHECK(read(file, &record, sizeof record) == sizeof record && record.ssi_signo == SIGUSR1, "signalfd");
    came++;
}

static void (*volatile wait_for_it)(void);

static void *plays(void *argument)
{
    int me = AS_INTEGER(argument);
    sigset_t mask;
    sem_post(&both);
    sem_wait(&go);
    for (int round = 0; round < ROUNDS; round++) {
        if (me == 0)
            ZERO(pthread_kill(players[1], SIGUSR1));
        while (came == round)
            wait_for_it();
        CHECK(came == round + 1, "round %d: %d came", round, came);
        if (me == 1)
            ZERO(pthread_kill(players[0], SIGUSR1));
        if (round % 100 == 0) {
            ZERO(pthread_sigmask(SIG_BLOCK, NULL, &mask));
            CHECK(sigismember(&mask, SIGUSR1), "the mask is not back");
        }
    }
    return NULL;
}

static void play(const char *name, void (*how)(void))
{
    wait_for_it = how;
    for (int n = 0; n < 2; n++)
        players[n] = start(plays, AS_POINTER(n));
    for (int n = 0; n < 2; n++)
        sem_wait(&both);
    sem_post(&go);
    sem_post(&go);
    for (int n = 0; n < 2; n++)
        join(players[n]);
    printf("%s: none lost\n", name);
}

static void *sends_to_itself(void *argument)
{
    ZERO(pthread_sigmask(SIG_UNBLOCK, &only, NULL));
    for (int n = 0; n < 1000; n += 4) {
        CHECK(kill(getpid(), SIGUSR1) == 0 && came == n + 1, "kill: %d", came);
        CHECK(raise(SIGUSR1) == 0 && came == n + 2, "raise: %d", came);
        CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){0}) == 0 && came == n + 3, "sigqueue: %d", came);
        ZERO(pthread_sigmask(SIG_BLOCK, &only, NULL));
        CHECK(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGUSR1) == 0 && came == n + 3, "blocked: %d", came);
        ZERO(pthread_sigmask(SIG_UNBLOCK, &only, NULL));
        CHECK(came == n + 4, "unblocked: %d", came);
    }
    return argument;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    sem_init(&both, 0, 0);
    sem_init(&go, 0, 0);
    epoll = epoll_create1(0);
    sigemptyset(&only);
    sigaddset(&only, SIGUSR1);
    ZERO(pthread_sigmask(SIG_BLOCK, &only, &open_mask));
    play("sigsuspend", by_sigsuspend);
    play("ppoll", by_ppoll);
    play("pselect", by_pselect);
    play("epoll_pwait", by_epoll_pwait);
    play("sigwaitinfo", by_sigwaitinfo);
    play("signalfd", by_signalfd);
    join(start(sends_to_itself, NULL));
    puts("handled when the call returns, in a thread");
    sends_to_itself(NULL);
    puts("and in main");
    return 0;
}
