/*
 * Sixty threads wait for one file lock, and its holder must reach the disk before it gives it up: those that wait must
 * not use up whatever makes the holder's call.
 */
#include "waiting.h"
#include <fcntl.h>
#include <sys/file.h>

enum { THREADS = 60, ROUNDS = 2 };
static char path[] = "/tmp/sync_under_file_lock.XXXXXX";
static int written;

static void *locks_and_writes(void *argument)
{
    int file = open(path, O_RDWR | O_APPEND);
    CHECK(file >= 0, "open");
    for (int round = 0; round < ROUNDS; round++) {
        CHECK(flock(file, LOCK_EX) == 0, "flock");
        COUNT(1, write(file, "x", 1));
        CHECK(fdatasync(file) == 0, "fdatasync");
        written++;
        CHECK(flock(file, LOCK_UN) == 0, "unlock");
    }
    close(file);
    return argument;
}

int main(void)
{
    start_ticker();
    int file = mkstemp(path);
    CHECK(file >= 0 && flock(file, LOCK_EX) == 0, "%s", path);
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(locks_and_writes, NULL);
    others_go_on();
    CHECK(fdatasync(file) == 0, "fdatasync");
    CHECK(written == 0, "%d written under main's lock", written);
    CHECK(flock(file, LOCK_UN) == 0, "unlock");
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    off_t length = lseek(file, 0, SEEK_END);
    CHECK(length == written, "%ld bytes for %d writes", (long)length, written);
    unlink(path);
    printf("%d writes reached the disk\n", written);
    return 0;
}
