/*
 * poll, ppoll, select and pselect wait in one thread each for pipes and sockets: for what was asked, for POLLHUP,
 * POLLERR and POLLNVAL unasked, for one of many descriptors, until their timeout; a signal that their mask lets through
 * ends them with EINTR, and the thread's mask is back afterwards.
 */
#include "waiting.h"
#include <poll.h>
#include <sys/select.h>

enum { MANY = 300 };
static int ends[2], many[MANY][2];
static volatile int handled;

static void handler(int number)
{
    handled = number;
}

static long polls(void *timeout)
{
    struct pollfd entries[] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1, .events = POLLIN, .revents = 77}};
    int count = poll(entries, 2, AS_INTEGER(timeout));
    CHECK(count < 0 || (count == (entries[0].revents != 0) && entries[1].revents == 0), "poll gave %d", count);
    return count < 0 ? count : entries[0].revents;
}

static long polls_many(void *argument)
{
    (void)argument;
    struct pollfd entries[MANY];
    for (int n = 0; n < MANY; n++)
        entries[n] = (struct pollfd){.fd = many[n][0], .events = POLLIN};
    CHECK(poll(entries, MANY, -1) == 1, "not one is ready");
    for (int n = 0; n < MANY; n++)
        if (entries[n].revents)
            return n;
    return -1;
}

static long selects(void *milliseconds)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval time = {.tv_usec = AS_INTEGER(milliseconds) * 1000};
    int count = select(ends[0] + 1, &set, NULL, NULL, milliseconds ? &time : NULL);
    CHECK(count < 0 || count == FD_ISSET(ends[0], &set), "select gave %d", count);
    CHECK(count != 0 || time.tv_usec == 0, "%ld us are left", (long)time.tv_usec);
    return count;
}

static long selects_many(void *argument)
{
    (void)argument;
    fd_set set;
    FD_ZERO(&set);
    for (int n = 0; n < MANY; n++)
        FD_SET(many[n][0], &set);
    CHECK(select(FD_SETSIZE, &set, NULL, NULL, NULL) == 1, "not one is ready");
    for (int n = 0; n < MANY; n++)
        if (FD_ISSET(many[n][0], &set))
            return n;
    return -1;
}

/* Lets SIGUSR1, which main has blocked before the thread began, through during the call only. */
static long with_mask(int (*call)(const sigset_t *))
{
    sigset_t none, own;
    sigemptyset(&none);
    int result = call(&none);
    int error = errno;
    pthread_sigmask(SIG_BLOCK, NULL, &own);
    CHECK(sigismember(&own, SIGUSR1), "the mask is not back");
    errno = error;
    return result;
}

static int ppoll_with(const sigset_t *mask)
{
    struct pollfd entry = {.fd = ends[0], .events = POLLIN};
    return ppoll(&entry, 1, &(struct timespec){1000, 0}, mask);
}

static int pselect_with(const sigset_t *mask)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    return pselect(ends[0] + 1, &set, NULL, NULL, NULL, mask);
}

static long ppolls(void *argument)
{
    (void)argument;
    return with_mask(ppoll_with);
}

static long pselects(void *argument)
{
    (void)argument;
    return with_mask(pselect_with);
}

static void ready_by_bytes(const char *name)
{
    struct {
        long (*call)(void *);
        void *argument;
        long result;
    } calls[] = {
        {polls, AS_POINTER(-1), POLLIN}, {polls, AS_POINTER(1000000), POLLIN}, {selects, AS_POINTER(0), 1},
        {selects, AS_POINTER(900), 1}, {ppolls, NULL, 1}, {pselects, NULL, 1},
    };
    struct waiter waiters[6];
    for (int n = 0; n < 6; n++)
        begin(&waiters[n], calls[n].call, calls[n].argument);
    still_waits(&waiters[0]);
    COUNT(1, write(ends[1], "r", 1));
    for (int n = 0; n < 6; n++)
        ENDS_WITH(calls[n].result, &waiters[n]);
    CHECK(polls(AS_POINTER(0)) == POLLIN, "no longer ready");
    char letter;
    COUNT(1, read(ends[0], &letter, 1));
    CHECK(polls(AS_POINTER(0)) == 0, "still ready");
    printf("%s: six waiters saw the byte\n", name);
}

