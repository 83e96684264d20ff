/*
 * connect to an AF_UNIX listener whose backlog is full waits, in its own thread only, until one is accepted, or as long
 * as SO_SNDTIMEO says; fifty threads that wait there all get through. Nothing tells a program that there is room again.
 */
#include "waiting.h"
#include <sys/time.h>

enum { CLIENTS = 50, TIMEOUT_MS = 50 };
static struct sockaddr_un name;
static socklen_t name_length;

static long connects(void *type)
{
    int descriptor = socket(AF_UNIX, AS_INTEGER(type), 0);
    long result = connect(descriptor, (struct sockaddr *)&name, name_length);
    return result == 0 ? descriptor : result;
}

static long connects_with_limit(void *type)
{
    struct timeval limit = {.tv_usec = TIMEOUT_MS * 1000};
    int descriptor = socket(AF_UNIX, AS_INTEGER(type), 0);
    CHECK(setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0, "SO_SNDTIMEO");
    return connect(descriptor, (struct sockaddr *)&name, name_length);
}

static void accept_one(int listening)
{
    int descriptor = accept(listening, NULL, NULL);
    CHECK(descriptor >= 0 && close(descriptor) == 0, "accept");
}

static void try(const char *what, int type)
{
    name_length = unix_address(&name, what);
    int listening = socket(AF_UNIX, type, 0);
    CHECK(bind(listening, (struct sockaddr *)&name, name_length) == 0 && listen(listening, 1) == 0, "listen");
    int first = connects(AS_POINTER(type)), second = connects(AS_POINTER(type));
    CHECK(first >= 0 && second >= 0, "connect");

    struct waiter third;
    begin(&third, connects, AS_POINTER(type));
    still_waits(&third);
    int impatient = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    FAILS(EAGAIN, connect(impatient, (struct sockaddr *)&name, name_length));
    close(impatient);
    still_waits(&third);
    accept_one(listening);
    int descriptor = result_of(&third);
    CHECK(descriptor >= 0, "connect");
    printf("%s: waited for room\n", what);

    struct waiter limited;
    int64_t begun = now_ns(CLOCK_MONOTONIC);
    begin(&limited, connects_with_limit, AS_POINTER(type));
    long result = result_of(&limited);
    CHECK(result == -1 && errno == EAGAIN, "connect gave %ld", result);
    /* The kernel counts the limit in ticks of its own, the first of which may be short. */
    CHECK(now_ns(CLOCK_MONOTONIC) - begun > TIMEOUT_MS * MILLISECOND / 2, "returned early");
    FAILS(EAGAIN, connects_with_limit(AS_POINTER(type)));
    printf("%s: waited as long as it may\n", what);

    static struct waiter clients[CLIENTS];
    for (int n = 0; n < CLIENTS; n++)
        begin(&clients[n], connects, AS_POINTER(type));
    still_waits(&clients[CLIENTS - 1]);
    for (int n = 0; n < CLIENTS; n++)
        CHECK(!clients[n].over, "client %d did not wait", n);
    for (int n = 0; n < CLIENTS + 2; n++)
        accept_one(listening);
    for (int n = 0; n < CLIENTS; n++) {
        long client = result_of(&clients[n]);
        CHECK(client >= 0 && close(client) == 0, "connect gave %ld", client);
    }
    close(first);
    close(second);
    close(descriptor);
    close(listening);
    printf("%s: %d got through\n", what, CLIENTS);
}

int main(void)
{
    start_ticker();
    try("stream", SOCK_STREAM);
    try("packets", SOCK_SEQPACKET);
    return 0;
}
