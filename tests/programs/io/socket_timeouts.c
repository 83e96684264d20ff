/*
 * SO_RCVTIMEO and SO_SNDTIMEO end a wait with EAGAIN, or with what there was by then, while other threads go on;
 * TCP connections inherit them from the listener; 0 means to wait for ever again. A handler ends such a wait with EINTR
 * even if SA_RESTART is set.
 */
#include "waiting.h"
#include <sys/time.h>

enum { TIMEOUT_MS = 40, LENGTH = 1 << 22 };
static int ends[2], listening;
static char *bytes;

static void limit(int descriptor, int option, int milliseconds)
{
    struct timeval time = {.tv_usec = milliseconds * 1000}, set;
    socklen_t length = sizeof set;
    CHECK(setsockopt(descriptor, SOL_SOCKET, option, &time, sizeof time) == 0, "setsockopt");
    CHECK(getsockopt(descriptor, SOL_SOCKET, option, &set, &length) == 0, "getsockopt");
    CHECK((set.tv_usec != 0) == (milliseconds != 0), "%ld us", (long)set.tv_usec);
}

static long reads(void *argument)
{
    (void)argument;
    return read(ends[0], bytes, 100);
}

static long receives(void *argument)
{
    (void)argument;
    return recv(ends[0], bytes, 100, 0);
}

static long receives_message(void *argument)
{
    (void)argument;
    struct msghdr message = {.msg_iov = &(struct iovec){bytes, 100}, .msg_iovlen = 1};
    return recvmsg(ends[0], &message, 0);
}

static long receives_all(void *argument)
{
    (void)argument;
    return recv(ends[0], bytes, 100, MSG_WAITALL);
}

static long writes(void *argument)
{
    (void)argument;
    return write(ends[0], bytes, LENGTH);
}

static long sends(void *argument)
{
    (void)argument;
    return send(ends[0], bytes, LENGTH, 0);
}

static long accepts(void *argument)
{
    (void)argument;
    return accept(listening, NULL, NULL);
}

/* The call must give RESULT, with EAGAIN if that is -1, and not at once. */
static void times_out(const char *name, long result, long (*call)(void *), void *argument)
{
    struct waiter waiter;
    long seen = ticks;
    int64_t begun = now_ns(CLOCK_MONOTONIC);
    begin(&waiter, call, argument);
    ENDS_WITH(result, &waiter);
    int error = errno;
    /* The kernel counts the limit in ticks of its own, the first of which may be short. */
    CHECK(now_ns(CLOCK_MONOTONIC) - begun > TIMEOUT_MS * MILLISECOND / 2, "returned early");
    CHECK(ticks > seen, "no other thread ran");
    CHECK(result != -1 || error == EAGAIN, "error %d", error);
    begun = now_ns(CLOCK_MONOTONIC);
    if (result == -1) {
        FAILS(EAGAIN, call(argument));
        CHECK(now_ns(CLOCK_MONOTONIC) - begun > TIMEOUT_MS * MILLISECOND / 2, "main's call returned early");
    }
    printf("%s: timed out with %ld\n", name, result);
}

static void handler(int number)
{
    (void)number;
}

static void receive_and_send(const char *name)
{
    printf("%s\n", name);
    limit(ends[0], SO_RCVTIMEO, TIMEOUT_MS);
    times_out("read", -1, reads, NULL);
    times_out("recv", -1, receives, NULL);
    times_out("recvmsg", -1, receives_message, NULL);
    times_out("recv of all", -1, receives_all, NULL);
    COUNT(10, send(ends[1], bytes, 10, 0));
    times_out("recv of all, ten there", 10, receives_all, NULL);
    FAILS(EAGAIN, recv(ends[0], bytes, 10, MSG_DONTWAIT));

    limit(ends[0], SO_RCVTIMEO, 0);
    struct waiter waiter;
    begin(&waiter, reads, NULL);
    still_waits(&waiter);
    sleep_ms(TIMEOUT_MS * 2);
    still_waits(&waiter);
    /* A limit set meanwhile is for the next call. */
    limit(ends[0], SO_RCVTIMEO, 1);
    still_waits(&waiter);
    COUNT(10, send(ends[1], bytes, 10, 0));
    ENDS_WITH(10, &waiter);
    puts("no limit: waited");

    limit(ends[0], SO_SNDTIMEO, TIMEOUT_MS);
    begin(&waiter, sends, NULL);
    long sent = result_of(&waiter);
    CHECK(sent > 0 && sent < LENGTH, "sent %ld", sent);
    /* TCP may move bytes from one end's buffer to the other's meanwhile. */
    while (sends(NULL) > 0) {
    }
    times_out("send", -1, sends, NULL);
    times_out("write", -1, writes, NULL);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0, "close");
}

int main(void)
{
    start_ticker();
    bytes = calloc(1, LENGTH);
    tcp_pair(ends);
    int small = 65536;
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0, "SO_SNDBUF");
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0, "SO_RCVBUF");
    receive_and_send("TCP");
    unix_pair(ends, SOCK_STREAM);
    receive_and_send("unix");
    unix_pair(ends, SOCK_DGRAM);
    limit(ends[0], SO_RCVTIMEO, TIMEOUT_MS);
    times_out("datagram recv", -1, receives, NULL);

    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    struct timeval long_time = {.tv_sec = 1000};
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &long_time, sizeof long_time) == 0, "setsockopt");
    struct waiter waiter;
    begin(&waiter, receives, NULL);
    still_waits(&waiter);
    ZERO(pthread_kill(waiter.thread, SIGUSR1));
    long result = result_of(&waiter);
    CHECK(result == -1 && errno == EINTR, "recv gave %ld", result);
    puts("with a limit: EINTR in spite of SA_RESTART");
    close_both(ends);

    struct sockaddr_in address;
    listening = listener(&address, 5);
    limit(listening, SO_RCVTIMEO, TIMEOUT_MS);
    times_out("accept", -1, accepts, NULL);
    ends[1] = connected_to(&address);
    ends[0] = accepts(NULL);
    CHECK(ends[0] >= 0, "accept");
    times_out("recv of an accepted socket", -1, receives, NULL);
    close_both(ends);
    close(listening);
    return 0;
}
