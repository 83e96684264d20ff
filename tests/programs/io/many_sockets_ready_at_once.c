/*
 * Many threads wait in receives of many kinds when all their sockets become ready at the same moment: data in one piece
 * or more than there is room for, the end, a reset, a bad buffer, a peek. Each gets exactly what its own call would have
 * given, and nothing is taken twice.
 */
#include "waiting.h"
#include <sys/mman.h>

enum { SOCKETS = 96, ROUNDS = 10, LENGTH = 100, KINDS = 12 };
static int ours[SOCKETS], theirs[SOCKETS];
static char *unreadable;

/* What thread N receives, as text. */
static char told[SOCKETS][200];

static long receive(int own, char *buffer)
{
    switch (own % KINDS) {
    case 0:
    case 1:
        return read(ours[own], buffer, LENGTH);
    case 2:
        return recv(ours[own], buffer, 4 * LENGTH, 0);
    case 3:
        return recv(ours[own], buffer, LENGTH, MSG_NOSIGNAL);
    case 4:
        return recv(ours[own], buffer, LENGTH, MSG_PEEK);
    case 5:
        return recv(ours[own], buffer, LENGTH, MSG_WAITALL);
    case 6:
        return read(ours[own], unreadable, LENGTH);
    case 7:
        /* Room for a part, then memory that can't be written. */
        return read(ours[own], unreadable - 16, LENGTH);
    case 8: {
        struct iovec part = {buffer, LENGTH};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        return recvmsg(ours[own], &message, 0);
    }
    default:
        return read(ours[own], buffer, LENGTH / 3);
    }
}

static void *waits(void *argument)
{
    int own = AS_INTEGER(argument);
    char buffer[4 * LENGTH], *text = told[own];
    long got = receive(own, buffer);
    int length = sprintf(text, "%d: first %ld", own, got);
    if (got < 0)
        length += sprintf(text + length, " %s", strerror(errno));
    else if (own % KINDS < 7 && got > 0)
        check_stream((unsigned char *)buffer, got, 0, own);
    /* The rest, to the end. */
    long total = got > 0 && own % KINDS != 4 ? got : 0, more;
    while ((more = read(ours[own], buffer, sizeof buffer)) > 0) {
        check_stream((unsigned char *)buffer, more, total, own);
        total += more;
    }
    sprintf(text + length, ", in all %ld, then %ld %s", total, more, more < 0 ? strerror(errno) : "");
    return NULL;
}

static void connect_all(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    COUNT(0, bind(listening, (struct sockaddr *)&address, length));
    COUNT(0, listen(listening, SOCKETS));
    COUNT(0, getsockname(listening, (struct sockaddr *)&address, &length));
    for (int n = 0; n < SOCKETS; n++) {
        theirs[n] = socket(AF_INET, SOCK_STREAM, 0);
        COUNT(0, connect(theirs[n], (struct sockaddr *)&address, length));
        ours[n] = accept(listening, NULL, NULL);
        CHECK(ours[n] >= 0, "accept");
    }
    close(listening);
}

/* Something for every thread, in one go. */
static void feed_all(void)
{
    struct linger at_once = {1, 0};
    for (int n = 0; n < SOCKETS; n++) {
        unsigned char *bytes = stream_of(LENGTH, n);
        if (n % KINDS == 1)
            COUNT(0, shutdown(theirs[n], SHUT_WR));
        else if (n % KINDS == 10) {
            COUNT(0, setsockopt(theirs[n], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
            close(theirs[n]);
            theirs[n] = -1;
        } else
            COUNT(LENGTH, send(theirs[n], bytes, LENGTH, 0));
        free(bytes);
    }
}

int main(void)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unreadable = page + 4096;
    COUNT(0, mprotect(unreadable, 4096, PROT_NONE));
    start_ticker();
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[SOCKETS];
        connect_all();
        for (int n = 0; n < SOCKETS; n++)
            threads[n] = start(waits, AS_POINTER(n));
        others_go_on();
        feed_all();
        others_go_on();
        for (int n = 0; n < SOCKETS; n++)
            if (theirs[n] >= 0)
                close(theirs[n]);
        for (int n = 0; n < SOCKETS; n++) {
            join(threads[n]);
            close(ours[n]);
            if (round == 0 || round == ROUNDS - 1)
                puts(told[n]);
        }
    }
    return 0;
}
