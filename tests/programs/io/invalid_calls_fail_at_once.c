/*
 * A call that can't succeed fails at once, with nothing there to wait for and other threads at work: what is not a
 * listener, not connected, not a socket, not open that way, too short for an event, or asked with unknown flags.
 */
#include "waiting.h"
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static char got[16];
/* Volatile, so that the compiler does not warn of the counts. */
static volatile int negative = -1, too_many = 1025;

static void accepts(void)
{
    int ends[2], datagrams, listening;
    struct sockaddr_in address;
    tcp_pair(ends);
    FAILS(EINVAL, accept(ends[0], NULL, NULL));
    close_both(ends);
    unix_pair(ends, SOCK_STREAM);
    FAILS(EINVAL, accept(ends[0], NULL, NULL));
    close_both(ends);
    datagrams = bound_socket(SOCK_DGRAM, &address);
    FAILS(EOPNOTSUPP, accept(datagrams, NULL, NULL));
    close(datagrams);
    int fresh = socket(AF_INET, SOCK_STREAM, 0);
    FAILS(EINVAL, accept(fresh, NULL, NULL));
    FAILS(ENOTCONN, recv(fresh, got, 1, 0));
    FAILS(EPIPE, send(fresh, got, 1, MSG_NOSIGNAL));
    close(fresh);
    make_pipe(ends);
    FAILS(ENOTSOCK, accept(ends[0], NULL, NULL));
    FAILS(ENOTSOCK, recv(ends[0], got, 1, 0));
    FAILS(ENOTSOCK, connect(ends[0], (struct sockaddr *)&address, sizeof address));
    close_both(ends);
    listening = listener(&address, 5);
    FAILS(EINVAL, accept4(listening, NULL, NULL, 1));
    FAILS(ENOTCONN, recv(listening, got, 1, 0));
    FAILS(ENOTCONN, read(listening, got, 1));
    FAILS(EBADF, accept(12345, NULL, NULL));
    close(listening);
    puts("sockets");
}

static void pipes(void)
{
    int ends[2];
    make_pipe(ends);
    FAILS(EBADF, read(ends[1], got, 1));
    FAILS(EBADF, write(ends[0], got, 1));
    FAILS(EBADF, read(12345, got, 1));
    FAILS(ESPIPE, pread(ends[0], got, 1, 0));
    FAILS(EINVAL, readv(ends[0], (struct iovec[]){{got, 1}}, negative));
    FAILS(EINVAL, readv(ends[0], (struct iovec[]){{got, 1}}, too_many));
    FAILS(EOPNOTSUPP, preadv2(ends[0], (struct iovec[]){{got, 1}}, 1, -1, 1 << 20));
    FAILS(EBADF, splice(ends[1], NULL, ends[0], NULL, 10, 0));
    FAILS(EINVAL, splice(ends[0], NULL, ends[1], NULL, 10, 0));
    FAILS(ESPIPE, splice(ends[0], &(off64_t){0}, ends[1], NULL, 10, 0));
    FAILS(EINVAL, tee(ends[0], ends[1], 10, 0));
    FAILS(EBADF, tee(ends[1], ends[0], 10, 0));
    COUNT(0, read(ends[0], got, 0));
    COUNT(0, write(ends[1], got, 0));
    COUNT(0, readv(ends[0], NULL, 0));
    close_both(ends);
    int directory = open("/", O_RDONLY | O_DIRECTORY);
    FAILS(EISDIR, read(directory, got, 1));
    close(directory);
    puts("pipes");
}

static void events(void)
{
    int counter = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0), set = epoll_create1(0);
    sigset_t none;
    sigemptyset(&none);
    int signals = signalfd(-1, &none, 0);
    FAILS(EINVAL, read(counter, got, 4));
    FAILS(EINVAL, write(counter, got, 4));
    FAILS(EINVAL, read(timer, got, 4));
    FAILS(EINVAL, write(timer, got, 8));
    FAILS(EINVAL, read(signals, got, 16));
    FAILS(EINVAL, read(set, got, 16));
    struct epoll_event event;
    FAILS(EINVAL, epoll_wait(counter, &event, 1, -1));
    FAILS(EINVAL, epoll_wait(set, &event, negative, -1));
    FAILS(EINVAL, epoll_pwait2(set, &event, 1, &(struct timespec){0, -1}, NULL));
    FAILS(ENOTSOCK, accept(counter, NULL, NULL));
    close(counter);
    close(timer);
    close(signals);
    close(set);
    puts("event descriptors");
}

static void *all(void *argument)
{
    accepts();
    pipes();
    events();
    return argument;
}

int main(void)
{
    start_ticker();
    join(start(all, NULL));
    all(NULL);
    return 0;
}
