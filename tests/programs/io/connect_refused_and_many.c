/*
 * connect: refused where nobody listens, over TCP and AF_UNIX; by a hundred threads at once; without waiting,
 * EINPROGRESS and later writable.
 */
#include "waiting.h"
#include <fcntl.h>
#include <poll.h>

enum { CLIENTS = 100 };
static struct sockaddr_in address;
static struct sockaddr_un name;
static socklen_t name_length;

static long connects(void *argument)
{
    (void)argument;
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    long result = connect(descriptor, (struct sockaddr *)&address, sizeof address);
    return result == 0 ? descriptor : result;
}

static long connects_by_name(void *argument)
{
    (void)argument;
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    long result = connect(descriptor, (struct sockaddr *)&name, name_length);
    return result == 0 ? descriptor : result;
}

static void refused(const char *what, long (*call)(void *))
{
    struct waiter waiter;
    begin(&waiter, call, NULL);
    long result = result_of(&waiter);
    CHECK(result == -1 && errno == ECONNREFUSED, "%s: connect gave %ld", what, result);
    FAILS(ECONNREFUSED, call(NULL));
    printf("%s: refused\n", what);
}

static void *accepts(void *listening)
{
    for (int n = 0; n < CLIENTS; n++) {
        if (n % 20 == 0)
            others_go_on();
        int descriptor = accept(AS_INTEGER(listening), NULL, NULL);
        CHECK(descriptor >= 0, "accept");
        COUNT(1, send(descriptor, "w", 1, 0));
        close(descriptor);
    }
    return NULL;
}

static void many(const char *what, int listening, long (*call)(void *))
{
    static struct waiter clients[CLIENTS];
    for (int n = 0; n < CLIENTS; n++)
        begin(&clients[n], call, NULL);
    pthread_t acceptor = start(accepts, AS_POINTER(listening));
    for (int n = 0; n < CLIENTS; n++) {
        int descriptor = result_of(&clients[n]);
        char letter;
        CHECK(descriptor >= 0, "connect");
        COUNT(1, recv(descriptor, &letter, 1, 0));
        COUNT(0, recv(descriptor, &letter, 1, 0));
        close(descriptor);
    }
    join(acceptor);
    printf("%s: %d connected\n", what, CLIENTS);
}

int main(void)
{
    start_ticker();
    int listening = listener(&address, CLIENTS);
    close(listening);
    refused("TCP", connects);
    name_length = unix_address(&name, "nobody");
    refused("unix", connects_by_name);

    listening = listener(&address, CLIENTS);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    FAILS(EINPROGRESS, connect(descriptor, (struct sockaddr *)&address, sizeof address));
    struct pollfd entry = {.fd = descriptor, .events = POLLOUT};
    CHECK(poll(&entry, 1, -1) == 1 && entry.revents == POLLOUT, "revents %#x", entry.revents);
    CHECK(connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0, "connect again");
    FAILS(EISCONN, connect(descriptor, (struct sockaddr *)&address, sizeof address));
    CHECK(fcntl(descriptor, F_GETFL) & O_NONBLOCK, "O_NONBLOCK is lost");
    close(accept(listening, NULL, NULL));
    close(descriptor);
    descriptor = connects(NULL);
    CHECK(descriptor >= 0 && !(fcntl(descriptor, F_GETFL) & O_NONBLOCK), "flags of %d", descriptor);
    close(accept(listening, NULL, NULL));
    close(descriptor);
    puts("TCP: with and without waiting");
    many("TCP", listening, connects);
    close(listening);
    refused("TCP, closed again", connects);

    name_length = unix_address(&name, "connect");
    listening = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(listening, (struct sockaddr *)&name, name_length) == 0, "bind");
    refused("unix, bound only", connects_by_name);
    CHECK(listen(listening, CLIENTS) == 0, "listen");
    many("unix", listening, connects_by_name);
    return 0;
}
