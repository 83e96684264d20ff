/*
 * Descriptors that count events: reads of an eventfd, a timerfd, a signalfd and an inotify set wait in one thread only;
 * an eventfd's write waits while its count is at the limit; EFD_SEMAPHORE lets one reader go for each unit.
 */
#include "waiting.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static long reads_count(void *descriptor)
{
    uint64_t count;
    ssize_t result = read(AS_INTEGER(descriptor), &count, sizeof count);
    CHECK(result == -1 || result == sizeof count, "read gave %zd", result);
    return result == -1 ? -1 : (long)count;
}

static long writes_three(void *descriptor)
{
    return eventfd_write(AS_INTEGER(descriptor), 3);
}

static void *writes_later(void *descriptor)
{
    others_go_on();
    writes_three(descriptor);
    return NULL;
}

static void event_counters(void)
{
    int events = eventfd(0, 0);
    struct waiter waiter, second;
    begin(&waiter, reads_count, AS_POINTER(events));
    still_waits(&waiter);
    CHECK(eventfd_write(events, 0) == 0, "eventfd_write");
    still_waits(&waiter);
    CHECK(eventfd_write(events, 42) == 0, "eventfd_write");
    ENDS_WITH(42, &waiter);
    pthread_t thread = start(writes_later, AS_POINTER(events));
    CHECK(reads_count(AS_POINTER(events)) == 3, "another count");
    join(thread);

    uint64_t limit = UINT64_MAX - 1;
    CHECK(eventfd_write(events, limit - 1) == 0, "eventfd_write");
    begin(&waiter, writes_three, AS_POINTER(events));
    begin(&second, writes_three, AS_POINTER(events));
    still_waits(&waiter);
    still_waits(&second);
    uint64_t count;
    COUNT(sizeof count, read(events, &count, sizeof count));
    CHECK(count == limit - 1, "count %lu", (unsigned long)count);
    ENDS_WITH(0, &waiter);
    ENDS_WITH(0, &second);
    CHECK(reads_count(AS_POINTER(events)) == 6, "another count");
    FAILS(EINVAL, write(events, &(uint64_t){UINT64_MAX}, 8));
    FAILS(EINVAL, read(events, &count, 4));
    close(events);
    puts("eventfd: reads and writes waited");

    events = eventfd(0, EFD_SEMAPHORE);
    struct waiter readers[5];
    for (int n = 0; n < 5; n++)
        begin(&readers[n], reads_count, AS_POINTER(events));
    still_waits(&readers[0]);
    CHECK(eventfd_write(events, 3) == 0, "eventfd_write");
    int over = 0;
    while (over < 3) {
        others_go_on();
        over = 0;
        for (int n = 0; n < 5; n++)
            over += readers[n].over;
    }
    CHECK(over == 3, "%d readers were let go", over);
    CHECK(eventfd_write(events, 2) == 0, "eventfd_write");
    for (int n = 0; n < 5; n++)
        ENDS_WITH(1, &readers[n]);
    close(events);
    puts("EFD_SEMAPHORE: one unit for each reader");
}

static void set_timer(int timer, int64_t first, int64_t interval)
{
    struct itimerspec time = {.it_value = timespec_of(first), .it_interval = timespec_of(interval)};
    CHECK(timerfd_settime(timer, 0, &time, NULL) == 0, "timerfd_settime");
}

static void timers(void)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct waiter waiter;
    int64_t begun = now_ns(CLOCK_MONOTONIC);
    set_timer(timer, 30 * MILLISECOND, 0);
    begin(&waiter, reads_count, AS_POINTER(timer));
    ENDS_WITH(1, &waiter);
    CHECK(now_ns(CLOCK_MONOTONIC) - begun >= 30 * MILLISECOND, "early");
    begin(&waiter, reads_count, AS_POINTER(timer));
    still_waits(&waiter);
    set_timer(timer, 1000 * SECOND, 0);
    still_waits(&waiter);
    set_timer(timer, 1, 0);
    ENDS_WITH(1, &waiter);
    set_timer(timer, 5 * MILLISECOND, 5 * MILLISECOND);
    long expired = 0;
    begun = now_ns(CLOCK_MONOTONIC);
    while (expired < 10)
        expired += reads_count(AS_POINTER(timer));
    CHECK(now_ns(CLOCK_MONOTONIC) - begun >= 45 * MILLISECOND, "early");
    close(timer);
    puts("timerfd: once, set again under the reader, periodic");
}

