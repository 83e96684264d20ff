/*
 * Writes of at most PIPE_BUF bytes are atomic: records of many writers that wait for room in one pipe never lie within
 * one another, each writer's arrive in its order, and none is lost.
 */
#include "waiting.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>

enum { WRITERS = 12, RECORDS = 150 };
static int ends[2];

struct record {
    unsigned short length, writer, number;
    unsigned char body[PIPE_BUF - 6];
};

static void fill(struct record *record, int writer, int number)
{
    /* Every few records one has exactly PIPE_BUF bytes. */
    int body = number % 5 == 0 ? PIPE_BUF - 6 : (writer * 977 + number * 313) % (PIPE_BUF - 6);
    record->length = 6 + body;
    record->writer = writer;
    record->number = number;
    memset(record->body, writer * 16 + number, body);
}

static void *writes(void *argument)
{
    struct record record;
    for (int number = 0; number < RECORDS; number++) {
        fill(&record, AS_INTEGER(argument), number);
        if (number % 2) {
            struct iovec parts[] = {{&record, 6}, {record.body, record.length - 6}};
            COUNT(record.length, writev(ends[1], parts, 2));
        } else
            COUNT(record.length, write(ends[1], &record, record.length));
    }
    return NULL;
}

static void read_fully(void *place, size_t length)
{
    for (size_t had = 0; had < length;) {
        ssize_t got = read(ends[0], (char *)place + had, length - had);
        CHECK(got > 0, "read gave %zd", got);
        had += got;
    }
}

static long reads_packet(void *argument)
{
    static char packet[2 * PIPE_BUF];
    (void)argument;
    return read(ends[0], packet, sizeof packet);
}

/* O_DIRECT keeps the borders of writes, and makes several packets of what exceeds PIPE_BUF. */
static void packets(void)
{
    static char bytes[2 * PIPE_BUF + 100];
    CHECK(pipe2(ends, O_DIRECT) == 0, "pipe2");
    struct waiter waiter;
    begin(&waiter, reads_packet, NULL);
    still_waits(&waiter);
    COUNT(10, write(ends[1], bytes, 10));
    ENDS_WITH(10, &waiter);
    COUNT(20, write(ends[1], bytes, 20));
    COUNT(30, write(ends[1], bytes, 30));
    COUNT(20, reads_packet(NULL));
    COUNT(30, reads_packet(NULL));
    COUNT(sizeof bytes, write(ends[1], bytes, sizeof bytes));
    COUNT(PIPE_BUF, reads_packet(NULL));
    COUNT(PIPE_BUF, reads_packet(NULL));
    COUNT(100, reads_packet(NULL));
    close_both(ends);
    puts("packets keep their borders");
}

int main(void)
{
    start_ticker();
    make_pipe(ends);
    pthread_t threads[WRITERS];
    int next[WRITERS] = {0};
    struct record record, expected;
    for (int n = 0; n < WRITERS; n++)
        threads[n] = start(writes, AS_POINTER(n));
    for (int count = 0; count < WRITERS * RECORDS; count++) {
        if (count % 300 == 0)
            others_go_on();
        read_fully(&record, 6);
        CHECK(record.writer < WRITERS && record.length <= PIPE_BUF, "no record's head: %d", record.writer);
        read_fully(record.body, record.length - 6);
        fill(&expected, record.writer, next[record.writer]++);
        CHECK(memcmp(&record, &expected, expected.length) == 0, "record %d is torn", count);
    }
    for (int n = 0; n < WRITERS; n++)
        join(threads[n]);
    printf("%d records, each whole\n", WRITERS * RECORDS);
    close_both(ends);
    packets();
    return 0;
}
