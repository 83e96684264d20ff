/*
 * A program closes every descriptor above 2, as daemons do, and goes on: its threads, which have waited for files
 * before, wait for new ones afterwards. Tried by close_range, closefrom, a loop over all numbers up to the limit, a
 * loop over what /proc/self/fd lists, with CLOSE_RANGE_CLOEXEC (which closes nothing), and by a child.
 */
#include "../check.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { THREADS = 6 };
static int ends[THREADS][2], locked[2];
static sem_t begun;

static void *waits(void *argument)
{
    int me = AS_INTEGER(argument), end = ends[me][0];
    char byte = 0;
    struct epoll_event event = {.events = EPOLLIN};
    if (me % 3 == 2) {
        int events = epoll_create1(0);
        CHECK(epoll_ctl(events, EPOLL_CTL_ADD, end, &event) == 0, "epoll_ctl");
        sem_post(&begun);
        CHECK(epoll_wait(events, &event, 1, -1) == 1, "epoll_wait");
        close(events);
    } else {
        sem_post(&begun);
    }
    CHECK((me % 3 == 1 ? recv(end, &byte, 1, 0) : read(end, &byte, 1)) == 1, "read");
    return AS_POINTER(byte);
}

static void *locks(void *argument)
{
    sem_post(&begun);
    CHECK(flock(locked[1], LOCK_EX) == 0, "flock");
    return argument;
}

/* Threads wait for new files and are given what they wait for; returns the least of the new descriptors. */
static int wait_anew(void)
{
    pthread_t threads[THREADS], locking;
    int sum = 0;
    char name[32];
    for (int n = 0; n < THREADS; n++) {
        CHECK((n % 3 == 1 ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends[n]) : pipe(ends[n])) == 0, "pipe");
        threads[n] = start(waits, AS_POINTER(n));
    }
    locked[0] = memfd_create("locked", 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", locked[0]);
    locked[1] = open(name, O_RDWR);
    CHECK(flock(locked[0], LOCK_EX) == 0, "flock");
    locking = start(locks, NULL);
    for (int n = 0; n <= THREADS; n++)
        sem_wait(&begun);
    sleep_ms(10);
    for (int n = THREADS - 1; n >= 0; n--) {
        CHECK(write(ends[n][1], (char[]){(char)(n + 1)}, 1) == 1, "write");
        sum += AS_INTEGER(join(threads[n]));
    }
    CHECK(flock(locked[0], LOCK_UN) == 0, "flock");
    join(locking);
    CHECK(sum == THREADS * (THREADS + 1) / 2, "sum %d", sum);
    return ends[0][0];
}

static void by_close_range(void)
{
    CHECK(close_range(3, ~0u, 0) == 0, "close_range");
}

static void by_closefrom(void)
{
    closefrom(3);
}

static void by_loop(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    for (int n = 3; n < (int)limit.rlim_cur && n < 1 << 20; n++)
        close(n);
}

static void by_list(void)
{
    DIR *list = opendir("/proc/self/fd");
    CHECK(list != NULL, "opendir");
    for (struct dirent *entry; (entry = readdir(list)) != NULL;)
        if (atoi(entry->d_name) > 2 && atoi(entry->d_name) != dirfd(list))
            close(atoi(entry->d_name));
    closedir(list);
}

static void by_nothing(void)
{
    CHECK(close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0, "close_range");
    CHECK(fcntl(ends[0][0], F_GETFD) == FD_CLOEXEC, "not marked");
    by_close_range();
}

static void in_child(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        by_close_range();
        _exit(wait_anew());
    }
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3, "status %#x", status);
    by_loop();
}

int main(void)
{
    static const struct {
        const char *name;
        void (*close_all)(void);
    } ways[] = {
        {"close_range", by_close_range},
        {"closefrom", by_closefrom},
        {"loop", by_loop},
        {"list", by_list},
        {"marked only", by_nothing},
        {"child", in_child},
    };
    sem_init(&begun, 0, 0);
    by_close_range();
    for (size_t n = 0; n < sizeof ways / sizeof *ways; n++) {
        wait_anew();
        ways[n].close_all();
        FAILS(EBADF, fcntl(ends[0][0], F_GETFD));
        printf("%s: the next descriptor is %d\n", ways[n].name, wait_anew());
        by_close_range();
    }
    return 0;
}
