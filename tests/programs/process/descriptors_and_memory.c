/*
 * What threads share stays shared: descriptors opened by one are read and closed by another, memory mapped by one is
 * seen, protected and unmapped by another, the working directory and umask are the process's.
 */
#include "../check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int file;
static char *pages;

static void *opens(void *argument)
{
    file = memfd_create("shared", 0);
    CHECK(file >= 0 && write(file, "from a thread", 13) == 13, "memfd_create");
    pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED, "mmap");
    strcpy(pages, "mapped by a thread");
    CHECK(chdir("/usr") == 0, "chdir");
    umask(027);
    return argument;
}

static void *reads(void *argument)
{
    char text[32] = "", where[64];
    CHECK(pread(file, text, 13, 0) == 13 && strcmp(text, "from a thread") == 0, "read %s", text);
    CHECK(close(file) == 0, "close");
    CHECK(strcmp(pages, "mapped by a thread") == 0, "mapping holds %s", pages);
    CHECK(mprotect(pages, 4096, PROT_READ) == 0, "mprotect");
    CHECK(munmap(pages, 8192) == 0, "munmap");
    CHECK(getcwd(where, sizeof where) != NULL && strcmp(where, "/usr") == 0, "in %s", where);
    CHECK(umask(022) == 027, "umask");
    return argument;
}

int main(void)
{
    join(start(opens, NULL));
    join(start(reads, NULL));
    FAILS(EBADF, fcntl(file, F_GETFD));
    puts("shared by all threads");
    return 0;
}
