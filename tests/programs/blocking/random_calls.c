/*
 * Random calls by four threads, drawn from a seed (first argument): each thread has descriptors of its own at numbers
 * of its own, and reads, writes, sends, receives, polls, splices, duplicates, shuts down and closes them with arguments
 * that are often bad. Descriptors do not block, but for those of two more threads that answer what they are asked.
 * Calls, results and data go into one number for each thread, which the seed alone decides. With a second argument
 * every call is printed.
 */
#include "../check.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { THREADS = 4, CALLS = 4000, PAGE = 4096 };

/* A thread's descriptors, counted from its first one; pairs stand side by side. */
enum {
    PIPE = 0,
    SECOND_PIPE = 2,
    STREAM = 4,
    DATAGRAM = 6,
    PACKET = 8,
    COUNTER = 10,
    SEMAPHORE,
    REGULAR,
    NULL_DEVICE,
    READ_ONLY,
    EVENTS,
    COPY,
    CLOSED = 18,
    DRAWN,
    /* Not drawn for random calls: the ends that block. */
    QUESTIONS = DRAWN,
    ANSWERS = QUESTIONS + 2,
    RANGE = 40,
    FIRST = 200,
};

struct random {
    uint64_t state, hash;
    int me, first, count;
    char *buffer;
};

static int tracing;

static uint32_t draw(struct random *random, uint32_t below)
{
    random->state = random->state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(random->state >> 33) % below;
}

static void fold(struct random *random, const void *data, size_t length)
{
    for (const unsigned char *byte = data; length-- > 0; byte++)
        random->hash = (random->hash ^ *byte) * 1099511628211;
}

/* A call with its result, which is folded into the hash: what it gave or the negative error number. */
static long make(struct random *random, const char *name, long number, long a, long b, long c, long d, long e, long f)
{
    if (tracing)
        printf("%d.%d %s %ld %#lx %#lx %#lx %#lx %#lx\n", random->me, random->count, name, a, b, c, d, e, f);
    long result = syscall(number, a, b, c, d, e, f);
    if (result == -1)
        result = -errno;
    fold(random, &number, sizeof number);
    fold(random, &result, sizeof result);
    if (tracing)
        printf("%d.%d %s = %ld, %llx\n", random->me, random->count, name, result, (unsigned long long)random->hash);
    random->count++;
    return result;
}
#define SIX(_0, _1, _2, _3, _4, _5, _6, ...) _1, _2, _3, _4, _5, _6
#define MAKE(name, ...) make(random, #name, SYS_##name, SIX(0, __VA_ARGS__, 0, 0, 0, 0, 0, 0))
#define P(pointer) ((long)(intptr_t)(pointer))

/* --- what arguments are drawn from --- */

static long descriptor(struct random *random)
{
    if (draw(random, 30) == 0)
        return (long[]){-1, INT_MAX, 0x700000000 | (random->first + STREAM), -100}[draw(random, 4)];
    return random->first + (int)draw(random, DRAWN);
}

/* Mostly a place in the thread's two pages; behind them is nothing, then a page that can only be read. */
static char *place(struct random *random)
{
    switch (draw(random, 16)) {
    case 0: return NULL;
    case 1: return random->buffer + 2 * PAGE - draw(random, 40);
    case 2: return random->buffer + 2 * PAGE;
    case 3: return random->buffer + 3 * PAGE;
    default: return random->buffer + draw(random, PAGE);
    }
}

static long length(struct random *random)
{
    switch (draw(random, 12)) {
    case 0: return 0;
    case 1: return (long[]){-1, LONG_MAX, INT_MAX, LONG_MIN}[draw(random, 4)];
    case 2: return PAGE + draw(random, PAGE);
    default: return 1 + draw(random, 300);
    }
}

static int vector(struct random *random, struct iovec *pieces)
{
    int count = (int)draw(random, 5);
    for (int n = 0; n < 4; n++)
        pieces[n] = (struct iovec){place(random), (size_t)length(random)};
    return draw(random, 40) == 0 ? -1 : count;
}

static long socket_flags(struct random *random)
{
    static const int some[] = {MSG_DONTWAIT, MSG_PEEK,     MSG_TRUNC, MSG_WAITALL,
                               MSG_OOB,      MSG_NOSIGNAL, MSG_EOR,   MSG_MORE};
    long flags = 0;
    while (draw(random, 3) == 0)
        flags |= some[draw(random, 8)];
    return flags;
}

