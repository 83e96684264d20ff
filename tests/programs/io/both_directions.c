/*
 * One descriptor, several waiters: a thread waits to read and another to write the same socket, others poll it for
 * input and for its end, and some wait on a duplicate of its number; each goes on when what it waits for has come and
 * not before. Closing the duplicate leaves the others waiting.
 */
#include "waiting.h"
#include <poll.h>

enum { LENGTH = 1 << 22 };
static int ends[2], second;
static unsigned char *bytes;

static long reads(void *descriptor)
{
    char letter;
    return read(AS_INTEGER(descriptor), &letter, 1);
}

static long writes(void *descriptor)
{
    return write(AS_INTEGER(descriptor), bytes, LENGTH);
}

static long polls(void *events)
{
    struct pollfd entry = {.fd = ends[0], .events = AS_INTEGER(events)};
    return poll(&entry, 1, -1) == 1 ? entry.revents : -1;
}

static void try(const char *name)
{
    second = dup(ends[0]);
    struct waiter reader, writer, sees_input, sees_end, second_reader, third_reader;
    begin(&writer, writes, AS_POINTER(ends[0]));
    begin(&reader, reads, AS_POINTER(ends[0]));
    begin(&sees_input, polls, AS_POINTER(POLLIN));
    still_waits(&writer);
    begin(&sees_end, polls, AS_POINTER(POLLRDHUP));
    begin(&second_reader, reads, AS_POINTER(second));
    begin(&third_reader, reads, AS_POINTER(second));
    struct waiter *all[] = {&reader, &writer, &sees_input, &sees_end, &second_reader, &third_reader};
    for (int n = 0; n < 6; n++)
        still_waits(all[n]);

    /* Input for one of the three readers; the poll may see it or be too late. */
    COUNT(1, write(ends[1], "1", 1));
    while (reader.over + second_reader.over + third_reader.over < 1)
        others_go_on();
    still_waits(&writer);
    still_waits(&sees_end);
    CHECK(reader.over + second_reader.over + third_reader.over == 1, "more readers than bytes");
    COUNT(2, write(ends[1], "23", 2));
    ENDS_WITH(1, &reader);
    ENDS_WITH(1, &second_reader);
    ENDS_WITH(1, &third_reader);
    COUNT(1, write(ends[1], "4", 1));
    ENDS_WITH(POLLIN, &sees_input);
    COUNT(1, reads(AS_POINTER(ends[0])));
    still_waits(&writer);
    puts("readers were served, writers wait");

    begin(&second_reader, reads, AS_POINTER(ends[0]));
    still_waits(&second_reader);
    CHECK(close(second) == 0, "close");
    still_waits(&second_reader);
    read_slowly(ends[1], LENGTH, 7);
    ENDS_WITH(LENGTH, &writer);
    still_waits(&second_reader);
    COUNT(1, write(ends[1], "5", 1));
    ENDS_WITH(1, &second_reader);
    still_waits(&sees_end);
    CHECK(shutdown(ends[1], SHUT_WR) == 0, "shutdown");
    ENDS_WITH(POLLRDHUP, &sees_end);
    close_both(ends);
    printf("%s: both directions\n", name);
}

int main(void)
{
    start_ticker();
    bytes = stream_of(LENGTH, 7);
    unix_pair(ends, SOCK_STREAM);
    try("unix");
    tcp_pair(ends);
    int small = 65536;
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0, "SO_SNDBUF");
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0, "SO_RCVBUF");
    try("TCP");
    return 0;
}
