/*
 * Threads write to a file each and have it brought to the disk by every call there is for that, while a thread that
 * only yields and sleeps goes on; what they wrote is there afterwards. Files that can't be synchronised say so.
 */
#include "../check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { THREADS = 12, ROUNDS = 5, PAGE = 4096 };
static int stop;
static long steps;

static int temporary_file(void)
{
    const char *directory = getenv("TMPDIR");
    char name[256];
    snprintf(name, sizeof name, "%s/file_sync.XXXXXX", directory != NULL ? directory : "/tmp");
    int descriptor = mkstemp(name);
    CHECK(descriptor >= 0 && unlink(name) == 0, "%s", name);
    return descriptor;
}

static void synchronise(int how, int file, void *mapping)
{
    static const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    switch (how % 6) {
    case 0: CHECK(fsync(file) == 0, "fsync"); break;
    case 1: CHECK(fdatasync(file) == 0, "fdatasync"); break;
    case 2: CHECK(sync_file_range(file, 0, 0, all) == 0, "sync_file_range"); break;
    case 3: CHECK(syncfs(file) == 0, "syncfs"); break;
    case 4: CHECK(msync(mapping, PAGE, MS_SYNC) == 0, "msync"); break;
    case 5: CHECK(fallocate(file, FALLOC_FL_KEEP_SIZE, PAGE, PAGE) == 0 && fsync(file) == 0, "fallocate"); break;
    }
}

static void *body(void *argument)
{
    int me = AS_INTEGER(argument), file = temporary_file();
    char block[PAGE], back[PAGE];
    CHECK(ftruncate(file, PAGE) == 0, "ftruncate");
    char *mapping = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(mapping != MAP_FAILED, "mmap");
    for (int round = 0; round < ROUNDS; round++) {
        memset(block, me * ROUNDS + round, PAGE);
        if (me % 6 == 4)
            memcpy(mapping, block, PAGE);
        else
            CHECK(pwrite(file, block, PAGE, 0) == PAGE, "pwrite");
        synchronise(me, file, mapping);
        CHECK(pread(file, back, PAGE, 0) == PAGE && memcmp(block, back, PAGE) == 0, "what was written changed");
    }
    munmap(mapping, PAGE);
    close(file);
    return AS_POINTER(ROUNDS);
}

static void *goes_on(void *argument)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        usleep(100);
        steps++;
    }
    return argument;
}

int main(void)
{
    pthread_t threads[THREADS], other = start(goes_on, NULL);
    int pipes[2], count = 0;
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        count += AS_INTEGER(join(threads[n]));
    printf("synchronised %d times\n", count);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    join(other);
    CHECK(steps > 0, "the other thread never ran");

    CHECK(pipe(pipes) == 0, "pipe");
    FAILS(EINVAL, fsync(pipes[0]));
    FAILS(EBADF, fdatasync(-1));
    FAILS(ESPIPE, sync_file_range(pipes[0], 0, 0, 0));
    FAILS(ENOMEM, msync(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1L << 40, MS_SYNC));
    puts("refused where there is no disk");
    return 0;
}
