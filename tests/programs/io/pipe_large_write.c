/*
 * A write larger than a pipe waits until all of it is taken and returns the full count, from a thread and from main,
 * as write and as writev of uneven parts, through a pipe of the usual size and through the smallest. A signal that has
 * a handler ends it early: with what was written, or, with nothing written, with EINTR unless SA_RESTART is set.
 */
#include "waiting.h"
#include <fcntl.h>
#include <sys/uio.h>

enum { LENGTH = 1 << 20 };
static int ends[2];
static unsigned char *bytes;
static volatile int handled;

static long writes_all(void *argument)
{
    (void)argument;
    return write(ends[1], bytes, LENGTH);
}

static long writes_parts(void *argument)
{
    (void)argument;
    struct iovec parts[] = {
        {bytes, 1}, {bytes + 1, 0}, {bytes + 1, 300000}, {bytes + 300001, 4095}, {bytes + 304096, LENGTH - 304096},
    };
    return writev(ends[1], parts, sizeof parts / sizeof *parts);
}

static void *reads_all(void *seed)
{
    read_slowly(ends[0], LENGTH, AS_INTEGER(seed));
    return NULL;
}

static void try(const char *name, int size)
{
    make_pipe(ends);
    CHECK(fcntl(ends[1], F_SETPIPE_SZ, size) >= size, "F_SETPIPE_SZ");
    struct waiter writer;
    begin(&writer, writes_all, NULL);
    still_waits(&writer);
    read_slowly(ends[0], LENGTH, 1);
    ENDS_WITH(LENGTH, &writer);
    begin(&writer, writes_parts, NULL);
    still_waits(&writer);
    read_slowly(ends[0], LENGTH, 1);
    ENDS_WITH(LENGTH, &writer);

    pthread_t reader = start(reads_all, AS_POINTER(1));
    COUNT(LENGTH, writes_all(NULL));
    join(reader);
    reader = start(reads_all, AS_POINTER(1));
    COUNT(LENGTH, writes_parts(NULL));
    join(reader);
    close_both(ends);
    printf("%s: full counts\n", name);
}

static void handler(int number)
{
    (void)number;
    handled++;
}

static void try_signal(const char *name, int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
    make_pipe(ends);
    int room = fcntl(ends[1], F_GETPIPE_SZ);
    struct waiter writer;
    handled = 0;
    begin(&writer, writes_all, NULL);
    still_waits(&writer);
    ZERO(pthread_kill(writer.thread, SIGUSR1));
    ENDS_WITH(room, &writer);
    CHECK(handled == 1, "handled %d", handled);
    printf("%s: a pipe full was written before the signal\n", name);

    begin(&writer, writes_all, NULL);
    still_waits(&writer);
    ZERO(pthread_kill(writer.thread, SIGUSR1));
    if (flags & SA_RESTART) {
        still_waits(&writer);
        read_slowly(ends[0], room, 1);
        read_slowly(ends[0], LENGTH, 1);
        ENDS_WITH(LENGTH, &writer);
        printf("%s: a write of nothing yet goes on\n", name);
    } else {
        long result = result_of(&writer);
        CHECK(result == -1 && errno == EINTR, "write gave %ld", result);
        printf("%s: a write of nothing yet is ended\n", name);
    }
    CHECK(handled == 2, "handled %d", handled);
    close_both(ends);
}

int main(void)
{
    start_ticker();
    bytes = stream_of(LENGTH, 1);
    try("64 KiB pipe", 65536);
    try("4 KiB pipe", 4096);
    try_signal("plain handler", 0);
    try_signal("SA_RESTART", SA_RESTART);
    return 0;
}
