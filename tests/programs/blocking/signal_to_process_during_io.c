/*
 * A signal to the process while main and all threads are blocked in I/O: the handler runs once, in the one thread that
 * does not block the signal, whatever call that is in; if nobody blocks it, in main. Calls that are made again
 * afterwards still get what they wait for. Another process sends the signal, since all threads here wait.
 */
#include "../check.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { MAIN, READ, RECEIVE, WAIT_FOR_EVENT, POLL, CALLS, NOBODY_BLOCKS = CALLS };
static const char *const names[] = {"main in read", "read", "recv", "epoll_wait", "poll", "nobody blocks it"};

static int ends[CALLS][2], acknowledged[2];
static int open_for;
static __thread int me;
static volatile sig_atomic_t handled_by[CALLS];
static sem_t begun;

static void handler(int number)
{
    (void)number;
    handled_by[me]++;
    CHECK(write(acknowledged[1], "x", 1) == 1, "write");
}

static void mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ZERO(pthread_sigmask(how, &set, NULL));
}

/* Waits, for as long as it takes, in the call that thread ME is there for, and returns how often it was interrupted. */
static int wait_for_byte(void)
{
    int interrupted = 0, end = ends[me][0], events = epoll_create1(0);
    char byte;
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(events, EPOLL_CTL_ADD, end, &event) == 0, "epoll_ctl");
    for (;;) {
        long result = 0;
        switch (me) {
        case MAIN:
        case READ: result = read(end, &byte, 1); break;
        case RECEIVE: result = recv(end, &byte, 1, 0); break;
        case WAIT_FOR_EVENT: result = epoll_wait(events, &event, 1, -1); break;
        case POLL: result = poll(&(struct pollfd){end, POLLIN, 0}, 1, -1); break;
        }
        if (result == 1)
            break;
        CHECK(result == -1 && errno == EINTR, "%s gave %ld", names[me], result);
        interrupted++;
    }
    close(events);
    return interrupted;
}

static void *body(void *argument)
{
    me = AS_INTEGER(argument);
    mask(open_for == me || open_for == NOBODY_BLOCKS ? SIG_UNBLOCK : SIG_BLOCK);
    sem_post(&begun);
    return AS_POINTER(wait_for_byte());
}

/* Sends the signal when all should wait, hears of the handler, listens for a second one, and lets main go on. */
static pid_t sender(void)
{
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        char byte;
        sleep_ms(60);
        kill(getppid(), SIGUSR1);
        CHECK(read(acknowledged[0], &byte, 1) == 1, "read");
        int again = poll(&(struct pollfd){acknowledged[0], POLLIN, 0}, 1, 20);
        CHECK(write(ends[MAIN][1], "x", 1) == 1, "write");
        _exit(again);
    }
    return child;
}

static void try(int target)
{
    pthread_t threads[CALLS];
    int interrupted[CALLS], status;
    open_for = target;
    memset((void *)handled_by, 0, sizeof handled_by);
    mask(SIG_BLOCK);
    for (int n = 0; n < CALLS; n++)
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[n]) == 0, "socketpair");
    for (int n = 1; n < CALLS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 1; n < CALLS; n++)
        sem_wait(&begun);
    pid_t child = sender();
    if (target == MAIN || target == NOBODY_BLOCKS)
        mask(SIG_UNBLOCK);
    interrupted[MAIN] = wait_for_byte();
    printf("%s:", names[target]);
    for (int n = 0; n < CALLS; n++) {
        if (n != MAIN) {
            CHECK(write(ends[n][1], "x", 1) == 1, "write");
            interrupted[n] = AS_INTEGER(join(threads[n]));
        }
        if (handled_by[n] || interrupted[n])
            printf(" handled by %s %d times, interrupted %d times", names[n], (int)handled_by[n], interrupted[n]);
        close(ends[n][0]);
        close(ends[n][1]);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0, "status %#x", status);
    puts("");
}

int main(void)
{
    sem_init(&begun, 0, 0);
    CHECK(pipe(acknowledged) == 0, "pipe");
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    for (int target = 0; target <= NOBODY_BLOCKS; target++)
        try(target);
    return 0;
}