/* --- the thread's descriptors --- */

static void put(int from, int number, int flags)
{
    CHECK(from >= 0 && dup2(from, number) == number, "descriptor %d", number);
    close(from);
    CHECK(fcntl(number, F_SETFL, fcntl(number, F_GETFL) | flags) == 0, "F_SETFL");
}

static void put_pair(struct random *random, int which, int flags)
{
    static const int types[] = {[STREAM / 2] = SOCK_STREAM, [DATAGRAM / 2] = SOCK_DGRAM, [PACKET / 2] = SOCK_SEQPACKET};
    int ends[2], type = which <= PACKET ? types[which / 2] : which == ANSWERS ? SOCK_STREAM : 0;
    CHECK((type ? socketpair(AF_UNIX, type, 0, ends) : pipe(ends)) == 0, "a pair");
    put(ends[0], random->first + which, flags);
    put(ends[1], random->first + which + 1, flags);
}

static void put_all(struct random *random)
{
    for (int which = PIPE; which <= PACKET; which += 2)
        put_pair(random, which, O_NONBLOCK);
    put(eventfd(5, 0), random->first + COUNTER, O_NONBLOCK);
    put(eventfd(5, EFD_SEMAPHORE), random->first + SEMAPHORE, O_NONBLOCK);
    put(memfd_create("regular", 0), random->first + REGULAR, 0);
    put(open("/dev/null", O_RDWR), random->first + NULL_DEVICE, 0);
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", random->first + REGULAR);
    put(open(name, O_RDONLY), random->first + READ_ONLY, 0);
    put(epoll_create1(0), random->first + EVENTS, 0);
}

/* --- the calls --- */

static void transfer(struct random *random)
{
    struct iovec pieces[4];
    long fd = descriptor(random), at = draw(random, 20) ? draw(random, 10000) : -1;
    char *bytes = place(random);
    long size = length(random);
    int count = vector(random, pieces);
    switch (draw(random, 12)) {
    case 0:
    case 1: MAKE(read, fd, P(bytes), size); break;
    case 2: MAKE(pread64, fd, P(bytes), size, at); break;
    case 3: MAKE(readv, fd, P(pieces), count); break;
    case 4: MAKE(preadv, fd, P(pieces), count, at); break;
    case 5: MAKE(preadv2, fd, P(pieces), count, at, 0, draw(random, 8)); break;
    case 6:
    case 7: MAKE(write, fd, P(bytes), size); break;
    case 8: MAKE(pwrite64, fd, P(bytes), size, at); break;
    case 9: MAKE(writev, fd, P(pieces), count); break;
    case 10: MAKE(pwritev, fd, P(pieces), count, at); break;
    case 11: MAKE(pwritev2, fd, P(pieces), count, at, 0, draw(random, 8)); break;
    }
}

static void converse(struct random *random)
{
    struct iovec pieces[4];
    long fd = draw(random, 4) ? random->first + STREAM + (int)draw(random, 6) : descriptor(random);
    long flags = socket_flags(random), size = length(random);
    char *bytes = place(random);
    struct msghdr message = {.msg_iov = pieces};
    message.msg_iovlen = (size_t)vector(random, pieces);
    struct mmsghdr many[2] = {{.msg_hdr = message}, {.msg_hdr = message}};
    socklen_t value_length = sizeof(int);
    int value = 0;
    switch (draw(random, 11)) {
    case 0:
    case 1: MAKE(recvfrom, fd, P(bytes), size, flags); break;
    case 2:
        MAKE(recvmsg, fd, P(&message), flags);
        fold(random, &message.msg_flags, sizeof message.msg_flags);
        break;
    case 3: MAKE(recvmmsg, fd, P(many), draw(random, 3), flags); break;
    case 4:
    case 5: MAKE(sendto, fd, P(bytes), size, flags | MSG_NOSIGNAL); break;
    case 6: MAKE(sendmsg, fd, P(&message), flags | MSG_NOSIGNAL); break;
    case 7: MAKE(sendmmsg, fd, P(many), draw(random, 3), flags | MSG_NOSIGNAL); break;
    case 8:
        if (draw(random, 8) == 0)
            MAKE(shutdown, fd, draw(random, 4));
        break;
    case 9: MAKE(getsockopt, fd, SOL_SOCKET, draw(random, 2) ? SO_TYPE : SO_ERROR, P(&value), P(&value_length)); break;
    case 10: MAKE(setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, P(bytes), draw(random, 20)); break;
    }
}

