/*
 * Calls that are none of a thread library's business give a thread what they give any process: six arguments
 * arrive, results and errors come back, errno is set, and a number the kernel does not know is ENOSYS.
 */
#include "../check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>

static void *body(void *argument)
{
    (void)argument;
    int file = memfd_create("calls", 0);
    CHECK(file >= 0, "memfd_create");
    CHECK(ftruncate(file, 3 * 4096) == 0, "ftruncate");
    char *pages = (char *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 2 * 4096);
    CHECK(pages != MAP_FAILED, "mmap with six arguments");
    CHECK(pwrite(file, "sixth", 5, 2 * 4096) == 5, "pwrite");
    CHECK(memcmp(pages, "sixth", 5) == 0, "the sixth argument, the offset, was lost: %.5s", pages);
    CHECK(munmap(pages, 4096) == 0, "munmap");

    char first[3], second[3];
    struct iovec parts[] = {{first, 3}, {second, 2}};
    CHECK(preadv(file, parts, 2, 2 * 4096) == 5, "preadv");
    CHECK(memcmp(first, "six", 3) == 0 && memcmp(second, "th", 2) == 0, "preadv's bytes");
    FAILS(EBADF, close(-1));
    FAILS(EBADF, read(-1, first, 1));
    FAILS(ENOENT, open("/no/such/file", O_RDONLY));
    FAILS(EFAULT, syscall(SYS_write, file, (void *)1, 1));
    CHECK(close(file) == 0, "close");
    FAILS(ENOSYS, syscall(100000));
    FAILS(ENOSYS, syscall(-1L));
    struct utsname name;
    CHECK(uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0, "uname: %s", name.sysname);
    CHECK(syscall(SYS_getpid) == getpid(), "getpid");
    return NULL;
}

int main(void)
{
    body(NULL);
    pthread_t threads[4];
    for (int n = 0; n < 4; n++)
        threads[n] = start(body, NULL);
    for (int n = 0; n < 4; n++)
        join(threads[n]);
    body(NULL);
    puts("calls passed on came back right");
    return 0;
}
