/*
 * An epoll set is itself something to wait for: in poll, in select and in another set, by threads of their own, while
 * one more thread waits in the set itself.
 */
#include "waiting.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int inner, outer, ends[2];

static long polls(void *argument)
{
    (void)argument;
    struct pollfd entry = {.fd = inner, .events = POLLIN};
    return poll(&entry, 1, -1) == 1 ? entry.revents : -1;
}

static long selects(void *argument)
{
    (void)argument;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(inner, &set);
    return select(inner + 1, &set, NULL, NULL, NULL);
}

static long waits(void *set)
{
    struct epoll_event event;
    return epoll_wait(AS_INTEGER(set), &event, 1, -1) == 1 ? event.data.fd : -1;
}

static void add(int set, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) == 0, "epoll_ctl");
}

int main(void)
{
    start_ticker();
    make_pipe(ends);
    inner = epoll_create1(0);
    outer = epoll_create1(0);
    add(inner, ends[0]);
    add(outer, inner);
    for (int round = 0; round < 5; round++) {
        struct waiter in_poll, in_select, in_outer, in_inner;
        begin(&in_poll, polls, NULL);
        begin(&in_select, selects, NULL);
        begin(&in_outer, waits, AS_POINTER(outer));
        begin(&in_inner, waits, AS_POINTER(inner));
        still_waits(&in_poll);
        still_waits(&in_select);
        still_waits(&in_outer);
        still_waits(&in_inner);
        COUNT(1, write(ends[1], "n", 1));
        ENDS_WITH(POLLIN, &in_poll);
        ENDS_WITH(1, &in_select);
        ENDS_WITH(inner, &in_outer);
        ENDS_WITH(ends[0], &in_inner);
        /* Level-triggered: all are ready until the byte is taken. */
        CHECK(polls(NULL) == POLLIN && selects(NULL) == 1, "no longer ready");
        CHECK(waits(AS_POINTER(outer)) == inner, "no longer ready");
        char letter;
        COUNT(1, read(ends[0], &letter, 1));
        struct pollfd entry = {.fd = outer, .events = POLLIN};
        CHECK(poll(&entry, 1, 0) == 0, "still ready");
    }
    puts("poll, select, a set and a set within");

    struct waiter in_outer;
    int second[2];
    make_pipe(second);
    begin(&in_outer, waits, AS_POINTER(outer));
    still_waits(&in_outer);
    add(inner, second[0]);
    still_waits(&in_outer);
    COUNT(1, write(second[1], "s", 1));
    ENDS_WITH(inner, &in_outer);
    puts("added to the inner set while a thread waits in the outer one");
    struct epoll_event event = {.events = EPOLLIN};
    FAILS(ELOOP, epoll_ctl(inner, EPOLL_CTL_ADD, outer, &event));
    return 0;
}
