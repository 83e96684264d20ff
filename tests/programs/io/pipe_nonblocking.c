/*
 * O_NONBLOCK set by pipe2, fcntl or FIONBIO gives EAGAIN at once and short writes; unset, calls wait again. It belongs
 * to the open file description: a dup and a forked child see it and change it. It is as the program set it, also while
 * a thread waits, and setting it does not end a wait that has begun.
 */
#include "waiting.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static int ends[2];
static char bytes[1 << 20], got[1 << 20];

static int is_nonblocking(int descriptor)
{
    int flags = fcntl(descriptor, F_GETFL);
    CHECK(flags >= 0, "F_GETFL");
    return (flags & O_NONBLOCK) != 0;
}

static void set_by_fcntl(int descriptor, int on)
{
    int flags = fcntl(descriptor, F_GETFL);
    CHECK(fcntl(descriptor, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) == 0, "F_SETFL");
}

static void set_by_ioctl(int descriptor, int on)
{
    CHECK(ioctl(descriptor, FIONBIO, &on) == 0, "FIONBIO");
}

static long reads(void *argument)
{
    (void)argument;
    return read(ends[0], got, 1);
}

static long writes(void *argument)
{
    (void)argument;
    return write(ends[1], bytes, sizeof bytes);
}

static void fails_at_once(void)
{
    FAILS(EAGAIN, read(ends[0], got, 1));
    COUNT(65536, write(ends[1], bytes, sizeof bytes));
    FAILS(EAGAIN, write(ends[1], bytes, 1));
    CHECK(is_nonblocking(ends[0]) && is_nonblocking(ends[1]), "O_NONBLOCK is lost");
    COUNT(65536, read(ends[0], got, sizeof got));
    FAILS(EAGAIN, read(ends[0], got, 1));
}

static void waits(void)
{
    struct waiter waiter;
    begin(&waiter, reads, NULL);
    still_waits(&waiter);
    CHECK(!is_nonblocking(ends[0]) && !is_nonblocking(ends[1]), "O_NONBLOCK came from nowhere");
    COUNT(1, write(ends[1], bytes, 1));
    ENDS_WITH(1, &waiter);
    begin(&waiter, writes, NULL);
    still_waits(&waiter);
    CHECK(!is_nonblocking(ends[0]) && !is_nonblocking(ends[1]), "O_NONBLOCK came from nowhere");
    for (size_t left = sizeof bytes; left > 0;) {
        ssize_t count = read(ends[0], got, left);
        CHECK(count > 0, "read gave %zd", count);
        left -= count;
    }
    ENDS_WITH(sizeof bytes, &waiter);
}

static void try(const char *name, void (*set)(int, int))
{
    for (int round = 0; round < 3; round++) {
        set(ends[0], 1);
        set(ends[1], 1);
        fails_at_once();
        set(ends[0], 0);
        set(ends[1], 0);
        waits();
    }
    printf("%s: on and off between calls\n", name);
}

static void *fails_in_a_thread(void *argument)
{
    fails_at_once();
    return argument;
}

/* What the child makes of its parent's pipe, in which a thread of the parent's waits. */
static void child(void)
{
    CHECK(!is_nonblocking(ends[0]), "O_NONBLOCK came from nowhere");
    set_by_fcntl(ends[0], 1);
    set_by_fcntl(ends[1], 1);
    _exit(0);
}

int main(void)
{
    start_ticker();
    CHECK(pipe2(ends, O_NONBLOCK) == 0, "pipe2");
    fails_at_once();
    join(start(fails_in_a_thread, NULL));
    puts("pipe2: EAGAIN at once");
    try("fcntl", set_by_fcntl);
    try("FIONBIO", set_by_ioctl);

    int second = dup(ends[0]);
    set_by_fcntl(second, 1);
    CHECK(is_nonblocking(ends[0]), "not seen through the dup's original");
    FAILS(EAGAIN, read(ends[0], got, 1));
    set_by_fcntl(ends[0], 0);
    CHECK(!is_nonblocking(second), "not seen through the dup");
    waits();
    puts("dup: one flag");

    struct waiter waiter;
    begin(&waiter, reads, NULL);
    still_waits(&waiter);
    fflush(stdout);
    pid_t process = fork();
    CHECK(process >= 0, "fork");
    if (process == 0)
        child();
    int status;
    CHECK(waitpid(process, &status, 0) == process && status == 0, "status %#x", status);
    CHECK(is_nonblocking(ends[0]) && is_nonblocking(second), "the child's change is not seen");
    still_waits(&waiter);
    FAILS(EAGAIN, read(second, got, 1));
    COUNT(1, write(ends[1], bytes, 1));
    ENDS_WITH(1, &waiter);
    fails_at_once();
    puts("a child changed it; the reader that had begun to wait went on waiting");
    return 0;
}
