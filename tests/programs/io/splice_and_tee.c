/*
 * The calls that move bytes without copying them wait like reads and writes: splice for bytes in a pipe and in a
 * socket and for room, tee, vmsplice both ways, sendfile to a socket, where all is sent, and to a pipe slower than it.
 */
#include "waiting.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

enum { LENGTH = 1 << 20 };
static int in[2], out[2], wire[2], file;
static unsigned char *bytes;
static char got[64];

static long pipe_to_pipe(void *argument)
{
    (void)argument;
    return splice(in[0], NULL, out[1], NULL, 100, 0);
}

static long pipe_to_socket(void *argument)
{
    (void)argument;
    return splice(in[0], NULL, wire[0], NULL, 100, 0);
}

static long socket_to_pipe(void *argument)
{
    (void)argument;
    return splice(wire[0], NULL, out[1], NULL, 100, 0);
}

static long tees(void *argument)
{
    (void)argument;
    return tee(in[0], out[1], 100, 0);
}

static long vmsplices_from_pipe(void *argument)
{
    (void)argument;
    struct iovec part = {got, sizeof got};
    return vmsplice(in[0], &part, 1, 0);
}

/* All of the memory, in as many calls as it takes. */
static long vmsplices_to_pipe(void *argument)
{
    (void)argument;
    size_t place = 0;
    while (place < LENGTH) {
        struct iovec part = {bytes + place, LENGTH - place};
        ssize_t moved = vmsplice(out[1], &part, 1, 0);
        CHECK(moved > 0, "vmsplice gave %zd", moved);
        place += moved;
    }
    return place;
}

static long sends_file(void *descriptor)
{
    off_t place = 0;
    return sendfile(AS_INTEGER(descriptor), file, &place, LENGTH);
}

static long sends_file_in_pieces(void *descriptor)
{
    off_t place = 0;
    while (place < LENGTH)
        CHECK(sendfile(AS_INTEGER(descriptor), file, &place, LENGTH - place) > 0, "sendfile at %ld", (long)place);
    return place;
}

static long splices_file(void *argument)
{
    (void)argument;
    off_t place = 0;
    while (place < LENGTH)
        CHECK(splice(file, &place, out[1], NULL, LENGTH - place, 0) > 0, "splice at %ld", (long)place);
    return place;
}

static void waits_for(const char *name, long (*call)(void *), int from, int to)
{
    struct waiter waiter;
    begin(&waiter, call, NULL);
    still_waits(&waiter);
    COUNT(4, write(from, name, 4));
    ENDS_WITH(4, &waiter);
    if (to >= 0)
        COUNT(4, read(to, got, sizeof got));
    CHECK(memcmp(got, name, 4) == 0, "%.4s instead of %s", got, name);
    printf("%s: waited for bytes\n", name);
}

static void moves_all(const char *name, long (*call)(void *), int to, int from)
{
    struct waiter waiter;
    begin(&waiter, call, AS_POINTER(to));
    still_waits(&waiter);
    read_slowly(from, LENGTH, 3);
    ENDS_WITH(LENGTH, &waiter);
    printf("%s: all bytes\n", name);
}

static void *reads_all(void *descriptor)
{
    read_slowly(AS_INTEGER(descriptor), LENGTH, 3);
    return NULL;
}

int main(void)
{
    start_ticker();
    make_pipe(in);
    make_pipe(out);
    tcp_pair(wire);
    bytes = stream_of(LENGTH, 3);
    file = memfd_create("bytes", MFD_CLOEXEC);
    COUNT(LENGTH, write(file, bytes, LENGTH));

    waits_for("pipe to pipe", pipe_to_pipe, in[1], out[0]);
    waits_for("pipe to socket", pipe_to_socket, in[1], wire[1]);
    waits_for("socket to pipe", socket_to_pipe, wire[1], out[0]);
    waits_for("tee", tees, in[1], out[0]);
    COUNT(4, read(in[0], got, sizeof got));
    waits_for("vmsplice", vmsplices_from_pipe, in[1], -1);
    FAILS(EAGAIN, splice(in[0], NULL, out[1], NULL, 100, SPLICE_F_NONBLOCK));
    FAILS(EAGAIN, tee(in[0], out[1], 100, SPLICE_F_NONBLOCK));

    moves_all("vmsplice to a pipe", vmsplices_to_pipe, out[1], out[0]);
    moves_all("sendfile to a pipe", sends_file_in_pieces, out[1], out[0]);
    moves_all("splice of a file", splices_file, out[1], out[0]);
    int small = 4096;
    CHECK(setsockopt(wire[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0, "SO_SNDBUF");
    moves_all("sendfile to a TCP socket", sends_file, wire[0], wire[1]);
    pthread_t reader = start(reads_all, AS_POINTER(wire[1]));
    COUNT(LENGTH, sends_file(AS_POINTER(wire[0])));
    join(reader);
    close_both(wire);
    unix_pair(wire, SOCK_STREAM);
    moves_all("sendfile to a unix socket", sends_file, wire[0], wire[1]);
    reader = start(reads_all, AS_POINTER(wire[1]));
    COUNT(LENGTH, sends_file(AS_POINTER(wire[0])));
    join(reader);
    puts("main's sendfile: all bytes");
    waits_for("unix socket to pipe", socket_to_pipe, wire[1], out[0]);

    close(in[1]);
    COUNT(0, splice(in[0], NULL, out[1], NULL, 100, 0));
    COUNT(0, tee(in[0], out[1], 100, 0));
    puts("without a writer: 0");
    return 0;
}