static void wait_for_some(struct random *random)
{
    struct pollfd some[4];
    struct epoll_event events[4] = {0};
    struct timespec none = {0, 0};
    struct timeval none_us = {0, 0};
    fd_set reading, writing;
    FD_ZERO(&reading);
    FD_ZERO(&writing);
    for (int n = 0; n < 4; n++) {
        some[n] = (struct pollfd){(int)descriptor(random), (short)draw(random, 16), 0};
        if (some[n].fd >= 0 && some[n].fd < FD_SETSIZE && some[n].fd != random->first + CLOSED) {
            FD_SET(some[n].fd, &reading);
            if (n % 2)
                FD_SET(some[n].fd, &writing);
        }
    }
    struct epoll_event event = {.events = some[0].events & (EPOLLIN | EPOLLOUT), .data.u64 = draw(random, 1000)};
    if (draw(random, 4) == 0)
        event.events |= EPOLLET;
    long count = draw(random, 5);
    switch (draw(random, 6)) {
    case 0: MAKE(poll, P(some), count, draw(random, 2)); break;
    case 1: MAKE(ppoll, draw(random, 8) ? P(some) : 0, count, P(&none)); break;
    case 2: MAKE(select, draw(random, 10) ? 1024 : -1, P(&reading), P(&writing), 0, P(&none_us)); break;
    case 3:
    case 4:
        MAKE(epoll_ctl, random->first + EVENTS, draw(random, 5), some[1].fd,
             draw(random, 9) ? P(&event) : P(place(random)));
        break;
    case 5:
        MAKE(epoll_wait, random->first + (draw(random, 9) ? EVENTS : REGULAR), P(events), draw(random, 5), 0);
        break;
    }
    for (int n = 0; n < 4; n++) {
        fold(random, &some[n].revents, sizeof some[n].revents);
        fold(random, &events[n].events, sizeof events[n].events);
        fold(random, &events[n].data, sizeof events[n].data);
    }
    fold(random, &reading, sizeof reading);
    fold(random, &writing, sizeof writing);
}

static void move(struct random *random)
{
    long from = descriptor(random), to = descriptor(random), size = length(random);
    int64_t at = draw(random, 5000);
    switch (draw(random, 4)) {
    case 0: MAKE(splice, from, draw(random, 2) ? P(&at) : 0, to, 0, size, 2); break;
    case 1: MAKE(tee, random->first + PIPE, random->first + SECOND_PIPE + 1, size, 2); break;
    case 2: MAKE(sendfile, to, random->first + REGULAR, draw(random, 2) ? P(&at) : 0, draw(random, 2000)); break;
    case 3: MAKE(copy_file_range, random->first + REGULAR, P(&at), to, 0, size % 3000, 0); break;
    }
    fold(random, &at, sizeof at);
}

static void change(struct random *random)
{
    long fd = descriptor(random);
    int number = 0;
    switch (draw(random, 12)) {
    case 0: put_pair(random, 2 * (int)draw(random, 5), O_NONBLOCK); break;
    case 1: MAKE(close, random->first + COPY + (int)draw(random, 2)); break;
    case 2:
    case 3:
        MAKE(dup2, random->first + (int)draw(random, EVENTS), random->first + COPY + (int)draw(random, 2));
        break;
    case 4: MAKE(dup3, fd, random->first + COPY, draw(random, 2) ? O_CLOEXEC : 77); break;
    case 5: MAKE(fcntl, fd, draw(random, 2) ? F_GETFL : F_GETPIPE_SZ, 0); break;
    case 6:
        MAKE(ioctl, fd, FIONREAD, P(draw(random, 5) ? (char *)&number : place(random)));
        fold(random, &number, sizeof number);
        break;
    case 7: MAKE(lseek, fd, draw(random, 5000), draw(random, 4)); break;
    case 8: MAKE(ftruncate, random->first + REGULAR, draw(random, 9000)); break;
    case 9: MAKE(fsync, fd); break;
    case 10: MAKE(flock, fd, draw(random, 2) ? LOCK_SH | LOCK_NB : draw(random, 2) ? LOCK_UN : 64); break;
    case 11: put_all(random); break;
    }
}

