/*
 * epoll_wait, epoll_pwait and epoll_pwait2: level-triggered, edge-triggered and one-shot; timeouts of no time, of some
 * and none; a descriptor added, armed again or made ready while a thread waits; signals let through by the mask;
 * several threads in one set, each edge for one of them; EPOLLEXCLUSIVE across sets.
 */
#include "waiting.h"
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { THREADS = 8, EDGES = 400 };
static int set, ends[2];
static volatile int handled;

static void handler(int number)
{
    handled = number;
}

static void control(int operation, int descriptor, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    CHECK(epoll_ctl(set, operation, descriptor, &event) == 0, "epoll_ctl %d", operation);
}

/* The event's descriptor, 0 for none. */
static long one_event(int count, const struct epoll_event *events)
{
    return count == 1 ? events[0].data.fd : count;
}

static long waits(void *timeout)
{
    struct epoll_event events[4];
    return one_event(epoll_wait(set, events, 4, AS_INTEGER(timeout)), events);
}

static long waits_with_mask(void *timeout)
{
    struct epoll_event events[4];
    sigset_t none;
    sigemptyset(&none);
    return one_event(epoll_pwait(set, events, 4, AS_INTEGER(timeout), &none), events);
}

static long waits_by_timespec(void *timeout)
{
    struct epoll_event events[4];
    struct timespec time = timespec_of(AS_INTEGER(timeout) * MILLISECOND);
    sigset_t none;
    sigemptyset(&none);
    return one_event(epoll_pwait2(set, events, 4, AS_INTEGER(timeout) < 0 ? NULL : &time, &none), events);
}

static void take_byte(void)
{
    char letter;
    COUNT(1, read(ends[0], &letter, 1));
}

static void each_call(const char *name, long (*call)(void *))
{
    struct waiter waiter;
    int64_t begun = now_ns(CLOCK_MONOTONIC);
    CHECK(call(AS_POINTER(0)) == 0, "nothing should be ready");
    CHECK(call(AS_POINTER(20)) == 0, "nothing should be ready");
    begin(&waiter, call, AS_POINTER(20));
    ENDS_WITH(0, &waiter);
    CHECK(now_ns(CLOCK_MONOTONIC) - begun >= 40 * MILLISECOND, "returned early");
    for (int timeout = -1; timeout < 1000000; timeout += 1000000) {
        begin(&waiter, call, AS_POINTER(timeout));
        still_waits(&waiter);
        COUNT(1, write(ends[1], "b", 1));
        ENDS_WITH(ends[0], &waiter);
        CHECK(call(AS_POINTER(-1)) == ends[0], "no longer ready");
        CHECK(call(AS_POINTER(0)) == ends[0], "no longer ready");
        take_byte();
    }
    printf("%s: level-triggered, timeouts\n", name);
}

static void interrupt(const char *name, long (*call)(void *))
{
    struct waiter waiter;
    handled = 0;
    begin(&waiter, call, AS_POINTER(-1));
    still_waits(&waiter);
    ZERO(pthread_kill(waiter.thread, SIGUSR1));
    long result = result_of(&waiter);
    CHECK(result == -1 && errno == EINTR && handled == SIGUSR1, "the call gave %ld, handled %d", result, handled);
    printf("%s: EINTR\n", name);
}

static void edges_and_shots(void)
{
    struct waiter waiter;
    control(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET);
    begin(&waiter, waits, AS_POINTER(-1));
    still_waits(&waiter);
    COUNT(1, write(ends[1], "e", 1));
    ENDS_WITH(ends[0], &waiter);
    begin(&waiter, waits, AS_POINTER(-1));
    still_waits(&waiter);
    COUNT(1, write(ends[1], "e", 1));
    ENDS_WITH(ends[0], &waiter);
    take_byte();
    CHECK(waits(AS_POINTER(10)) == 0, "an edge without a write");
    take_byte();
    puts("EPOLLET: once for each write");

    control(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT);
    COUNT(1, write(ends[1], "o", 1));
    CHECK(waits(AS_POINTER(-1)) == ends[0], "not ready");
    begin(&waiter, waits, AS_POINTER(-1));
    COUNT(1, write(ends[1], "o", 1));
    still_waits(&waiter);
    control(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT);
    ENDS_WITH(ends[0], &waiter);
    take_byte();
    take_byte();
    puts("EPOLLONESHOT: once until armed again");

    int late = eventfd(1, 0);
    begin(&waiter, waits, AS_POINTER(-1));
    still_waits(&waiter);
    control(EPOLL_CTL_ADD, late, EPOLLIN);
    ENDS_WITH(late, &waiter);
    close(late);
    CHECK(waits(AS_POINTER(0)) == 0, "a closed descriptor is still there");
    puts("added while a thread waits");
    control(EPOLL_CTL_MOD, ends[0], EPOLLIN);
}

