/*
 * /proc/self/task lists the live threads, each once, by readdir, rewinddir, seekdir and small getdents64 buffers, and
 * while others end; st_nlink counts them.
 */
#include "named_threads.h"
#include <sys/syscall.h>

static int place_of(pid_t tid)
{
    for (int n = 0; n <= THREADS; n++)
        if (tids[n] == tid)
            return n;
    return -1;
}

/* Checks that an open list has all threads from FIRST on, once each, and nothing else but "." and "..". */
static void lists(DIR *list, int first)
{
    int seen[THREADS + 1] = {0}, dots = 0;
    struct dirent *entry;
    while (errno = 0, (entry = readdir(list)) != NULL) {
        CHECK(entry->d_type == DT_DIR, "type %d", entry->d_type);
        if (entry->d_name[0] == '.') {
            dots++;
            continue;
        }
        int place = place_of(atoi(entry->d_name));
        CHECK(place >= 0, "%s is no thread", entry->d_name);
        seen[place]++;
    }
    CHECK(errno == 0 && dots == 2, "%d dots", dots);
    for (int n = 0; n <= THREADS; n++)
        CHECK(seen[n] == 1 || (n < first && seen[n] == 0), "thread %d is listed %d times", n, seen[n]);
}

int main(void)
{
    char path[64], text[256];
    pthread_t threads[THREADS];
    struct stat status;
    start_all(threads);
    DIR *list = opendir("/proc/self/task");
    CHECK(list != NULL, "opendir");
    lists(list, 0);
    rewinddir(list);
    lists(list, 0);
    rewinddir(list);
    for (int n = 0; n < 7; n++)
        readdir(list);
    long place = telldir(list);
    snprintf(text, sizeof text, "%s", readdir(list)->d_name);
    for (int n = 0; n < 5; n++)
        readdir(list);
    seekdir(list, place);
    CHECK(strcmp(readdir(list)->d_name, text) == 0, "seekdir");
    CHECK(stat("/proc/self/task", &status) == 0, "stat");
    printf("links for %d threads: %d", THREADS + 1, (int)status.st_nlink);
    CHECK(fstat(dirfd(list), &status) == 0, "fstat");
    printf(", open: %d\n", (int)status.st_nlink);
    closedir(list);

    snprintf(path, sizeof path, "/proc/%d/task", getpid());
    int file = open(path, O_RDONLY | O_DIRECTORY);
    char small[40];
    int count = 0;
    FAILS(EINVAL, syscall(SYS_getdents64, file, small, 10));
    for (long got; (got = syscall(SYS_getdents64, file, small, sizeof small)) != 0; count++)
        CHECK(got > 0 && got <= (long)sizeof small, "getdents64 %ld", got);
    printf("%d entries one by one\n", count);

    /* Some end while the list is read in pieces: the others are still listed, once each. */
    list = opendir("/proc/self/task");
    lseek(file, 0, SEEK_SET);
    int seen[THREADS + 1] = {0};
    for (int n = 0; n < THREADS / 2 + 2; n++) {
        CHECK(syscall(SYS_getdents64, file, small, sizeof small) > 0, "getdents64");
        if (small[19] != '.')
            seen[place_of(atoi(small + 19))]++;
    }
    end_all(threads, 0, THREADS / 4);
    sleep_ms(20);
    while (syscall(SYS_getdents64, file, small, sizeof small) > 0)
        seen[place_of(atoi(small + 19))]++;
    for (int n = THREADS / 4; n <= THREADS; n++)
        CHECK(seen[n] == 1, "thread %d is listed %d times while others end", n, seen[n]);
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tids[0]);
    FAILS(ENOENT, open(path, O_RDONLY));
    CHECK(stat("/proc/self/task", &status) == 0, "stat");
    printf("links then: %d\n", (int)status.st_nlink);
    rewinddir(list);
    lists(list, THREADS / 4);
    closedir(list);
    close(file);
    end_all(threads, THREADS / 4, THREADS);
    return 0;
}
