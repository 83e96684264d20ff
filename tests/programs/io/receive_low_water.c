/*
 * SO_RCVLOWAT: a receive waits until as many bytes have come, or fewer if it wants fewer, or the end; it takes what
 * there is then. MSG_DONTWAIT takes less, MSG_WAITALL waits for more.
 */
#include "waiting.h"

enum { LOW = 10 };
static int ends[2];
static char got[100];

static long receives(void *length)
{
    return recv(ends[0], got, AS_INTEGER(length), 0);
}

static long reads(void *length)
{
    return read(ends[0], got, AS_INTEGER(length));
}

static long receives_all(void *length)
{
    return recv(ends[0], got, AS_INTEGER(length), MSG_WAITALL);
}

static void send_bytes(int count)
{
    COUNT(count, send(ends[1], "0123456789abcdefghijklmnopqrstuv", count, 0));
}

static void try(const char *name)
{
    struct waiter waiter;
    int low = LOW;
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0, "SO_RCVLOWAT");
    long (*calls[])(void *) = {receives, reads};
    for (int n = 0; n < 2; n++) {
        begin(&waiter, calls[n], AS_POINTER(sizeof got));
        still_waits(&waiter);
        send_bytes(LOW - 1);
        still_waits(&waiter);
        send_bytes(5);
        ENDS_WITH(LOW + 4, &waiter);

        send_bytes(4);
        COUNT(3, calls[n](AS_POINTER(3)));
        COUNT(1, recv(ends[0], got, sizeof got, MSG_DONTWAIT));
    }
    begin(&waiter, receives_all, AS_POINTER(2 * LOW));
    send_bytes(LOW);
    still_waits(&waiter);
    send_bytes(LOW);
    ENDS_WITH(2 * LOW, &waiter);

    begin(&waiter, receives, AS_POINTER(sizeof got));
    send_bytes(4);
    still_waits(&waiter);
    close(ends[1]);
    ENDS_WITH(4, &waiter);
    close(ends[0]);
    printf("%s: waited for %d bytes\n", name, LOW);
}

int main(void)
{
    start_ticker();
    tcp_pair(ends);
    try("TCP");
    unix_pair(ends, SOCK_STREAM);
    try("unix");
    return 0;
}
