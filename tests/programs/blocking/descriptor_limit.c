/*
 * A process that may have 64 descriptors opens them all. Calls that need one more fail with EMFILE; threads that wait
 * for files, before and after, are served all the same; a descriptor that is closed can be had again. In a child, the
 * last descriptor is taken before there is any thread.
 */
#include "../check.h"
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { LIMIT = 64, THREADS = 6 };
static int ends[THREADS][2], listener, connecting;
static sem_t begun;
static struct sockaddr_storage address = {.ss_family = AF_UNIX};
static socklen_t address_length = sizeof address;

static void *waits(void *argument)
{
    int me = AS_INTEGER(argument), end = ends[me][0];
    char byte = 0;
    sem_post(&begun);
    switch (me % 3) {
    case 0: CHECK(read(end, &byte, 1) == 1, "read"); break;
    case 1: CHECK(recv(end, &byte, 1, 0) == 1, "recv"); break;
    case 2:
        CHECK(poll(&(struct pollfd){end, POLLIN, 0}, 1, -1) == 1, "poll");
        CHECK(read(end, &byte, 1) == 1, "read");
        break;
    }
    return AS_POINTER(byte);
}

static void *accepts(void *argument)
{
    sem_post(&begun);
    FAILS(EMFILE, accept(listener, NULL, NULL));
    return argument;
}

static void begin(pthread_t *threads)
{
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(waits, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        sem_wait(&begun);
    sleep_ms(10);
}

static int serve(pthread_t *threads)
{
    int sum = 0;
    for (int n = THREADS - 1; n >= 0; n--) {
        CHECK(write(ends[n][1], (char[]){(char)(n + 1)}, 1) == 1, "write");
        sum += AS_INTEGER(join(threads[n]));
    }
    return sum;
}

/* Opens descriptors up to the limit and returns the last one. */
static int open_all(void)
{
    int last = -1, next;
    while ((next = dup(0)) >= 0)
        last = next;
    CHECK(errno == EMFILE && last > LIMIT - 10, "errno %d, last descriptor %d", errno, last);
    return last;
}

static void find_none_left(void)
{
    int two[2];
    FAILS(EMFILE, open("/dev/null", O_RDONLY));
    FAILS(EMFILE, pipe(two));
    FAILS(EMFILE, socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(EMFILE, socketpair(AF_UNIX, SOCK_STREAM, 0, two));
    FAILS(EMFILE, epoll_create1(0));
    FAILS(EMFILE, dup(0));
    FAILS(EMFILE, fcntl(0, F_DUPFD, 3));
    FAILS(EBADF, dup2(0, LIMIT));
}

int main(void)
{
    pthread_t before[THREADS], after[THREADS];
    int status;
    sem_init(&begun, 0, 0);
    CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){LIMIT, LIMIT}) == 0, "setrlimit");
    for (int n = 0; n < THREADS; n++)
        CHECK((n % 3 == 1 ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends[n]) : pipe(ends[n])) == 0, "pipe");
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    connecting = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, 2) == 0 && listen(listener, 2) == 0, "listen");
    CHECK(getsockname(listener, (struct sockaddr *)&address, &address_length) == 0, "getsockname");

    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        open_all();
        begin(before);
        find_none_left();
        _exit(serve(before));
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "status %#x", status);
    printf("all taken before the first thread: sum %d\n", WEXITSTATUS(status));

    begin(before);
    int last = open_all();
    find_none_left();
    printf("threads from before: sum %d\n", serve(before));
    begin(after);
    printf("threads from after: sum %d\n", serve(after));
    pthread_t accepting = start(accepts, NULL);
    sem_wait(&begun);
    CHECK(connect(connecting, (struct sockaddr *)&address, address_length) == 0, "connect");
    join(accepting);
    CHECK(close(last) == 0 && open("/dev/null", O_RDONLY) == last, "not the number that was closed");
    find_none_left();
    puts("EMFILE, and no more than that");
    return 0;
}
