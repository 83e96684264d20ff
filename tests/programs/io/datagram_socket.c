/*
 * Datagrams keep their borders: recvfrom waits for one and names its sender, an empty one is no end, what does not fit
 * is cut off and marked. UDP and AF_UNIX; a send to a full AF_UNIX queue waits for room, also on a socket that is not
 * connected, whose own state says nothing about the receiver's queue.
 */
#include "waiting.h"

static int receiver, sender;
static char got[100];

static long receives(void *from)
{
    socklen_t length = sizeof(struct sockaddr_storage);
    return recvfrom(receiver, got, sizeof got, 0, from, from ? &length : NULL);
}

static long receives_message(void *flags)
{
    struct msghdr message = {.msg_iov = (struct iovec[]){{got, 2}, {got + 10, 3}}, .msg_iovlen = 2};
    long result = recvmsg(receiver, &message, 0);
    *(int *)flags = message.msg_flags;
    return result;
}

static long reads(void *argument)
{
    (void)argument;
    return read(receiver, got, sizeof got);
}

/* Where a send goes to, for sockets that are not connected. */
struct destination {
    const void *address;
    socklen_t length;
};

static long sends_to(void *argument)
{
    const struct destination *destination = argument;
    return sendto(sender, "waits", 5, 0, destination->address, destination->length);
}

static void keep_borders(const char *name, struct destination *to)
{
    struct waiter waiter;
    begin(&waiter, receives, NULL);
    still_waits(&waiter);
    COUNT(5, sends_to(to));
    ENDS_WITH(5, &waiter);

    begin(&waiter, reads, NULL);
    still_waits(&waiter);
    COUNT(0, sendto(sender, NULL, 0, 0, to->address, to->length));
    ENDS_WITH(0, &waiter);
    printf("%s: an empty datagram\n", name);

    int flags;
    begin(&waiter, receives_message, &flags);
    still_waits(&waiter);
    COUNT(8, sendto(sender, "datagram", 8, 0, to->address, to->length));
    COUNT(5, sends_to(to));
    ENDS_WITH(5, &waiter);
    CHECK(flags & MSG_TRUNC, "flags %#x", flags);
    printf("%s: cut to %.2s and %.3s\n", name, got, got + 10);
    COUNT(5, receives_message(&flags));
    CHECK(!(flags & MSG_TRUNC), "flags %#x", flags);
    FAILS(EAGAIN, recv(receiver, got, sizeof got, MSG_DONTWAIT));
}

static void udp(void)
{
    struct sockaddr_in address, own;
    struct sockaddr_storage from;
    receiver = bound_socket(SOCK_DGRAM, &address);
    sender = bound_socket(SOCK_DGRAM, &own);
    struct destination to = {&address, sizeof address};
    keep_borders("UDP", &to);
    struct waiter waiter;
    begin(&waiter, receives, &from);
    still_waits(&waiter);
    COUNT(5, sends_to(&to));
    ENDS_WITH(5, &waiter);
    struct sockaddr_in *inet = (struct sockaddr_in *)&from;
    CHECK(inet->sin_port == own.sin_port && inet->sin_addr.s_addr == own.sin_addr.s_addr, "another sender");
    puts("UDP: the sender's address");

    /* A connected socket learns that nobody is there any more. */
    CHECK(connect(sender, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    close(receiver);
    receiver = sender;
    begin(&waiter, reads, NULL);
    still_waits(&waiter);
    COUNT(1, send(sender, "x", 1, 0));
    long result = result_of(&waiter);
    CHECK(result == -1 && errno == ECONNREFUSED, "read gave %ld", result);
    puts("UDP: nobody there");
    close(sender);
}

static int fill_queue(struct destination *to)
{
    int count = 0;
    while (sendto(sender, "waits", 5, MSG_DONTWAIT, to->address, to->length) == 5)
        count++;
    CHECK(errno == EAGAIN && count > 0, "%d sent", count);
    return count;
}

static void wait_for_room(const char *name, struct destination *to)
{
    struct waiter waiter, second;
    int count = fill_queue(to);
    begin(&waiter, sends_to, to);
    still_waits(&waiter);
    COUNT(5, recv(receiver, got, sizeof got, 0));
    ENDS_WITH(5, &waiter);
    begin(&waiter, sends_to, to);
    begin(&second, sends_to, to);
    still_waits(&waiter);
    still_waits(&second);
    for (int n = 0; n < count + 2; n++)
        COUNT(5, recv(receiver, got, sizeof got, 0));
    ENDS_WITH(5, &waiter);
    ENDS_WITH(5, &second);
    FAILS(EAGAIN, recv(receiver, got, sizeof got, MSG_DONTWAIT));
    printf("%s: sends waited for room\n", name);

    fill_queue(to);
    begin(&waiter, sends_to, to);
    still_waits(&waiter);
    close(receiver);
    long result = result_of(&waiter);
    /* EPIPE where the sender had been woken by the receiver's end, ECONNREFUSED where it looked again afterwards. */
    CHECK(result == -1 && (errno == ECONNREFUSED || errno == EPIPE || errno == ECONNRESET), "sendto gave %ld", result);
    printf("%s: the receiver went away\n", name);
    close(sender);
}

static void unix_sockets(const char *name, int connected)
{
    struct sockaddr_un address, own;
    struct sockaddr_storage from;
    socklen_t length = unix_address(&address, name), own_length = unix_address(&own, "sender");
    receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
    sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(bind(receiver, (struct sockaddr *)&address, length) == 0, "bind");
    CHECK(bind(sender, (struct sockaddr *)&own, own_length) == 0, "bind");
    struct destination to = {&address, length};
    if (connected) {
        CHECK(connect(sender, (struct sockaddr *)&address, length) == 0, "connect");
        to = (struct destination){NULL, 0};
    }
    keep_borders(name, &to);
    COUNT(5, sends_to(&to));
    COUNT(5, receives(&from));
    CHECK(memcmp(&from, &own, own_length) == 0, "another sender");
    wait_for_room(name, &to);
}

int main(void)
{
    start_ticker();
    signal(SIGPIPE, SIG_IGN);
    udp();
    unix_sockets("unix, connected", 1);
    unix_sockets("unix, not connected", 0);
    return 0;
}