static long reads_signal(void *descriptor)
{
    struct signalfd_siginfo information;
    ssize_t result = read(AS_INTEGER(descriptor), &information, sizeof information);
    CHECK(result == sizeof information, "read gave %zd", result);
    return information.ssi_signo * 1000 + information.ssi_int;
}

/* A signal for this thread alone, which only its own read can take. */
static long signals_itself(void *descriptor)
{
    ZERO(pthread_kill(pthread_self(), SIGUSR1));
    return reads_signal(descriptor);
}

static void signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    int descriptor = signalfd(-1, &set, 0);
    struct waiter waiter;
    begin(&waiter, reads_signal, AS_POINTER(descriptor));
    still_waits(&waiter);
    kill(getpid(), SIGUSR1);
    ENDS_WITH(SIGUSR1 * 1000, &waiter);
    begin(&waiter, reads_signal, AS_POINTER(descriptor));
    still_waits(&waiter);
    CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 7}) == 0, "sigqueue");
    ENDS_WITH(SIGRTMIN * 1000 + 7, &waiter);
    begin(&waiter, reads_signal, AS_POINTER(descriptor));
    still_waits(&waiter);
    ZERO(pthread_kill(waiter.thread, SIGUSR1));
    ENDS_WITH(SIGUSR1 * 1000, &waiter);
    begin(&waiter, signals_itself, AS_POINTER(descriptor));
    ENDS_WITH(SIGUSR1 * 1000, &waiter);
    struct pollfd entry = {.fd = descriptor, .events = POLLIN};
    CHECK(poll(&entry, 1, 0) == 0, "still ready");
    CHECK(raise(SIGUSR1) == 0 && poll(&entry, 1, -1) == 1, "not ready");
    CHECK(reads_signal(AS_POINTER(descriptor)) == SIGUSR1 * 1000, "another signal");
    close(descriptor);
    puts("signalfd: the process's signals, a thread's, one's own");
}

static long reads_names(void *descriptor)
{
    char bytes[4096] __attribute__((aligned(8)));
    ssize_t result = read(AS_INTEGER(descriptor), bytes, sizeof bytes);
    CHECK(result > 0, "read gave %zd", result);
    const struct inotify_event *event = (const void *)bytes;
    CHECK(strcmp(event->name, "new") == 0, "name %s", event->name);
    return event->mask;
}

static void file_changes(void)
{
    char directory[] = "/tmp/event_descriptors.XXXXXX", path[64];
    CHECK(mkdtemp(directory), "mkdtemp");
    snprintf(path, sizeof path, "%s/new", directory);
    int changes = inotify_init1(0);
    CHECK(inotify_add_watch(changes, directory, IN_CREATE | IN_DELETE) > 0, "inotify_add_watch");
    struct waiter waiter;
    begin(&waiter, reads_names, AS_POINTER(changes));
    still_waits(&waiter);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ENDS_WITH(IN_CREATE, &waiter);
    begin(&waiter, reads_names, AS_POINTER(changes));
    still_waits(&waiter);
    unlink(path);
    ENDS_WITH(IN_DELETE, &waiter);
    CHECK(rmdir(directory) == 0, "rmdir");
    close(changes);
    puts("inotify: made and unmade");
}

int main(void)
{
    /* Blocked in all threads, the ticker's included, for the signalfd. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    start_ticker();
    event_counters();
    timers();
    signals();
    file_changes();
    return 0;
}
