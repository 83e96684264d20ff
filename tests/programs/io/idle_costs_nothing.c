/*
 * A hundred threads that wait in read, accept and epoll_wait, and main in nanosleep: two seconds later the process has
 * used next to no time of the processor. Nobody looks again and again whether something has come.
 */
#include "waiting.h"
#include <sys/epoll.h>
#include <sys/resource.h>

enum { THREADS = 100, SECONDS = 2 };

static void *waits(void *argument)
{
    int ends[2];
    char letter;
    struct sockaddr_in address;
    struct epoll_event event = {.events = EPOLLIN};
    make_pipe(ends);
    switch (AS_INTEGER(argument) % 3) {
    case 0:
        COUNT(1, read(ends[0], &letter, 1));
        break;
    case 1:
        COUNT(1, accept(listener(&address, 1), NULL, NULL));
        break;
    case 2:
        event.data.fd = epoll_create1(0);
        CHECK(epoll_ctl(event.data.fd, EPOLL_CTL_ADD, ends[0], &event) == 0, "epoll_ctl");
        COUNT(1, epoll_wait(event.data.fd, &event, 1, -1));
        break;
    }
    return NULL;
}

static int64_t used_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND
        + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

int main(void)
{
    for (int n = 0; n < THREADS; n++)
        ZERO(pthread_detach(start(waits, AS_POINTER(n))));
    sleep_ms(200);
    int64_t before = used_ns();
    sleep_ms(SECONDS * 1000);
    int64_t used = used_ns() - before;
    CHECK(used < SECONDS * SECOND / 20, "%lld us of %d s were used", (long long)used / 1000, SECONDS);
    puts("idle");
    return 0;
}