static void time_out(void)
{
    struct waiter first, second;
    int64_t begun = now_ns(CLOCK_MONOTONIC);
    begin(&first, polls, AS_POINTER(30));
    begin(&second, selects, AS_POINTER(30));
    ENDS_WITH(0, &first);
    ENDS_WITH(0, &second);
    CHECK(now_ns(CLOCK_MONOTONIC) - begun >= 30 * MILLISECOND, "returned early");
    CHECK(poll(NULL, 0, 10) == 0, "poll of nothing");
    puts("timeouts: 0");
}

static void interrupt(const char *name, long (*call)(void *))
{
    struct waiter waiter;
    handled = 0;
    begin(&waiter, call, NULL);
    still_waits(&waiter);
    ZERO(pthread_kill(waiter.thread, SIGUSR1));
    long result = result_of(&waiter);
    CHECK(result == -1 && errno == EINTR && handled == SIGUSR1, "the call gave %ld, handled %d", result, handled);
    printf("%s: EINTR\n", name);
}

static long polls_write_end(void *argument)
{
    (void)argument;
    struct pollfd entry = {.fd = ends[1], .events = POLLOUT};
    return poll(&entry, 1, -1) == 1 ? entry.revents : -1;
}

static long polls_for_nothing(void *argument)
{
    (void)argument;
    struct pollfd entry = {.fd = ends[0]};
    return poll(&entry, 1, -1) == 1 ? entry.revents : -1;
}

static void unasked_events(void)
{
    struct waiter waiter, second;
    make_pipe(ends);
    begin(&waiter, polls, AS_POINTER(-1));
    begin(&second, polls_for_nothing, NULL);
    still_waits(&waiter);
    close(ends[1]);
    ENDS_WITH(POLLHUP, &waiter);
    ENDS_WITH(POLLHUP, &second);
    CHECK(selects(NULL) == 1, "the end can be read");
    close(ends[0]);
    CHECK(polls(AS_POINTER(-1)) == POLLNVAL, "closed");
    FAILS(EBADF, selects(NULL));

    make_pipe(ends);
    static char full[65536];
    COUNT(sizeof full, write(ends[1], full, sizeof full));
    begin(&waiter, polls_write_end, NULL);
    still_waits(&waiter);
    COUNT(sizeof full, read(ends[0], full, sizeof full));
    ENDS_WITH(POLLOUT, &waiter);
    COUNT(sizeof full, write(ends[1], full, sizeof full));
    begin(&waiter, polls_write_end, NULL);
    still_waits(&waiter);
    close(ends[0]);
    ENDS_WITH(POLLERR, &waiter);
    close(ends[1]);

    unix_pair(ends, SOCK_STREAM);
    begin(&waiter, polls, AS_POINTER(-1));
    still_waits(&waiter);
    close(ends[1]);
    ENDS_WITH(POLLIN | POLLHUP, &waiter);
    close(ends[0]);
    puts("POLLHUP, POLLERR, POLLNVAL");
}

int main(void)
{
    start_ticker();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    make_pipe(ends);
    ready_by_bytes("pipe");
    time_out();
    interrupt("ppoll", ppolls);
    interrupt("pselect", pselects);
    close_both(ends);
    unix_pair(ends, SOCK_STREAM);
    ready_by_bytes("unix");
    close_both(ends);
    tcp_pair(ends);
    ready_by_bytes("TCP");
    close_both(ends);
    unasked_events();

    for (int n = 0; n < MANY; n++)
        make_pipe(many[n]);
    for (int n = MANY - 1; n > 0; n -= 37) {
        struct waiter waiter, second;
        begin(&waiter, polls_many, NULL);
        begin(&second, selects_many, NULL);
        still_waits(&waiter);
        COUNT(1, write(many[n][1], "m", 1));
        ENDS_WITH(n, &waiter);
        ENDS_WITH(n, &second);
        char letter;
        COUNT(1, read(many[n][0], &letter, 1));
    }
    printf("one of %d\n", MANY);
    return 0;
}
