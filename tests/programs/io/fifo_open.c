/*
 * open of a FIFO for reading waits, in its own thread only, until someone opens it for writing, and the other way
 * round; O_RDWR and O_NONBLOCK do not wait (a writer alone gets ENXIO). A handler without SA_RESTART ends the wait.
 */
#include "waiting.h"
#include <fcntl.h>
#include <sys/stat.h>

enum { PAIRS = 5 };
static char directory[] = "/tmp/fifo_open.XXXXXX", paths[PAIRS][64];

static long opens_to_read(void *path)
{
    return open(path, O_RDONLY);
}

static long opens_to_write(void *path)
{
    return open(path, O_WRONLY);
}

static void handler(int number)
{
    (void)number;
}

static void *writes_later(void *path)
{
    others_go_on();
    int out = opens_to_write(path);
    CHECK(out >= 0, "open for writing");
    others_go_on();
    COUNT(4, write(out, "late", 4));
    close(out);
    return NULL;
}

static void pass_a_byte(int in, int out)
{
    char letter;
    COUNT(1, write(out, "x", 1));
    COUNT(1, read(in, &letter, 1));
    close(out);
    COUNT(0, read(in, &letter, 1));
    close(in);
}

int main(void)
{
    start_ticker();
    CHECK(mkdtemp(directory), "mkdtemp");
    struct waiter waiters[PAIRS];
    for (int n = 0; n < PAIRS; n++) {
        snprintf(paths[n], sizeof paths[n], "%s/%d", directory, n);
        CHECK(mkfifo(paths[n], 0600) == 0, "mkfifo");
    }
    for (int n = 0; n < PAIRS; n++)
        begin(&waiters[n], opens_to_read, paths[n]);
    for (int n = PAIRS - 1; n >= 0; n--) {
        still_waits(&waiters[n]);
        int out = opens_to_write(paths[n]);
        CHECK(out >= 0, "open for writing");
        pass_a_byte(result_of(&waiters[n]), out);
    }
    puts("readers waited for writers");
    for (int n = 0; n < PAIRS; n++)
        begin(&waiters[n], opens_to_write, paths[n]);
    for (int n = 0; n < PAIRS; n++) {
        still_waits(&waiters[n]);
        int in = opens_to_read(paths[n]);
        CHECK(in >= 0, "open for reading");
        pass_a_byte(in, result_of(&waiters[n]));
    }
    puts("writers waited for readers");

    pthread_t thread = start(writes_later, paths[0]);
    int in = opens_to_read(paths[0]);
    char got[8];
    COUNT(4, read(in, got, sizeof got));
    join(thread);
    close(in);
    puts("main waited for a writer");

    FAILS(ENXIO, open(paths[0], O_WRONLY | O_NONBLOCK));
    in = open(paths[0], O_RDONLY | O_NONBLOCK);
    CHECK(in >= 0, "open without waiting");
    COUNT(0, read(in, got, 1));
    int out = opens_to_write(paths[0]);
    FAILS(EAGAIN, read(in, got, 1));
    pass_a_byte(in, out);
    int both = open(paths[0], O_RDWR);
    CHECK(both >= 0, "open for both");
    close(both);
    puts("O_NONBLOCK and O_RDWR do not wait");

    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    begin(&waiters[0], opens_to_read, paths[0]);
    still_waits(&waiters[0]);
    ZERO(pthread_kill(waiters[0].thread, SIGUSR1));
    long result = result_of(&waiters[0]);
    CHECK(result == -1 && errno == EINTR, "open gave %ld", result);
    puts("a handler ended the wait");

    for (int n = 0; n < PAIRS; n++)
        unlink(paths[n]);
    CHECK(rmdir(directory) == 0, "rmdir");
    return 0;
}
