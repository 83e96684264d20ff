/*
 * Threads read one file of 64 MiB side by side, each by another call and in pieces of another size, and get the same
 * bytes; others write it piece by piece to files of their own, by another call each, copy_file_range and direct I/O
 * included, and the copies are the same.
 */
#include "../check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum { SIZE = 64 << 20, COPY = 8 << 20, ALIGNED = 4096 };
static int file;
static const char *content;

/* A new file without a name. */
static int temporary_file(void)
{
    const char *directory = getenv("TMPDIR");
    char name[256];
    snprintf(name, sizeof name, "%s/large_file.XXXXXX", directory != NULL ? directory : "/tmp");
    int descriptor = mkstemp(name);
    CHECK(descriptor >= 0 && unlink(name) == 0, "%s", name);
    return descriptor;
}

/* The file of DESCRIPTOR, opened once more with FLAGS; -1 if it can't be. */
static int opened_again(int descriptor, int flags)
{
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    return open(name, flags | O_CLOEXEC);
}

enum how { PLAIN, AT, VECTOR_AT, VECTOR_FLAGS, VECTOR, DIRECT, COPIED, WAYS };
static const char *const names[] = {"read", "pread", "preadv", "preadv2", "readv", "direct", "copied"};

/* Reads (or, with WRITES, writes) LENGTH bytes at POSITION by HOW, in two pieces where it takes several. */
static ssize_t transfer(enum how how, int writes, int descriptor, char *bytes, size_t length, off_t position)
{
    struct iovec pieces[] = {{bytes, length / 3}, {bytes + length / 3, length - length / 3}};
    off_t from = position;
    switch (how) {
    case PLAIN:
    case DIRECT: return writes ? write(descriptor, bytes, length) : read(descriptor, bytes, length);
    case AT: return writes ? pwrite(descriptor, bytes, length, position) : pread(descriptor, bytes, length, position);
    case VECTOR: return writes ? writev(descriptor, pieces, 2) : readv(descriptor, pieces, 2);
    case VECTOR_AT: return writes ? pwritev(descriptor, pieces, 2, position) : preadv(descriptor, pieces, 2, position);
    case VECTOR_FLAGS:
        return writes ? pwritev2(descriptor, pieces, 2, position, 0) : preadv2(descriptor, pieces, 2, position, 0);
    case COPIED: return copy_file_range(file, &from, descriptor, NULL, length, 0);
    default: return -1;
    }
}

static void *reads(void *argument)
{
    enum how how = (enum how)AS_INTEGER(argument);
    size_t piece = how == DIRECT ? 1 << 20 : 300007 + 10000 * how;
    char *buffer = aligned_alloc(ALIGNED, 2 << 20);
    int own = how == DIRECT ? opened_again(file, O_RDONLY | O_DIRECT) : -1;
    if (own < 0)
        own = opened_again(file, O_RDONLY);
    off_t position = 0;
    for (;;) {
        ssize_t length = transfer(how, 0, own, buffer, piece, position);
        CHECK(length >= 0, "%s at %ld", names[how], (long)position);
        if (length == 0)
            break;
        CHECK(memcmp(buffer, content + position, (size_t)length) == 0, "%s at %ld", names[how], (long)position);
        position += length;
    }
    CHECK(position == SIZE, "%s read %ld bytes", names[how], (long)position);
    close(own);
    free(buffer);
    return NULL;
}

static void *writes(void *argument)
{
    enum how how = (enum how)AS_INTEGER(argument);
    size_t piece = how == DIRECT ? 1 << 20 : 200003 + 10000 * how;
    int copy = temporary_file(), own = how == DIRECT ? opened_again(copy, O_WRONLY | O_DIRECT) : -1;
    if (own < 0)
        own = opened_again(copy, O_WRONLY);
    off_t position = 0;
    while (position < COPY) {
        size_t left = (size_t)(COPY - position);
        ssize_t length = transfer(how, 1, own, (char *)content + position, piece < left ? piece : left, position);
        CHECK(length > 0, "%s at %ld", names[how], (long)position);
        position += length;
    }
    char *back = mmap(NULL, COPY, PROT_READ, MAP_SHARED, copy, 0);
    CHECK(back != MAP_FAILED && memcmp(back, content, COPY) == 0, "the copy by %s differs", names[how]);
    munmap(back, COPY);
    close(own);
    close(copy);
    return NULL;
}

int main(void)
{
    pthread_t readers[WAYS], writers[WAYS];
    file = temporary_file();
    CHECK(ftruncate(file, SIZE) == 0, "ftruncate");
    uint64_t *words = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), state = 1;
    CHECK(words != MAP_FAILED, "mmap");
    for (size_t n = 0; n < SIZE / sizeof *words; n++)
        words[n] = state = state * 6364136223846793005 + 1442695040888963407;
    content = (const char *)words;
    for (int n = 0; n < WAYS; n++) {
        writers[n] = start(writes, AS_POINTER(n));
        if (n != COPIED)
            readers[n] = start(reads, AS_POINTER(n));
    }
    for (int n = 0; n < WAYS; n++) {
        join(writers[n]);
        if (n != COPIED)
            join(readers[n]);
        printf("%s: the same\n", names[n]);
    }
    return 0;
}
