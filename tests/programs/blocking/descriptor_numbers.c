/*
 * While threads wait for files, main gives a file every descriptor number that the limit allows, by dup2, one at a
 * time: each can be had, read through and closed, and the threads still get what they wait for.
 */
#include "../check.h"
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { THREADS = 4, LIMIT = 4096 };
static int ends[THREADS][2];
static sem_t begun;

static void *reads(void *argument)
{
    char byte;
    sem_post(&begun);
    CHECK(read(ends[AS_INTEGER(argument)][0], &byte, 1) == 1, "read");
    return AS_POINTER(byte);
}

int main(void)
{
    pthread_t threads[THREADS];
    struct rlimit limit;
    char letter;
    int sum = 0;
    sem_init(&begun, 0, 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    if (limit.rlim_cur > LIMIT) {
        limit.rlim_cur = LIMIT;
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    }
    for (int n = 0; n < THREADS; n++) {
        CHECK(pipe(ends[n]) == 0, "pipe");
        threads[n] = start(reads, AS_POINTER(n));
    }
    for (int n = 0; n < THREADS; n++)
        sem_wait(&begun);
    sleep_ms(10);
    int file = memfd_create("letters", 0), first = file + 1;
    CHECK(file >= 0 && write(file, "grivet", 6) == 6, "memfd_create");
    for (int n = first; n < (int)limit.rlim_cur; n++) {
        CHECK(dup2(file, n) == n, "dup2 to %d", n);
        CHECK(pread(n, &letter, 1, n % 6) == 1 && letter == "grivet"[n % 6], "descriptor %d", n);
        if (n % 100 == 0)
            usleep(100);
        CHECK(pread(n, &letter, 1, 0) == 1 && letter == 'g', "descriptor %d", n);
        CHECK(close(n) == 0, "close of %d", n);
    }
    FAILS(EBADF, dup2(file, (int)limit.rlim_cur));
    for (int n = THREADS - 1; n >= 0; n--) {
        CHECK(write(ends[n][1], (char[]){(char)n}, 1) == 1, "write");
        sum += AS_INTEGER(join(threads[n]));
    }
    printf("every number was had, the threads read %d\n", sum);
    return 0;
}
