/*
 * A signal for the process goes to a thread that does not block it, whatever that thread is doing, also when main
 * blocks it or has ended; one that waits for it has it before one with a handler; if all block it, it stays pending
 * until one unblocks it. So it is with kill, with a child's SIGCHLD, with alarm, with a signal sent to the group.
 */
#include "../check.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { THREADS = 5 };

static __thread int me = -1;
static volatile int by, handled, stop;
static sem_t ready[THREADS], go, taking;
static int numbers[] = {SIGUSR1, SIGCHLD, SIGALRM, SIGHUP, 0};

static void handler(int number)
{
    (void)number;
    by = me;
    handled++;
}

static void block(int how, int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    ZERO(pthread_sigmask(how, &set, NULL));
}

/* Thread n alone does not block numbers[n], and each waits in another way. */
static void *body(void *argument)
{
    me = AS_INTEGER(argument);
    block(SIG_UNBLOCK, numbers[me]);
    sem_post(&ready[me]);
    while (!stop) {
        if (me == 0)
            poll(NULL, 0, 1000000);
        else if (me == 1)
            sem_wait(&go);
        else if (me == 2)
            sleep(1000);
        else if (me == 3)
            while (!stop && by != 3)
                sched_yield();
        else
            pause();
    }
    return NULL;
}

static void sent(const char *what, int n, void (*send)(void))
{
    by = -2;
    send();
    for (int turn = 0; turn < 2000 && by == -2; turn++)
        usleep(1000);
    printf("%s: %s\n", what, by == n ? "to the one that does not block it" : by == -2 ? "nobody" : "another");
}

static void by_kill(void) { kill(getpid(), SIGUSR1); }
static void by_queue(void) { sigqueue(getpid(), SIGRTMIN + 2, (union sigval){0}); }
static void by_alarm(void) { alarm(1); }
static void by_group(void) { kill(0, SIGHUP); }
static void by_child(void)
{
    if (fork() == 0)
        _exit(0);
}

static void *takes(void *argument)
{
    int number = 0;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    block(SIG_BLOCK, SIGUSR2);
    sem_post(&taking);
    ZERO(sigwait(&set, &number));
    return AS_POINTER(number == SIGUSR2);
}

static void *after_main(void *argument)
{
    ZERO(pthread_join(*(pthread_t *)argument, NULL));
    me = 9;
    by = -2;
    handled = 0;
    kill(getpid(), SIGUSR2);
    for (int turn = 0; turn < 2000 && by == -2; turn++)
        usleep(1000);
    printf("main has ended: %s\n", by == 9 && handled == 1 ? "to the one that is left" : "lost");
    fflush(stdout);
    _exit(0);
}

int main(void)
{
    pthread_t threads[THREADS];
    sigset_t all, pending;
    struct sigaction action = {.sa_handler = handler};
    numbers[4] = SIGRTMIN + 2;
    setpgid(0, 0);
    sem_init(&go, 0, 0);
    sem_init(&taking, 0, 0);
    for (int n = 0; n < THREADS; n++)
        CHECK(sigaction(numbers[n], &action, NULL) == 0, "sigaction");
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
    sigfillset(&all);
    ZERO(pthread_sigmask(SIG_SETMASK, &all, NULL));
    for (int n = 0; n < THREADS; n++) {
        sem_init(&ready[n], 0, 0);
        threads[n] = start(body, AS_POINTER(n));
        while (sem_wait(&ready[n]) != 0) {
        }
    }
    sleep_ms(20);
    sent("kill", 0, by_kill);
    sent("a child's end", 1, by_child);
    while (waitpid(-1, NULL, 0) > 0) {
    }
    sent("alarm", 2, by_alarm);
    sent("the group's", 3, by_group);
    sent("sigqueue", 4, by_queue);
    CHECK(handled == 5, "%d handled", handled);

    kill(getpid(), SIGUSR2);
    sleep_ms(10);
    sigpending(&pending);
    printf("blocked by all: pending %d\n", sigismember(&pending, SIGUSR2));
    int file = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
    struct signalfd_siginfo record;
    CHECK(read(file, &record, sizeof record) == sizeof record && record.ssi_signo == SIGUSR2, "signalfd");
    CHECK(record.ssi_code == SI_USER && record.ssi_pid == (unsigned)getpid(), "code %d", record.ssi_code);
    FAILS(EAGAIN, read(file, &record, sizeof record));
    close(file);
    puts("taken by signalfd");

    kill(getpid(), SIGUSR2);
    by = -2;
    block(SIG_UNBLOCK, SIGUSR2);
    CHECK(by == -1, "by %d", by);
    puts("unblocked: handled at once");

    handled = 0;
    block(SIG_BLOCK, SIGUSR2);
    pthread_t taker = start(takes, NULL);
    while (sem_wait(&taking) != 0) {
    }
    sleep_ms(10);
    kill(getpid(), SIGUSR2);
    CHECK(AS_INTEGER(join(taker)) && handled == 0, "not waited for");
    puts("waited for");

    stop = 1;
    sem_post(&go);
    for (int n = 0; n < THREADS; n++)
        ZERO(pthread_kill(threads[n], numbers[n]));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    block(SIG_UNBLOCK, SIGUSR2);
    pthread_t self = pthread_self();
    start(after_main, &self);
    pthread_exit(NULL);
}
