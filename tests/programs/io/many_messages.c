/*
 * recvmmsg waits for all its messages, with MSG_WAITFORONE for one, and looks at its timeout only when a message has
 * come; sendmmsg sends all, waiting for room in the receiver's queue.
 */
#include "waiting.h"

enum { MOST = 40 };
static int receiver, sender;

struct batch {
    int count, flags;
    struct timespec *timeout;
    struct mmsghdr messages[MOST];
    struct iovec parts[MOST];
    int numbers[MOST];
};

static struct batch *prepare(struct batch *batch, int count, int flags, struct timespec *timeout)
{
    *batch = (struct batch){.count = count, .flags = flags, .timeout = timeout};
    for (int n = 0; n < count; n++) {
        batch->numbers[n] = n;
        batch->parts[n] = (struct iovec){&batch->numbers[n], sizeof(int)};
        batch->messages[n].msg_hdr = (struct msghdr){.msg_iov = &batch->parts[n], .msg_iovlen = 1};
    }
    return batch;
}

static long receives(void *argument)
{
    struct batch *batch = argument;
    return recvmmsg(receiver, batch->messages, batch->count, batch->flags, batch->timeout);
}

static long sends(void *argument)
{
    struct batch *batch = argument;
    return sendmmsg(sender, batch->messages, batch->count, batch->flags);
}

static void send_number(int number)
{
    COUNT(sizeof number, send(sender, &number, sizeof number, 0));
}

static void check_numbers(const struct batch *batch, int count, int first)
{
    for (int n = 0; n < count; n++) {
        CHECK(batch->messages[n].msg_len == sizeof(int), "message %d has %u bytes", n, batch->messages[n].msg_len);
        CHECK(batch->numbers[n] == first + n, "message %d is %d", n, batch->numbers[n]);
    }
}

static void try(const char *name)
{
    static struct batch batch;
    struct waiter waiter;
    begin(&waiter, receives, prepare(&batch, 5, 0, NULL));
    for (int n = 0; n < 5; n++) {
        still_waits(&waiter);
        send_number(100 + n);
    }
    ENDS_WITH(5, &waiter);
    check_numbers(&batch, 5, 100);
    printf("%s: all five\n", name);

    begin(&waiter, receives, prepare(&batch, 5, MSG_WAITFORONE, NULL));
    still_waits(&waiter);
    send_number(200);
    ENDS_WITH(1, &waiter);
    check_numbers(&batch, 1, 200);
    for (int n = 0; n < 3; n++)
        send_number(300 + n);
    COUNT(3, receives(prepare(&batch, 5, MSG_WAITFORONE, NULL)));
    check_numbers(&batch, 3, 300);
    FAILS(EAGAIN, receives(prepare(&batch, 5, MSG_DONTWAIT, NULL)));
    printf("%s: those there are\n", name);

    struct timespec timeout = timespec_of(50 * MILLISECOND);
    begin(&waiter, receives, prepare(&batch, 5, 0, &timeout));
    still_waits(&waiter);
    send_number(400);
    still_waits(&waiter);
    sleep_ms(100);
    still_waits(&waiter);
    send_number(401);
    ENDS_WITH(2, &waiter);
    check_numbers(&batch, 2, 400);
    CHECK(timeout.tv_sec == 0 && timeout.tv_nsec == 0, "%ld ns left", timeout.tv_nsec);
    printf("%s: the timeout counts when a message comes\n", name);

    timeout = timespec_of(1000 * SECOND);
    send_number(500);
    send_number(501);
    COUNT(2, receives(prepare(&batch, 2, 0, &timeout)));
    CHECK(timeout.tv_sec < 1000 && timeout.tv_sec > 900, "%ld s left", (long)timeout.tv_sec);
    printf("%s: what is left of the timeout\n", name);
}

int main(void)
{
    start_ticker();
    struct sockaddr_in address;
    receiver = bound_socket(SOCK_DGRAM, &address);
    sender = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(connect(sender, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    try("UDP");
    close(receiver);
    close(sender);

    int ends[2];
    unix_pair(ends, SOCK_DGRAM);
    receiver = ends[0];
    sender = ends[1];
    try("unix");

    static struct batch out, in;
    int room = 0;
    while (send(sender, &room, sizeof room, MSG_DONTWAIT) == sizeof room)
        room++;
    struct waiter waiter;
    begin(&waiter, sends, prepare(&out, MOST, 0, NULL));
    still_waits(&waiter);
    for (int n = 0; n < room; n++) {
        int number;
        COUNT(sizeof number, recv(receiver, &number, sizeof number, 0));
        CHECK(number == n, "%d instead of %d", number, n);
    }
    COUNT(MOST, receives(prepare(&in, MOST, 0, NULL)));
    check_numbers(&in, MOST, 0);
    ENDS_WITH(MOST, &waiter);
    puts("sendmmsg: all sent, waiting for room");
    return 0;
}
