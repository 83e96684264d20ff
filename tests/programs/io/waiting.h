/*
 * What the I/O programs share: a thread that makes one call and waits in it, proof that meanwhile all others go on,
 * pipes and sockets, and bytes that tell where they stood.
 */
#ifndef WAITING_H
#define WAITING_H

#include "../check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

static volatile long ticks;

static void *ticker(void *argument)
{
    for (;;) {
        sleep_ms(1);
        ticks++;
    }
    return argument;
}

/* Starts the thread that others_go_on looks at. It ends with the process. */
static inline void start_ticker(void)
{
    ZERO(pthread_detach(start(ticker, NULL)));
}

/* Returns once another thread has slept and run a few times: never, if one that waits has stopped them all. */
static inline void others_go_on(void)
{
    long seen = ticks;
    while (ticks < seen + 5)
        sleep_ms(1);
}

/* A thread that makes one call, and what came of it. */
struct waiter {
    pthread_t thread;
    long (*call)(void *);
    void *argument;
    long result;
    int error;
    volatile int begun, over;
};

static void *make_call(void *argument)
{
    struct waiter *waiter = argument;
    waiter->begun = 1;
    errno = 0;
    waiter->result = waiter->call(waiter->argument);
    waiter->error = errno;
    waiter->over = 1;
    return NULL;
}

/* Makes CALL in a thread of its own. */
static inline void begin(struct waiter *waiter, long (*call)(void *), void *argument)
{
    *waiter = (struct waiter){.call = call, .argument = argument};
    waiter->thread = start(make_call, waiter);
}

/* Checks that the call, once it is made, has not returned while others had time to run. */
static inline void still_waits(struct waiter *waiter)
{
    while (!waiter->begun)
        sleep_ms(1);
    others_go_on();
    CHECK(!waiter->over, "the call gave %ld, error %d, instead of waiting", waiter->result, waiter->error);
}

/* What the call gave, once it has returned; errno is set as it left it. */
static inline long result_of(struct waiter *waiter)
{
    join(waiter->thread);
    errno = waiter->error;
    return waiter->result;
}

/* Checks that the call gives VALUE. */
#define ENDS_WITH(value, waiter)                                                               \
    do {                                                                                       \
        long ends_result = result_of(waiter);                                                  \
        CHECK(ends_result == (long)(value), "the call gave %ld", ends_result);                 \
    } while (0)

/* For system calls that return a count: checks that it is this one. */
#define COUNT(value, call)                                                                     \
    do {                                                                                       \
        long count_result = (long)(call);                                                      \
        CHECK(count_result == (long)(value), "%s gave %ld", #call, count_result);              \
    } while (0)

/* The byte that stands at PLACE in a stream called SEED. */
static inline unsigned char byte_at(size_t place, unsigned seed)
{
    return (unsigned char)(place * 31 + (place >> 8) * 7 + (place >> 16) + seed);
}

/* Memory with the first LENGTH bytes of a stream. */
static inline unsigned char *stream_of(size_t length, unsigned seed)
{
    unsigned char *bytes = malloc(length);
    for (size_t place = 0; place < length; place++)
        bytes[place] = byte_at(place, seed);
    return bytes;
}

/* Checks that BYTES are those that stand from PLACE on. */
static inline void check_stream(const unsigned char *bytes, size_t length, size_t place, unsigned seed)
{
    for (size_t n = 0; n < length; n++)
        CHECK(bytes[n] == byte_at(place + n, seed), "a wrong byte at %zu", place + n);
}

/* Reads a stream of LENGTH bytes slowly and in odd pieces. */
static inline void read_slowly(int descriptor, size_t length, unsigned seed)
{
    unsigned char piece[10007];
    size_t place = 0;
    for (int round = 0; place < length; round++) {
        if (round % 32 == 0)
            others_go_on();
        size_t wanted = length - place < sizeof piece ? length - place : sizeof piece;
        ssize_t got = read(descriptor, piece, wanted);
        CHECK(got > 0, "read gave %zd at %zu", got, place);
        check_stream(piece, got, place, seed);
        place += got;
    }
}

static inline void make_pipe(int ends[2])
{
    CHECK(pipe(ends) == 0, "pipe");
}

static inline void close_both(int ends[2])
{
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0, "close");
}

static inline void unix_pair(int ends[2], int type)
{
    CHECK(socketpair(AF_UNIX, type, 0, ends) == 0, "socketpair");
}

/* A socket of TYPE bound to a free port of 127.0.0.1, and its address. */
static inline int bound_socket(int type, struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, type, 0);
    CHECK(descriptor >= 0, "socket");
    CHECK(bind(descriptor, (struct sockaddr *)address, length) == 0, "bind");
    CHECK(getsockname(descriptor, (struct sockaddr *)address, &length) == 0, "getsockname");
    return descriptor;
}

/* A TCP socket that listens on 127.0.0.1. */
static inline int listener(struct sockaddr_in *address, int backlog)
{
    int descriptor = bound_socket(SOCK_STREAM, address);
    CHECK(listen(descriptor, backlog) == 0, "listen");
    return descriptor;
}

/* A TCP socket connected to ADDRESS. */
static inline int connected_to(const struct sockaddr_in *address)
{
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(descriptor >= 0, "socket");
    CHECK(connect(descriptor, (const struct sockaddr *)address, sizeof *address) == 0, "connect");
    return descriptor;
}

/* Both ends of a TCP connection over 127.0.0.1. */
static inline void tcp_pair(int ends[2])
{
    struct sockaddr_in address;
    int listening = listener(&address, 1);
    ends[0] = connected_to(&address);
    ends[1] = accept(listening, NULL, NULL);
    CHECK(ends[1] >= 0, "accept");
    close(listening);
}

/* An address in the abstract namespace, of this process and NAME alone; returns its length. */
static inline socklen_t unix_address(struct sockaddr_un *address, const char *name)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "%s %d", name, (int)getpid());
    return offsetof(struct sockaddr_un, sun_path) + 1 + length;
}

#endif
