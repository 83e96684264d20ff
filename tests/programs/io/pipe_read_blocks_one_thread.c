/*
 * A read of an empty pipe waits in its own thread only, whichever thread that is, until bytes are written; several
 * readers get one piece each; when the last writer closes, all that wait get the end of the file.
 */
#include "waiting.h"
#include <sys/uio.h>

enum { READERS = 10 };
static int ends[2];
static char got[16];
static void *volatile nowhere = (void *)16;

static long reads(void *argument)
{
    (void)argument;
    return read(ends[0], got, sizeof got);
}

static long reads_in_two_parts(void *argument)
{
    (void)argument;
    struct iovec parts[] = {{got, 3}, {got + 8, 8}};
    return readv(ends[0], parts, 2);
}

static long reads_at_no_offset(void *argument)
{
    (void)argument;
    struct iovec parts[] = {{got, 3}, {got + 8, 8}};
    return preadv2(ends[0], parts, 2, -1, 0);
}

static long reads_one_byte(void *place)
{
    return read(ends[0], place, 1);
}

static void *writes_later(void *text)
{
    others_go_on();
    COUNT(strlen(text), write(ends[1], text, strlen(text)));
    return NULL;
}

static void *closes_later(void *argument)
{
    others_go_on();
    CHECK(close(ends[1]) == 0, "close");
    return argument;
}

int main(void)
{
    start_ticker();
    make_pipe(ends);
    struct waiter waiter;
    begin(&waiter, reads, NULL);
    still_waits(&waiter);
    COUNT(5, write(ends[1], "hello", 5));
    ENDS_WITH(5, &waiter);
    printf("read: %.5s\n", got);

    begin(&waiter, reads_in_two_parts, NULL);
    still_waits(&waiter);
    COUNT(5, write(ends[1], "parts", 5));
    ENDS_WITH(5, &waiter);
    printf("readv: %.3s %.2s\n", got, got + 8);

    begin(&waiter, reads_at_no_offset, NULL);
    still_waits(&waiter);
    COUNT(6, write(ends[1], "offset", 6));
    ENDS_WITH(6, &waiter);
    printf("preadv2: %.3s %.3s\n", got, got + 8);
    FAILS(ESPIPE, pread(ends[0], got, 1, 0));

    struct waiter readers[READERS];
    char letters[READERS];
    for (int n = 0; n < READERS; n++)
        begin(&readers[n], reads_one_byte, &letters[n]);
    for (int n = 0; n < READERS; n++)
        still_waits(&readers[n]);
    COUNT(READERS, write(ends[1], "abcdefghij", READERS));
    unsigned seen = 0;
    for (int n = 0; n < READERS; n++) {
        ENDS_WITH(1, &readers[n]);
        seen |= 1U << (letters[n] - 'a');
    }
    CHECK(seen == (1U << READERS) - 1, "letters %#x", seen);
    puts("ten readers got a letter each");

    COUNT(0, read(ends[0], got, 0));
    COUNT(3, write(ends[1], "abc", 3));
    FAILS(EFAULT, read(ends[0], nowhere, 3));
    FAILS(EBADF, read(ends[1], got, 1));
    COUNT(3, read(ends[0], got, sizeof got));

    pthread_t thread = start(writes_later, "to main");
    COUNT(7, read(ends[0], got, sizeof got));
    join(thread);
    printf("main read: %.7s\n", got);

    begin(&waiter, reads, NULL);
    begin(&readers[0], reads_in_two_parts, NULL);
    begin(&readers[1], reads_one_byte, &letters[1]);
    still_waits(&waiter);
    thread = start(closes_later, NULL);
    COUNT(0, read(ends[0], got, sizeof got));
    join(thread);
    ENDS_WITH(0, &waiter);
    ENDS_WITH(0, &readers[0]);
    ENDS_WITH(0, &readers[1]);
    COUNT(0, read(ends[0], got, sizeof got));
    puts("four readers saw the end of the file");
    return 0;
}