static int taken;

/* Takes a byte for each edge, until the letter that ends it. */
static void *takes_edges(void *argument)
{
    for (;;) {
        struct epoll_event event;
        char letter;
        COUNT(1, epoll_wait(set, &event, 1, -1));
        COUNT(1, read(event.data.fd, &letter, 1));
        if (letter == 'q')
            return argument;
        __atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
    }
}

static void share(void)
{
    pthread_t threads[THREADS];
    int pipes[THREADS][2];
    for (int n = 0; n < THREADS; n++) {
        make_pipe(pipes[n]);
        control(EPOLL_CTL_ADD, pipes[n][0], EPOLLIN | EPOLLET);
        threads[n] = start(takes_edges, NULL);
    }
    for (int n = 0; n < EDGES; n++) {
        COUNT(1, write(pipes[n % THREADS][1], "s", 1));
        /* The next edge of a descriptor may only come once this one is taken. */
        if (n % THREADS == THREADS - 1)
            while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) <= n)
                sleep_ms(0);
    }
    for (int n = 0; n < THREADS; n++)
        COUNT(1, write(pipes[n][1], "q", 1));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    for (int n = 0; n < THREADS; n++)
        close_both(pipes[n]);
    printf("%d threads in one set took %d edges\n", THREADS, taken);
}

static int stop;

static void *takes_exclusively(void *argument)
{
    int own = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = ends[0]};
    CHECK(epoll_ctl(own, EPOLL_CTL_ADD, ends[0], &event) == 0, "EPOLLEXCLUSIVE");
    event = (struct epoll_event){.events = EPOLLIN, .data.fd = stop};
    CHECK(epoll_ctl(own, EPOLL_CTL_ADD, stop, &event) == 0, "epoll_ctl");
    for (;;) {
        char letter;
        CHECK(epoll_wait(own, &event, 1, -1) == 1, "epoll_wait");
        if (event.data.fd == stop)
            break;
        if (read(ends[0], &letter, 1) == 1)
            __atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
        else
            CHECK(errno == EAGAIN, "read");
    }
    close(own);
    return argument;
}

static void exclude(void)
{
    pthread_t threads[THREADS];
    taken = 0;
    stop = eventfd(0, 0);
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(takes_exclusively, NULL);
    others_go_on();
    for (int n = 0; n < 100; n++) {
        COUNT(1, write(ends[1], "x", 1));
        while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) <= n)
            sleep_ms(0);
    }
    CHECK(eventfd_write(stop, 1) == 0, "eventfd_write");
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    printf("EPOLLEXCLUSIVE: %d bytes, each taken once\n", taken);
}

int main(void)
{
    start_ticker();
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    ZERO(pthread_sigmask(SIG_BLOCK, &mask, NULL));
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    set = epoll_create1(EPOLL_CLOEXEC);
    make_pipe(ends);
    control(EPOLL_CTL_ADD, ends[0], EPOLLIN);
    each_call("epoll_wait", waits);
    each_call("epoll_pwait", waits_with_mask);
    each_call("epoll_pwait2", waits_by_timespec);
    interrupt("epoll_pwait", waits_with_mask);
    interrupt("epoll_pwait2", waits_by_timespec);
    edges_and_shots();
    struct epoll_event event;
    FAILS(EINVAL, epoll_wait(set, &event, 0, -1));
    FAILS(EINVAL, epoll_wait(ends[0], &event, 1, -1));
    FAILS(EBADF, epoll_wait(-1, &event, 1, -1));
    share();
    exclude();
    return 0;
}
