/*
 * close of a descriptor in which another thread waits ends only the number: the waiter keeps the file, gets what is
 * written to its other end, and never what comes to a file that has got the number meanwhile. The same when dup2 or
 * close_range takes the number, and for accept, for writes, for epoll_wait and for poll.
 */
#include "waiting.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

static int ends[2], other[2];
static char got[16];

static long reads(void *descriptor)
{
    return read(AS_INTEGER(descriptor), got, sizeof got);
}

static long receives_all(void *descriptor)
{
    return recv(AS_INTEGER(descriptor), got, 6, MSG_WAITALL);
}

static long writes(void *descriptor)
{
    static char bytes[100000];
    return write(AS_INTEGER(descriptor), bytes, sizeof bytes);
}

static long accepts(void *listening)
{
    return accept(AS_INTEGER(listening), NULL, NULL);
}

static long polls(void *descriptor)
{
    struct pollfd entry = {.fd = AS_INTEGER(descriptor), .events = POLLIN};
    return poll(&entry, 1, -1) == 1 ? entry.revents : -1;
}

static long waits_for_epoll(void *set)
{
    struct epoll_event event;
    return epoll_wait(AS_INTEGER(set), &event, 1, -1) == 1 ? event.data.fd : -1;
}

static void by_close(int descriptor)
{
    CHECK(close(descriptor) == 0, "close");
}

static void by_dup2(int descriptor)
{
    CHECK(dup2(other[0], descriptor) == descriptor, "dup2");
}

static void by_close_range(int descriptor)
{
    CHECK(close_range(descriptor, descriptor, 0) == 0, "close_range");
}

/* Takes DESCRIPTOR's number away and gives it to the reading end of another pipe, where bytes lie. */
static void replace(int descriptor, void (*take_away)(int))
{
    take_away(descriptor);
    CHECK(dup2(other[0], descriptor) == descriptor, "the number is not free");
}

static void try(const char *name, void (*make)(int[2]), long (*call)(void *), void (*take_away)(int))
{
    make(ends);
    make_pipe(other);
    COUNT(8, write(other[1], "foreign!", 8));
    struct waiter waiter;
    begin(&waiter, call, AS_POINTER(ends[0]));
    still_waits(&waiter);
    replace(ends[0], take_away);
    still_waits(&waiter);
    COUNT(8, reads(AS_POINTER(ends[0])));
    CHECK(memcmp(got, "foreign!", 8) == 0, "%.8s", got);
    COUNT(8, write(other[1], "foreign!", 8));
    still_waits(&waiter);
    COUNT(6, write(ends[1], "wanted", 6));
    ENDS_WITH(6, &waiter);
    CHECK(memcmp(got, "wanted", 6) == 0, "%.6s", got);
    /* The waiter's was the last use of the file. */
    FAILS(EPIPE, write(ends[1], "more", 4));
    close_both(ends);
    close_both(other);
    printf("%s: the reader kept its file\n", name);
}

static void unix_stream_pair(int pair[2])
{
    unix_pair(pair, SOCK_STREAM);
}

static void try_each_way(const char *name, void (*make)(int[2]), long (*call)(void *))
{
    printf("%s\n", name);
    try("close", make, call, by_close);
    try("dup2", make, call, by_dup2);
    try("close_range", make, call, by_close_range);
}

static void other_calls(void)
{
    struct waiter waiter;
    make_pipe(ends);
    begin(&waiter, writes, AS_POINTER(ends[1]));
    still_waits(&waiter);
    close(ends[1]);
    still_waits(&waiter);
    for (long taken = 0; taken < 100000;) {
        char piece[4096];
        ssize_t count = read(ends[0], piece, sizeof piece);
        CHECK(count > 0, "read gave %zd", count);
        taken += count;
    }
    ENDS_WITH(100000, &waiter);
    COUNT(0, reads(AS_POINTER(ends[0])));
    close(ends[0]);
    puts("write: all of it");

    struct sockaddr_in address;
    int listening = listener(&address, 5);
    begin(&waiter, accepts, AS_POINTER(listening));
    still_waits(&waiter);
    close(listening);
    still_waits(&waiter);
    int descriptor = connected_to(&address), accepted = result_of(&waiter);
    CHECK(accepted >= 0, "accept");
    COUNT(1, write(descriptor, "a", 1));
    COUNT(1, reads(AS_POINTER(accepted)));
    close(accepted);
    close(descriptor);
    puts("accept: a last connection");

    make_pipe(ends);
    begin(&waiter, polls, AS_POINTER(ends[0]));
    still_waits(&waiter);
    close(ends[0]);
    still_waits(&waiter);
    COUNT(1, write(ends[1], "p", 1));
    /* What wakes poll is the file, but then it looks the number up anew. */
    ENDS_WITH(POLLNVAL, &waiter);
    close(ends[1]);
    puts("poll: woken by its file, and the number is gone");

    make_pipe(ends);
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = 77};
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0, "epoll_ctl");
    begin(&waiter, waits_for_epoll, AS_POINTER(set));
    still_waits(&waiter);
    close(set);
    still_waits(&waiter);
    COUNT(1, write(ends[1], "e", 1));
    ENDS_WITH(77, &waiter);
    close_both(ends);
    puts("epoll_wait: its set is ready");
}

int main(void)
{
    start_ticker();
    signal(SIGPIPE, SIG_IGN);
    try_each_way("pipe", make_pipe, reads);
    try_each_way("unix socket", unix_stream_pair, receives_all);
    other_calls();
    tcp_pair(ends);
    struct waiter waiter;
    begin(&waiter, receives_all, AS_POINTER(ends[0]));
    still_waits(&waiter);
    close(ends[0]);
    COUNT(3, write(ends[1], "abc", 3));
    still_waits(&waiter);
    COUNT(3, write(ends[1], "def", 3));
    ENDS_WITH(6, &waiter);
    puts("TCP: all that was wanted");
    return 0;
}
