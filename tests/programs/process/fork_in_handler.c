/*
 * fork from a signal handler that has interrupted a call a thread was parked in (read, sem_wait, nanosleep, poll, a
 * wait for a file lock), a lock that is waited on again, or plain code, on the thread's stack or on its alternate one.
 * In the child the handler returns into the same call, which ends or is made again there; the parent's thread
 * goes on as if the handler had done nothing. The child makes threads, in the handler and after it.
 */
#include "../check.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { READ, SEMAPHORE, SLEEP, POLL, FILE_LOCK, MUTEX, COMPUTE, KINDS };
static const char *const names[] = {"read", "sem_wait", "nanosleep", "poll", "flock", "mutex", "computing"};
static sem_t never;
static int silent[2], lock_file;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static volatile int go_on, begun;
static __thread volatile pid_t child_made;
static __thread volatile int handled, waits_for_lock;

static void *doubles(void *argument)
{
    usleep(500);
    return AS_POINTER(AS_INTEGER(argument) * 2);
}

static void forks(int number)
{
    pid_t parent = getpid(), child = fork();
    (void)number;
    handled = 1;
    if (child < 0)
        _exit(99);
    if (child == 0) {
        CHECK(getppid() == parent && gettid() == getpid(), "ids in the handler");
        CHECK(AS_INTEGER(join(start(doubles, AS_POINTER(21)))) == 42, "a thread of the handler's");
        /* The lock is not the child's to get: its owner is not there. */
        if (waits_for_lock)
            _exit(40 + MUTEX);
    }
    child_made = child;
}

/* Expects a call that the handler has ended; the time limit stands in for what no one does in the child. */
static void interrupted_call(int kind)
{
    struct timespec left = {600, 0};
    struct pollfd poll_for = {.fd = silent[0], .events = POLLIN};
    char byte, name[32];
    int file;
    begun = 1;
    switch (kind) {
    case READ: FAILS(EINTR, read(silent[0], &byte, 1)); break;
    case SEMAPHORE: FAILS(EINTR, sem_wait(&never)); break;
    case SLEEP:
        FAILS(EINTR, nanosleep(&left, &left));
        CHECK(left.tv_sec >= 590 && left.tv_sec < 600, "left %ld", (long)left.tv_sec);
        break;
    case POLL: FAILS(EINTR, poll(&poll_for, 1, -1)); break;
    case FILE_LOCK:
        snprintf(name, sizeof name, "/proc/self/fd/%d", lock_file);
        file = open(name, O_RDWR);
        FAILS(EINTR, flock(file, LOCK_EX));
        close(file);
        break;
    case MUTEX:
        pthread_mutex_lock(&held);
        pthread_mutex_unlock(&held);
        break;
    case COMPUTE:
        for (volatile unsigned n = 0; !handled; n++) {
        }
        break;
    }
}

static void *is_interrupted(void *argument)
{
    int kind = AS_INTEGER(argument), me = getpid(), status;
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536}, now;
    CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    child_made = -1;
    waits_for_lock = kind == MUTEX;
    interrupted_call(kind);
    CHECK(handled, "not interrupted");
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack.ss_sp && now.ss_flags == 0, "alternate stack afterwards");
    if (child_made == 0) {
        CHECK(getppid() == me, "parent %d", getppid());
        CHECK(AS_INTEGER(join(start(doubles, AS_POINTER(kind)))) == kind * 2, "a thread of the child's");
        _exit(40 + kind);
    }
    CHECK(waitpid(child_made, &status, 0) == child_made && WIFEXITED(status), "status %#x", status);
    stack.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    free(stack.ss_sp);
    return AS_POINTER(WEXITSTATUS(status));
}

static void try(int kind, int flags)
{
    struct sigaction action = {.sa_handler = forks, .sa_flags = flags};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    begun = 0;
    if (kind == MUTEX)
        pthread_mutex_lock(&held);
    pthread_t thread = start(is_interrupted, AS_POINTER(kind));
    while (!begun)
        sched_yield();
    sleep_ms(10);
    ZERO(pthread_kill(thread, SIGUSR1));
    sleep_ms(10);
    if (kind == MUTEX)
        pthread_mutex_unlock(&held);
    printf("%s%s: child's status %d\n", names[kind], flags & SA_ONSTACK ? " (alternate stack)" : "",
           AS_INTEGER(join(thread)));
    fflush(stdout);
}

int main(void)
{
    sem_init(&never, 0, 0);
    CHECK(pipe(silent) == 0, "pipe");
    lock_file = memfd_create("lock", 0);
    CHECK(flock(lock_file, LOCK_EX) == 0, "flock");
    for (int kind = 0; kind < KINDS; kind++) {
        try(kind, 0);
        try(kind, SA_ONSTACK);
    }
    return 0;
}
