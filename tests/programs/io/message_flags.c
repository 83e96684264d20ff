/*
 * Flags of a single call: MSG_WAITALL waits for all bytes unless the end of the stream or a signal comes first;
 * MSG_PEEK leaves them; MSG_DONTWAIT does not wait on a socket that does; MSG_NOSIGNAL spares SIGPIPE; MSG_TRUNC tells
 * a datagram's length and throws a stream's bytes away.
 */
#include "waiting.h"
#include <fcntl.h>

enum { LENGTH = 300000, PEEKED = 30000 };
static int ends[2];
static unsigned char *bytes, *got;
static volatile int handled;

static long receives_all(void *argument)
{
    (void)argument;
    return recv(ends[0], got, LENGTH, MSG_WAITALL);
}

/* A peek can't wait for more than the receive buffer holds. */
static long peeks_all(void *argument)
{
    (void)argument;
    return recv(ends[0], got, PEEKED, MSG_WAITALL | MSG_PEEK);
}

static long receives_ten(void *flags)
{
    return recv(ends[0], got, 10, AS_INTEGER(flags));
}

static void handler(int number)
{
    handled = number;
}

static void wait_for_all(const char *name)
{
    struct waiter waiter;
    begin(&waiter, receives_all, NULL);
    for (int place = 0; place < LENGTH; place += LENGTH / 5) {
        still_waits(&waiter);
        COUNT(LENGTH / 5, send(ends[1], bytes + place, LENGTH / 5, 0));
    }
    ENDS_WITH(LENGTH, &waiter);
    check_stream(got, LENGTH, 0, 5);
    printf("%s: MSG_WAITALL, all\n", name);

    struct msghdr message = {.msg_iov = (struct iovec[]){{got, 3}, {got + 100, 5}}, .msg_iovlen = 2};
    COUNT(8, send(ends[1], bytes, 8, 0));
    COUNT(8, recvmsg(ends[0], &message, MSG_WAITALL));
    check_stream(got + 100, 5, 3, 5);

    begin(&waiter, receives_all, NULL);
    COUNT(1000, send(ends[1], bytes, 1000, 0));
    still_waits(&waiter);
    ZERO(pthread_kill(waiter.thread, SIGUSR1));
    ENDS_WITH(1000, &waiter);
    CHECK(handled == SIGUSR1, "not handled");
    printf("%s: MSG_WAITALL, cut short by a signal\n", name);

    COUNT(1000, send(ends[1], bytes, 1000, 0));
    COUNT(1000, recv(ends[0], got, LENGTH, MSG_WAITALL | MSG_DONTWAIT));
    printf("%s: MSG_WAITALL with MSG_DONTWAIT\n", name);
}

static void peek(const char *name)
{
    struct waiter waiter;
    begin(&waiter, receives_ten, AS_POINTER(MSG_PEEK));
    still_waits(&waiter);
    COUNT(4, send(ends[1], "peek", 4, 0));
    ENDS_WITH(4, &waiter);
    COUNT(4, recv(ends[0], got, 10, MSG_PEEK));
    COUNT(2, recv(ends[0], got, 2, 0));
    COUNT(2, recv(ends[0], got, 10, MSG_PEEK));
    CHECK(memcmp(got, "ek", 2) == 0, "%.2s", got);
    COUNT(2, recv(ends[0], got, 10, 0));
    FAILS(EAGAIN, recv(ends[0], got, 10, MSG_DONTWAIT | MSG_PEEK));
    FAILS(EAGAIN, recv(ends[0], got, 10, MSG_DONTWAIT));
    CHECK(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK), "O_NONBLOCK came from nowhere");
    printf("%s: MSG_PEEK and MSG_DONTWAIT\n", name);
}

static void send_without_waiting(const char *name)
{
    long sent = 0, taken = 0;
    for (;;) {
        ssize_t count = send(ends[1], bytes, LENGTH, MSG_DONTWAIT);
        if (count < 0)
            break;
        sent += count;
    }
    CHECK(errno == EAGAIN && sent > 0, "sent %ld", sent);
    while (taken < sent) {
        ssize_t count = recv(ends[0], got, LENGTH, 0);
        CHECK(count > 0, "recv gave %zd of %ld", count, sent - taken);
        taken += count;
    }
    printf("%s: MSG_DONTWAIT sends what there is room for\n", name);
}

static void see_the_end(const char *name)
{
    struct waiter waiter;
    begin(&waiter, receives_all, NULL);
    COUNT(1000, send(ends[1], bytes, 1000, 0));
    still_waits(&waiter);
    close(ends[1]);
    ENDS_WITH(1000, &waiter);
    COUNT(0, recv(ends[0], got, 10, MSG_WAITALL));
    printf("%s: MSG_WAITALL, cut short by the end\n", name);
    handled = 0;
    /* TCP's first send only provokes the reset. */
    for (int n = 0; n < 100 && send(ends[0], bytes, 10, MSG_NOSIGNAL) == 10; n++)
        others_go_on();
    FAILS(EPIPE, send(ends[0], bytes, 10, MSG_NOSIGNAL));
    CHECK(handled == 0, "signal %d", handled);
    FAILS(EPIPE, send(ends[0], bytes, 10, 0));
    CHECK(handled == SIGPIPE, "signal %d", handled);
    close(ends[0]);
    printf("%s: MSG_NOSIGNAL\n", name);
}

static void try(const char *name, void (*make)(int[2]))
{
    make(ends);
    wait_for_all(name);
    peek(name);
    send_without_waiting(name);
    see_the_end(name);
}

static void unix_stream_pair(int pair[2])
{
    unix_pair(pair, SOCK_STREAM);
}

int main(void)
{
    start_ticker();
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGPIPE, &action, NULL);
    bytes = stream_of(LENGTH, 5);
    got = malloc(LENGTH);
    try("TCP", tcp_pair);
    try("unix", unix_stream_pair);

    tcp_pair(ends);
    struct waiter waiter;
    begin(&waiter, peeks_all, NULL);
    for (int place = 0; place < PEEKED; place += PEEKED / 3) {
        still_waits(&waiter);
        COUNT(PEEKED / 3, send(ends[1], bytes + place, PEEKED / 3, 0));
    }
    ENDS_WITH(PEEKED, &waiter);
    check_stream(got, PEEKED, 0, 5);
    puts("TCP: MSG_WAITALL with MSG_PEEK waits for all and leaves all");
    COUNT(PEEKED, recv(ends[0], NULL, PEEKED, MSG_WAITALL | MSG_TRUNC));
    begin(&waiter, receives_ten, AS_POINTER(MSG_TRUNC));
    still_waits(&waiter);
    COUNT(3, send(ends[1], bytes, 3, 0));
    ENDS_WITH(3, &waiter);
    puts("TCP: MSG_TRUNC throws bytes away");
    close_both(ends);

    unix_pair(ends, SOCK_STREAM);
    COUNT(10, send(ends[1], bytes, 10, 0));
    COUNT(10, recv(ends[0], got, LENGTH, MSG_WAITALL | MSG_PEEK));
    puts("unix: MSG_WAITALL with MSG_PEEK takes what is there");
    close_both(ends);

    unix_pair(ends, SOCK_DGRAM);
    begin(&waiter, receives_ten, AS_POINTER(MSG_TRUNC | MSG_PEEK));
    still_waits(&waiter);
    COUNT(40, send(ends[1], bytes, 40, 0));
    ENDS_WITH(40, &waiter);
    COUNT(40, recv(ends[0], got, 10, MSG_TRUNC | MSG_WAITALL));
    puts("datagram: MSG_TRUNC tells its length");
    return 0;
}
