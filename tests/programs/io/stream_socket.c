/*
 * Stream sockets, AF_UNIX and TCP: accept and accept4 wait for a connection, all the calls that receive wait for
 * bytes, all that send wait until everything is taken and give the full count; recvmsg and sendmsg, readv and writev
 * keep to their parts. Main takes each part once, too.
 */
#include "waiting.h"
#include <fcntl.h>
#include <sys/uio.h>

enum { LENGTH = 1 << 19 };
static int ends[2];
static unsigned char *bytes;
static char first[3], second[8];

static long reads(void *argument)
{
    (void)argument;
    return read(ends[0], second, sizeof second);
}

static long receives(void *argument)
{
    (void)argument;
    return recv(ends[0], second, sizeof second, 0);
}

static long receives_from(void *argument)
{
    (void)argument;
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    return recvfrom(ends[0], second, sizeof second, 0, (struct sockaddr *)&from, &length);
}

static struct iovec in_parts[] = {{first, sizeof first}, {NULL, 0}, {second, sizeof second}};

static long reads_parts(void *argument)
{
    (void)argument;
    return readv(ends[0], in_parts, 3);
}

static long receives_message(void *argument)
{
    (void)argument;
    struct msghdr message = {.msg_iov = in_parts, .msg_iovlen = 3};
    return recvmsg(ends[0], &message, 0);
}

static long writes(void *argument)
{
    (void)argument;
    return write(ends[1], bytes, LENGTH);
}

static long sends(void *argument)
{
    (void)argument;
    return send(ends[1], bytes, LENGTH, 0);
}

static long sends_to_nobody_else(void *argument)
{
    (void)argument;
    return sendto(ends[1], bytes, LENGTH, 0, NULL, 0);
}

static int out_parts(struct iovec parts[4])
{
    parts[0] = (struct iovec){bytes, 7};
    parts[1] = (struct iovec){bytes + 7, 0};
    parts[2] = (struct iovec){bytes + 7, 200000};
    parts[3] = (struct iovec){bytes + 200007, LENGTH - 200007};
    return 4;
}

static long writes_parts(void *argument)
{
    (void)argument;
    struct iovec parts[4];
    return writev(ends[1], parts, out_parts(parts));
}

static long sends_message(void *argument)
{
    (void)argument;
    struct iovec parts[4];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = out_parts(parts)};
    return sendmsg(ends[1], &message, 0);
}

static void *sends_a_little(void *argument)
{
    others_go_on();
    COUNT(5, send(ends[1], argument, 5, 0));
    return NULL;
}

static void *receives_all(void *argument)
{
    read_slowly(ends[0], LENGTH, 4);
    return argument;
}

static void check_received(int in_two_parts)
{
    int in_first = in_two_parts ? 3 : 0;
    CHECK(memcmp(first, "abc", in_first) == 0, "first part %.3s", first);
    CHECK(memcmp(second, &"abcde"[in_first], 5 - in_first) == 0, "second part %.5s", second);
    memset(first, 0, sizeof first);
    memset(second, 0, sizeof second);
}

static void exchange(const char *name)
{
    static struct {
        const char *name;
        long (*call)(void *);
        int in_two_parts;
    } receivers[] = {
        {"read", reads, 0}, {"recv", receives, 0}, {"recvfrom", receives_from, 0},
        {"readv", reads_parts, 1}, {"recvmsg", receives_message, 1},
    }, senders[] = {
        {"write", writes, 0}, {"send", sends, 0}, {"sendto", sends_to_nobody_else, 0},
        {"writev", writes_parts, 1}, {"sendmsg", sends_message, 1},
    };
    struct waiter waiter;
    for (int n = 0; n < 5; n++) {
        begin(&waiter, receivers[n].call, NULL);
        still_waits(&waiter);
        COUNT(5, send(ends[1], "abcde", 5, 0));
        ENDS_WITH(5, &waiter);
        check_received(receivers[n].in_two_parts);
        pthread_t thread = start(sends_a_little, "abcde");
        COUNT(5, receivers[n].call(NULL));
        join(thread);
        check_received(receivers[n].in_two_parts);

        begin(&waiter, senders[n].call, NULL);
        still_waits(&waiter);
        read_slowly(ends[0], LENGTH, 4);
        ENDS_WITH(LENGTH, &waiter);
        thread = start(receives_all, NULL);
        COUNT(LENGTH, senders[n].call(NULL));
        join(thread);
        printf("%s: %s and %s\n", name, receivers[n].name, senders[n].name);
    }
    begin(&waiter, reads, NULL);
    still_waits(&waiter);
    close(ends[1]);
    ENDS_WITH(0, &waiter);
    COUNT(0, recv(ends[0], second, sizeof second, 0));
    close(ends[0]);
    printf("%s: the end\n", name);
}

static long accepts(void *listening)
{
    return accept(AS_INTEGER(listening), NULL, NULL);
}

static long accepts_with_flags(void *listening)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    return accept4(AS_INTEGER(listening), (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Sockets with small buffers, which TCP would otherwise let grow to megabytes. */
static int client(int family)
{
    int descriptor = socket(family, SOCK_STREAM, 0), small = 16384;
    CHECK(descriptor >= 0, "socket");
    CHECK(setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0, "SO_RCVBUF");
    return descriptor;
}

static void converse(const char *name, int family, int listening, void *address, socklen_t length)
{
    struct waiter waiter;
    begin(&waiter, accepts_with_flags, AS_POINTER(listening));
    still_waits(&waiter);
    ends[0] = client(family);
    CHECK(connect(ends[0], address, length) == 0, "connect");
    ends[1] = result_of(&waiter);
    CHECK(ends[1] >= 0, "accept4");
    CHECK((fcntl(ends[1], F_GETFL) & O_NONBLOCK) && fcntl(ends[1], F_GETFD) == FD_CLOEXEC, "flags of accept4");
    char letter;
    FAILS(EAGAIN, recv(ends[1], &letter, 1, 0));
    close_both(ends);

    begin(&waiter, accepts, AS_POINTER(listening));
    still_waits(&waiter);
    ends[0] = client(family);
    CHECK(connect(ends[0], address, length) == 0, "connect");
    ends[1] = result_of(&waiter);
    CHECK(ends[1] >= 0, "accept");
    CHECK(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK) && fcntl(ends[1], F_GETFD) == 0, "flags of accept");
    printf("%s: accepted\n", name);
    close(listening);
    exchange(name);
}

int main(void)
{
    start_ticker();
    bytes = stream_of(LENGTH, 4);
    struct sockaddr_in address;
    int listening = listener(&address, 5), small = 16384;
    CHECK(setsockopt(listening, SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0, "SO_SNDBUF");
    converse("TCP", AF_INET, listening, &address, sizeof address);

    struct sockaddr_un name;
    socklen_t length = unix_address(&name, "stream_socket");
    listening = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(listening, (struct sockaddr *)&name, length) == 0, "bind");
    CHECK(listen(listening, 5) == 0, "listen");
    converse("unix", AF_UNIX, listening, &name, length);
    return 0;
}
