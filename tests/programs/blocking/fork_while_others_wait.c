/*
 * main forks while threads are blocked in read, recv, accept and epoll_wait. The child has threads that block in the
 * same calls on descriptors of its own. The parent's threads get what is sent to them, and get it once: nothing in the
 * child takes it. Either the child ends first, or it lives until the parent's threads are done.
 */
#include "../check.h"
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { READ, RECEIVE, ACCEPT, WAIT_FOR_EVENT, CALLS, THREADS = 3 * CALLS };
static int ends[THREADS][2];
static struct sockaddr_storage addresses[THREADS];
static socklen_t lengths[THREADS];
static sem_t begun;

static void prepare(int n)
{
    if (n % CALLS == ACCEPT) {
        struct sockaddr_storage any = {.ss_family = AF_UNIX};
        lengths[n] = sizeof addresses[n];
        ends[n][0] = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK(bind(ends[n][0], (struct sockaddr *)&any, sizeof(sa_family_t)) == 0, "bind");
        CHECK(listen(ends[n][0], 5) == 0, "listen");
        CHECK(getsockname(ends[n][0], (struct sockaddr *)&addresses[n], &lengths[n]) == 0, "getsockname");
        ends[n][1] = socket(AF_UNIX, SOCK_STREAM, 0);
    } else {
        CHECK((n % CALLS == RECEIVE ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends[n]) : pipe(ends[n])) == 0, "pipe");
    }
}

/* Waits in the call of thread N until BYTE comes. */
static void *waits(void *argument)
{
    int n = AS_INTEGER(argument), end = ends[n][0];
    char byte = 0;
    if (n % CALLS == WAIT_FOR_EVENT) {
        struct epoll_event event = {.events = EPOLLIN};
        int events = epoll_create1(0);
        CHECK(epoll_ctl(events, EPOLL_CTL_ADD, end, &event) == 0, "epoll_ctl");
        sem_post(&begun);
        CHECK(epoll_wait(events, &event, 1, -1) == 1, "epoll_wait");
        close(events);
    } else {
        sem_post(&begun);
    }
    if (n % CALLS == ACCEPT) {
        end = accept(end, NULL, NULL);
        CHECK(end >= 0, "accept");
    }
    ssize_t length = n % CALLS == RECEIVE ? recv(end, &byte, 1, 0) : read(end, &byte, 1);
    CHECK(length == 1, "thread %d read %zd", n, length);
    if (n % CALLS == ACCEPT)
        close(end);
    return AS_POINTER(byte);
}

static void begin(pthread_t *threads)
{
    for (int n = 0; n < THREADS; n++) {
        prepare(n);
        threads[n] = start(waits, AS_POINTER(n));
    }
    for (int n = 0; n < THREADS; n++)
        sem_wait(&begun);
    sleep_ms(20);
}

/* Sends each thread its byte, the last one first, and expects that it gets just that. */
static int serve(pthread_t *threads)
{
    int served = 0;
    for (int n = THREADS - 1; n >= 0; n--) {
        int end = ends[n][1];
        if (n % CALLS == ACCEPT)
            CHECK(connect(end, (struct sockaddr *)&addresses[n], lengths[n]) == 0, "connect");
        CHECK(write(end, (char[]){(char)('a' + n)}, 1) == 1, "write");
        int got = AS_INTEGER(join(threads[n]));
        CHECK(got == 'a' + n, "thread %d got %d", n, got);
        served++;
    }
    return served;
}

static void close_all(void)
{
    for (int n = 0; n < THREADS; n++) {
        close(ends[n][0]);
        close(ends[n][1]);
    }
}

/* What the parent sends now is for nobody: it must still be there when the child has ended. */
static void send_more(void)
{
    for (int n = 0; n < THREADS; n++)
        if (n % CALLS != ACCEPT)
            CHECK(write(ends[n][1], "zz", 2) == 2, "write");
}

static void expect_more(void)
{
    for (int n = 0; n < THREADS; n++) {
        int there = 2;
        if (n % CALLS != ACCEPT)
            CHECK(ioctl(ends[n][0], FIONREAD, &there) == 0 && there == 2, "%d bytes of pipe %d are there", there, n);
    }
}

static void try(int child_first)
{
    pthread_t threads[THREADS];
    int go_on[2], status;
    char byte;
    CHECK(pipe(go_on) == 0, "pipe");
    begin(threads);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        pthread_t own[THREADS];
        CHECK(child_first || read(go_on[0], &byte, 1) == 1, "read");
        begin(own);
        _exit(serve(own));
    }
    int served = child_first ? 0 : serve(threads);
    if (!child_first) {
        send_more();
        CHECK(write(go_on[1], "x", 1) == 1, "write");
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "status %#x", status);
    if (child_first)
        served = serve(threads);
    else
        expect_more();
    printf("served in the child %d, in the parent %d\n", WEXITSTATUS(status), served);
    close_all();
    close(go_on[0]);
    close(go_on[1]);
}

int main(void)
{
    sem_init(&begun, 0, 0);
    try(1);
    try(0);
    return 0;
}
