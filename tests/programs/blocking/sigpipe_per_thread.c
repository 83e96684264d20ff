/*
 * SIGPIPE belongs to the thread that writes to a pipe or socket nobody reads: a thread that blocks it has it pending,
 * others do not; one that does not block it runs the handler itself; one that waits for room gets it when the reader
 * closes. Ignored, or with MSG_NOSIGNAL, there is EPIPE alone. Unhandled, it ends the process.
 */
#include "../check.h"
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

static sem_t begun, written, looked;
static __thread int handled;

static void handler(int number)
{
    (void)number;
    handled++;
}

static void mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    ZERO(pthread_sigmask(how, &set, NULL));
}

static int pending(void)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, SIGPIPE);
}

/* The end of a pipe (or of a pair of sockets) whose other end is closed. */
static int unread(int sockets)
{
    int ends[2];
    CHECK((sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) == 0, "pipe");
    close(ends[0]);
    return ends[1];
}

static void *blocks_signal(void *argument)
{
    sigset_t set;
    struct timespec none = {0, 0};
    int end = unread(AS_INTEGER(argument));
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    mask(SIG_BLOCK);
    FAILS(EPIPE, write(end, "x", 1));
    CHECK(pending() && !handled, "pending %d, handled %d", pending(), handled);
    sem_post(&written);
    sem_wait(&looked);
    CHECK(pending(), "no longer pending");
    CHECK(sigtimedwait(&set, NULL, &none) == SIGPIPE && !pending(), "sigtimedwait");
    mask(SIG_UNBLOCK);
    CHECK(!handled, "handled %d", handled);
    close(end);
    return NULL;
}

static void *handles_signal(void *argument)
{
    int sockets = AS_INTEGER(argument), end = unread(sockets);
    FAILS(EPIPE, write(end, "x", 1));
    FAILS(EPIPE, writev(end, &(struct iovec){"xy", 2}, 1));
    int expected = 2;
    if (sockets) {
        FAILS(EPIPE, send(end, "x", 1, 0));
        FAILS(EPIPE, send(end, "x", 1, MSG_NOSIGNAL));
        FAILS(EPIPE, sendmsg(end, &(struct msghdr){.msg_iov = &(struct iovec){"x", 1}, .msg_iovlen = 1}, MSG_NOSIGNAL));
        expected = 3;
    }
    CHECK(handled == expected, "handled %d, expected %d", handled, expected);
    close(end);
    return AS_POINTER(handled);
}

static int full[2];

static void *waits_for_room(void *argument)
{
    static char block[1 << 20];
    sem_post(&begun);
    ssize_t length = write(full[1], block, sizeof block);
    if (length > 0) /* what fitted */
        length = write(full[1], block, 1);
    CHECK(length == -1 && errno == EPIPE, "write gave %zd", length);
    CHECK(handled > 0, "not handled");
    return argument;
}

static void dies(int sockets)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        join(start(handles_signal, AS_POINTER(sockets)));
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "status %#x", status);
    printf("unhandled, it dies of signal %d\n", WTERMSIG(status));
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0, "sigaction");
    sem_init(&begun, 0, 0);
    sem_init(&written, 0, 0);
    sem_init(&looked, 0, 0);
    for (int sockets = 0; sockets < 2; sockets++) {
        const char *name = sockets ? "socket" : "pipe";
        pthread_t blocking = start(blocks_signal, AS_POINTER(sockets));
        sem_wait(&written);
        mask(SIG_BLOCK);
        CHECK(!pending() && !handled, "the signal came to main");
        mask(SIG_UNBLOCK);
        printf("%s: the handling thread had %d\n", name, AS_INTEGER(join(start(handles_signal, AS_POINTER(sockets)))));
        sem_post(&looked);
        join(blocking);

        CHECK((sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, full) : pipe(full)) == 0, "pipe");
        pthread_t waiting = start(waits_for_room, NULL);
        sem_wait(&begun);
        sleep_ms(20);
        close(full[0]);
        join(waiting);
        close(full[1]);
        CHECK(!handled, "main handled %d", handled);
        dies(sockets);
    }
    signal(SIGPIPE, SIG_IGN);
    FAILS(EPIPE, write(unread(0), "x", 1));
    FAILS(EPIPE, write(unread(1), "x", 1));
    puts("ignored, EPIPE alone");
    return 0;
}
