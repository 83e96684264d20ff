/*
 * What a child of fork has from the thread that forked, and what it has not: its id is the process's and getppid is the
 * parent's; mask, alternate stack, descriptors with their offsets, limits and directory are kept; pending signals (of
 * the thread and of the process), timers of all kinds and the threads that waited for them are not. Checked from main and
 * from threads, by fork and by the bare system call, while others wait in a dozen ways.
 */
#include "../check.h"
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { BLOCKED_OTHERS = 6 };
static sem_t never, begun;
static int silent[2], lock_file;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static volatile sig_atomic_t alarms, users;

static void on_alarm(int number) { (void)number; alarms++; }
static void on_user(int number) { (void)number; users++; }

/* Waits for ever, each in another way. */
static void *waits(void *argument)
{
    char byte, name[32];
    struct pollfd poll_for = {.fd = silent[0], .events = POLLIN};
    sem_post(&begun);
    switch (AS_INTEGER(argument)) {
    case 0: sem_wait(&never); break;
    case 1: sleep_ms(600000); break;
    case 2: poll(&poll_for, 1, -1); break;
    case 3: pthread_mutex_lock(&held); break;
    case 4: read(silent[0], &byte, 1); break;
    case 5:
        snprintf(name, sizeof name, "/proc/self/fd/%d", lock_file);
        flock(open(name, O_RDWR), LOCK_EX);
        break;
    }
    CHECK(0, "waiter %d woke", AS_INTEGER(argument));
    return NULL;
}

static sigset_t mask_of_caller(void)
{
    sigset_t mask;
    ZERO(pthread_sigmask(SIG_BLOCK, NULL, &mask));
    return mask;
}

static void *adds_one(void *argument)
{
    sleep_ms(2);
    return AS_POINTER(AS_INTEGER(argument) + 1);
}

/* In the child: nothing of the parent's timers and signals, all of the caller's own state. */
static void expect_child(pid_t parent, int file, const stack_t *stack, pthread_t self)
{
    sigset_t pending, mask = mask_of_caller();
    stack_t now;
    struct itimerval timer;
    CHECK(getppid() == parent && getpid() != parent, "parent %d", getppid());
    CHECK((pid_t)syscall(SYS_gettid) == getpid() && gettid() == getpid(), "id %d", gettid());
    CHECK(pthread_equal(self, pthread_self()) && tgkill(getpid(), gettid(), 0) == 0, "the thread");
    CHECK(sigpending(&pending) == 0, "sigpending");
    CHECK(!sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGUSR2), "signals are pending in the child");
    CHECK(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGUSR2) && !sigismember(&mask, SIGTERM), "the mask");
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack->ss_sp && now.ss_size == stack->ss_size, "alternate stack");
    CHECK(getitimer(ITIMER_REAL, &timer) == 0 && timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0, "itimer");
    CHECK(lseek(file, 0, SEEK_CUR) == 3, "offset %ld", (long)lseek(file, 0, SEEK_CUR));
    CHECK(lseek(file, 1, SEEK_CUR) == 4, "lseek");
    CHECK(AS_INTEGER(join(start(adds_one, AS_POINTER(4)))) == 5, "a thread of the child's");
    CHECK(pthread_mutex_trylock(&held) == EBUSY, "the lock is held by the parent's main thread");
    sigset_t user;
    sigemptyset(&user);
    sigaddset(&user, SIGUSR1);
    CHECK(raise(SIGUSR1) == 0 && users == 0, "raise");
    ZERO(pthread_sigmask(SIG_UNBLOCK, &user, NULL));
    CHECK(users == 1 && alarms == 0, "handlers ran: %d, %d", users, alarms);
}

/* Forks by fork (0) or by the system call (1), from the calling thread. */
static void fork_once(int bare)
{
    static const char text[] = "abcdef";
    sigset_t set;
    stack_t stack = {.ss_size = 65536, .ss_sp = malloc(65536)}, old;
    int file = memfd_create("offset", 0), status, there = users;
    CHECK(write(file, text, 6) == 6 && lseek(file, 3, SEEK_SET) == 3, "memfd");
    CHECK(sigaltstack(&stack, &old) == 0, "sigaltstack");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    ZERO(pthread_kill(pthread_self(), SIGUSR1));
    CHECK(kill(getpid(), SIGUSR2) == 0, "kill");
    pid_t parent = getpid(), child;
    pthread_t self = pthread_self();
    users = 0;
    child = bare ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        expect_child(parent, file, &stack, self);
        _exit(17);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 17, "status %#x", status);
    CHECK(lseek(file, 0, SEEK_CUR) == 4, "the offset is shared");
    users = there;
    ZERO(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
    CHECK(users >= there + 1, "the parent's signals are lost: %d", users);
    CHECK(sigaltstack(&old, NULL) == 0, "sigaltstack");
    free(stack.ss_sp);
    close(file);
}

static void *forks(void *argument)
{
    fork_once(AS_INTEGER(argument));
    return NULL;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval in_an_hour = {.it_value = {3600, 0}};
    sigset_t user;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    action.sa_handler = on_user;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
    CHECK(setitimer(ITIMER_REAL, &in_an_hour, NULL) == 0, "setitimer");
    CHECK(pipe(silent) == 0, "pipe");
    lock_file = memfd_create("lock", 0);
    CHECK(flock(lock_file, LOCK_EX) == 0, "flock");
    pthread_mutex_lock(&held);
    sem_init(&never, 0, 0);
    sem_init(&begun, 0, 0);
    /* Only those that fork take the two signals. */
    sigemptyset(&user);
    sigaddset(&user, SIGUSR1);
    sigaddset(&user, SIGUSR2);
    ZERO(pthread_sigmask(SIG_BLOCK, &user, NULL));
    for (int n = 0; n < BLOCKED_OTHERS; n++)
        start(waits, AS_POINTER(n));
    for (int n = 0; n < BLOCKED_OTHERS; n++)
        sem_wait(&begun);
    sleep_ms(20);
    for (int bare = 0; bare < 2; bare++) {
        fork_once(bare);
        ZERO(pthread_sigmask(SIG_BLOCK, &user, NULL));
        join(start(forks, AS_POINTER(bare)));
        printf("%s: from main and from a thread\n", bare ? "clone(SIGCHLD)" : "fork");
    }
    struct itimerval left;
    CHECK(getitimer(ITIMER_REAL, &left) == 0 && left.it_value.tv_sec > 3000, "the parent's timer");
    return 0;
}
