/*
 * shutdown ends waits that have begun, in whichever thread: reads see the end, writes fail with EPIPE, accept with
 * EINVAL; of the socket's own side and of its peer's.
 */
#include "waiting.h"

enum { READERS = 5 };
static int ends[2];
static char bytes[1 << 22];

static long reads(void *argument)
{
    (void)argument;
    char letter;
    return read(ends[0], &letter, 1);
}

static long receives_all(void *argument)
{
    (void)argument;
    char text[100];
    return recv(ends[0], text, sizeof text, MSG_WAITALL);
}

static long writes(void *argument)
{
    (void)argument;
    return write(ends[0], bytes, sizeof bytes);
}

static long accepts(void *listening)
{
    return accept(AS_INTEGER(listening), NULL, NULL);
}

static void *shuts_down_peer_later(void *argument)
{
    others_go_on();
    CHECK(shutdown(ends[1], SHUT_WR) == 0, "shutdown");
    return argument;
}

static void wake_readers(const char *name, int descriptor, int how)
{
    struct waiter readers[READERS];
    for (int n = 0; n < READERS; n++)
        begin(&readers[n], n % 2 ? receives_all : reads, NULL);
    for (int n = 0; n < READERS; n++)
        still_waits(&readers[n]);
    CHECK(shutdown(descriptor, how) == 0, "shutdown");
    for (int n = 0; n < READERS; n++)
        ENDS_WITH(0, &readers[n]);
    COUNT(0, reads(NULL));
    printf("%s: %d readers saw the end\n", name, READERS);
}

static void wake_writers(const char *name, int how)
{
    struct waiter first, second;
    begin(&first, writes, NULL);
    still_waits(&first);
    begin(&second, writes, NULL);
    still_waits(&second);
    CHECK(shutdown(ends[0], how) == 0, "shutdown");
    /* The one that had begun gives what was taken by then, if anything. */
    long written = result_of(&first);
    CHECK(written < (long)sizeof bytes && (written > 0 || errno == EPIPE), "write gave %ld", written);
    written = result_of(&second);
    CHECK(written < (long)sizeof bytes && (written > 0 || errno == EPIPE), "write gave %ld", written);
    FAILS(EPIPE, writes(NULL));
    printf("%s: two writers failed\n", name);
}

static void try(const char *name, void (*make)(int[2]))
{
    printf("%s\n", name);
    make(ends);
    wake_readers("own SHUT_RD", ends[0], SHUT_RD);
    wake_writers("own SHUT_WR", SHUT_WR);
    close_both(ends);
    make(ends);
    wake_readers("peer's SHUT_WR", ends[1], SHUT_WR);
    CHECK(send(ends[0], bytes, 10, 0) == 10, "the other way is shut too");
    close_both(ends);
    make(ends);
    wake_readers("own SHUT_RDWR", ends[0], SHUT_RDWR);
    FAILS(EPIPE, writes(NULL));
    close_both(ends);
    make(ends);
    wake_writers("SHUT_RDWR", SHUT_RDWR);
    close_both(ends);
    make(ends);
    pthread_t thread = start(shuts_down_peer_later, NULL);
    COUNT(0, reads(NULL));
    join(thread);
    puts("main saw the end");
    close_both(ends);
}

static void unix_stream_pair(int pair[2])
{
    unix_pair(pair, SOCK_STREAM);
}

static void wake_accepting(const char *name, int listening)
{
    struct waiter acceptors[READERS];
    for (int n = 0; n < READERS; n++)
        begin(&acceptors[n], accepts, AS_POINTER(listening));
    for (int n = 0; n < READERS; n++)
        still_waits(&acceptors[n]);
    CHECK(shutdown(listening, SHUT_RDWR) == 0, "shutdown");
    for (int n = 0; n < READERS; n++) {
        long result = result_of(&acceptors[n]);
        CHECK(result == -1 && errno == EINVAL, "accept gave %ld", result);
    }
    printf("%s: %d accepts failed\n", name, READERS);
    close(listening);
}

int main(void)
{
    start_ticker();
    signal(SIGPIPE, SIG_IGN);
    try("TCP", tcp_pair);
    try("unix", unix_stream_pair);

    struct sockaddr_in address;
    wake_accepting("TCP listener", listener(&address, 5));
    struct sockaddr_un name;
    socklen_t length = unix_address(&name, "shutdown");
    int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(listening, (struct sockaddr *)&name, length) == 0 && listen(listening, 5) == 0, "listen");
    wake_accepting("unix listener", listening);

    ends[0] = bound_socket(SOCK_DGRAM, &address);
    struct waiter reader;
    begin(&reader, reads, NULL);
    still_waits(&reader);
    /* Not connected, hence the error; it wakes the reader all the same. */
    FAILS(ENOTCONN, shutdown(ends[0], SHUT_RDWR));
    ENDS_WITH(0, &reader);
    puts("UDP: woken");
    return 0;
}
