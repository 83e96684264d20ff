/*
 * The same few numbers name one file after the other, of every kind, and threads wait in each: what was known of a
 * number's earlier file must not matter. Files are taken away by close, by dup2 and by close_range, also while their
 * duplicates live on elsewhere.
 */
#include "waiting.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

enum { ROUNDS = 200, PLACE = 50, PARKED = 51 };

static long reads(void *argument)
{
    char text[8];
    (void)argument;
    return read(PLACE, text, sizeof text);
}

/* Gives PLACE a new file; returns what to write to so that it can be read, or -1 if it always can. */
static int open_at_place(int kind)
{
    int ends[2];
    switch (kind) {
    case 0:
        make_pipe(ends);
        break;
    case 1:
        unix_pair(ends, SOCK_STREAM);
        break;
    case 2:
        tcp_pair(ends);
        break;
    case 3:
        ends[0] = eventfd(0, 0);
        ends[1] = dup(ends[0]);
        break;
    default:
        /* A file, which never waits. */
        ends[0] = memfd_create("file", 0);
        COUNT(8, pwrite(ends[0], "contents", 8, 0));
        ends[1] = -1;
    }
    CHECK(dup2(ends[0], PLACE) == PLACE, "dup2");
    close(ends[0]);
    return ends[1];
}

int main(void)
{
    start_ticker();
    int waited = 0, kept = -1;
    for (int round = 0; round < ROUNDS; round++) {
        int out = open_at_place(round * 7 % 5);
        struct waiter first, second;
        begin(&first, reads, NULL);
        if (out >= 0) {
            if (round % 10 < 5)
                still_waits(&first);
            struct pollfd entry = {.fd = PLACE, .events = POLLIN};
            if (round % 3 == 0)
                COUNT(0, poll(&entry, 1, 0));
            COUNT(8, write(out, "\1\0\0\0\0\0\0\0", 8));
            waited++;
        }
        ENDS_WITH(8, &first);
        if (out >= 0 && round % 2) {
            begin(&second, reads, NULL);
            COUNT(8, write(out, "\2\0\0\0\0\0\0\0", 8));
            ENDS_WITH(8, &second);
        }
        /* Now and then the file stays open under another number while this one goes to the next. */
        if (round % 4 == 0)
            CHECK((kept = dup2(PLACE, PARKED)) == PARKED, "dup2");
        switch (round % 3) {
        case 0:
            CHECK(close(PLACE) == 0, "close");
            break;
        case 1:
            CHECK(close_range(PLACE, PLACE, 0) == 0, "close_range");
            break;
        default:
            /* The next round's dup2 closes it. */
            break;
        }
        if (out >= 0 && round % 4 == 0)
            COUNT(8, write(out, "\3\0\0\0\0\0\0\0", 8));
        if (out >= 0)
            close(out);
    }
    CHECK(kept == PARKED, "nothing was kept");
    printf("%d files, %d of them waited for\n", ROUNDS, waited);
    return 0;
}