/* Reads PIECE bytes of an answer, in as many calls as it takes; how many that are is not the seed's to decide. */
static void read_answer(int how, int end, char *bytes, uint32_t piece)
{
    while (piece > 0) {
        ssize_t got = 0;
        switch (how) {
        case 0: got = read(end, bytes, piece); break;
        case 1: got = recv(end, bytes, piece, MSG_WAITALL); break;
        case 2:
            CHECK(poll(&(struct pollfd){end, POLLIN, 0}, 1, -1) == 1, "poll");
            got = recv(end, bytes, piece, MSG_DONTWAIT);
            break;
        case 3: got = readv(end, &(struct iovec){bytes, piece}, 1); break;
        }
        CHECK(got > 0 && got <= piece && (how != 1 || got == piece), "%zd bytes of %u", got, piece);
        bytes += got;
        piece -= (uint32_t)got;
    }
}

/* Asks the answering thread for some bytes and reads them, one way or another; this is where threads block. */
static void ask(struct random *random)
{
    uint32_t size = 1 + draw(random, 3000), got = 0;
    char bytes[3000];
    CHECK(write(random->first + QUESTIONS + 1, &size, sizeof size) == sizeof size, "write");
    while (got < size) {
        uint32_t piece = 1 + draw(random, size - got);
        read_answer((int)draw(random, 4), random->first + ANSWERS, bytes + got, piece);
        got += piece;
    }
    random->count++;
    fold(random, bytes, size);
}

static void *answers(void *argument)
{
    const struct random *random = argument;
    int questions = random->first + QUESTIONS, end = random->first + ANSWERS + 1;
    char bytes[3000];
    uint32_t size;
    while (read(questions, &size, sizeof size) == sizeof size && size > 0) {
        memset(bytes, (int)size, size);
        CHECK(write(end, bytes, size / 2) == size / 2, "write");
        CHECK(send(end, bytes + size / 2, size - size / 2, 0) == size - size / 2, "send");
    }
    return NULL;
}

static void *body(void *argument)
{
    struct random *random = argument;
    static const int protection = PROT_READ | PROT_WRITE;
    random->buffer = mmap(NULL, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(random->buffer != MAP_FAILED && mprotect(random->buffer, 2 * PAGE, protection) == 0, "mmap");
    CHECK(mprotect(random->buffer + 3 * PAGE, PAGE, PROT_READ) == 0, "mprotect");
    for (int n = 0; n < 2 * PAGE; n++)
        random->buffer[n] = (char)draw(random, 256);
    put_all(random);
    put_pair(random, QUESTIONS, 0);
    put_pair(random, ANSWERS, 0);
    pthread_t answering = start(answers, random);
    for (int n = 0; n < CALLS; n++) {
        switch (draw(random, 10)) {
        case 0:
        case 1:
        case 2: transfer(random); break;
        case 3:
        case 4:
        case 5: converse(random); break;
        case 6: wait_for_some(random); break;
        case 7: move(random); break;
        case 8: change(random); break;
        case 9: ask(random); break;
        }
        fold(random, random->buffer, 2 * PAGE);
    }
    CHECK(close(random->first + QUESTIONS + 1) == 0, "close");
    join(answering);
    return NULL;
}

int main(int count, char **arguments)
{
    struct random randoms[THREADS];
    pthread_t threads[THREADS];
    uint64_t seed = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    tracing = count > 2;
    if (tracing)
        setlinebuf(stdout);
    signal(SIGPIPE, SIG_IGN);
    /* select looks at no descriptor above the process's table: a large one from the start, so that its size is the
     * same. */
    CHECK(dup2(0, 1100) == 1100 && close(1100) == 0, "dup2");
    for (int n = 0; n < THREADS; n++) {
        randoms[n] = (struct random){
            .state = seed * THREADS + (uint64_t)n,
            .hash = 14695981039346656037u,
            .me = n,
            .first = FIRST + n * RANGE,
        };
        threads[n] = start(body, &randoms[n]);
    }
    for (int n = 0; n < THREADS; n++) {
        join(threads[n]);
        printf("thread %d: %d calls, %016llx\n", n, randoms[n].count, (unsigned long long)randoms[n].hash);
    }
    return 0;
}
