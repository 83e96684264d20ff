/*
 * /proc/self/task lists the live threads, each once, by readdir, rewinddir, seekdir and small getdents64 buffers, and
 * while others end; st_nlink counts them. A thread's own comm, stat, status and children there, by every path that
 * leads to them, have its name, id, state and signal mask; unknown ids have nothing; a name can be written.
 */
#include "../check.h"
#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { THREADS = 40 };
static pid_t tids[THREADS + 1];
static sem_t ready, done[THREADS];

static void *body(void *argument)
{
    int n = AS_INTEGER(argument);
    char name[16];
    snprintf(name, sizeof name, "thread %d", n);
    ZERO(pthread_setname_np(pthread_self(), name));
    if (n == 1) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    }
    tids[n] = gettid();
    sem_post(&ready);
    while (sem_wait(&done[n]) != 0) {
    }
    return NULL;
}

static int place_of(pid_t tid)
{
    for (int n = 0; n <= THREADS; n++)
        if (tids[n] == tid)
            return n;
    return -1;
}

/* Reads one file into TEXT; its length, or -1. */
static int content(int directory, const char *path, char *text, size_t size)
{
    int file = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t length = read(file, text, size - 1);
    CHECK(length >= 0, "reading %s", path);
    text[length] = 0;
    close(file);
    return length;
}

static const char *field(const char *text, const char *name)
{
    static char value[100];
    size_t length = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            snprintf(value, sizeof value, "%s", line + length + 1 + strspn(line + length + 1, "\t "));
            value[strcspn(value, "\n")] = 0;
            return value;
        }
        if (*line == 0)
            break;
    }
    return "none";
}

/* What the files below PREFIX say of thread N. */
static void describes(int directory, const char *prefix, int n)
{
    char path[128], text[4096], name[40];
    snprintf(name, sizeof name, n == THREADS ? "first" : "thread %d", n);
    snprintf(path, sizeof path, "%scomm", prefix);
    CHECK(content(directory, path, text, sizeof text) > 0 && strncmp(text, name, strlen(name)) == 0 &&
              text[strlen(name)] == '\n', "%s is %s, not %s", path, text, name);
    snprintf(path, sizeof path, "%sstat", prefix);
    CHECK(content(directory, path, text, sizeof text) > 0, "%s", path);
    int tid, threads = 0, fields = 1;
    char state, in_stat[40];
    CHECK(sscanf(text, "%d (%39[^)]) %c", &tid, in_stat, &state) == 3 && tid == tids[n] && strcmp(name, in_stat) == 0,
          "%s: %s", path, text);
    for (char *at = strrchr(text, ')'); *at != 0; at++)
        if (*at == ' ' && ++fields == 19)
            threads = atoi(at + 1);
    CHECK(state == (n == THREADS ? 'R' : 'S') && fields == 51 && threads == THREADS + 1, "%s: state %c, fields %d, %d",
          path, state, fields, threads);
    snprintf(path, sizeof path, "%sstatus", prefix);
    CHECK(content(directory, path, text, sizeof text) > 0, "%s", path);
    CHECK(strcmp(field(text, "Name"), name) == 0, "Name %s", field(text, "Name"));
    CHECK(atoi(field(text, "Pid")) == tids[n] && atoi(field(text, "Tgid")) == getpid(), "Pid %s", field(text, "Pid"));
    CHECK(field(text, "State")[0] == state, "State %s", field(text, "State"));
    CHECK(atoi(field(text, "Threads")) == THREADS + 1, "%s: Threads %s", path, field(text, "Threads"));
    CHECK(strcmp(field(text, "SigBlk"), n == 1 ? "0000000000000800" : "0000000000000000") == 0, "SigBlk %s",
          field(text, "SigBlk"));
    snprintf(path, sizeof path, "%schildren", prefix);
    CHECK(content(directory, path, text, sizeof text) == 0, "%s: %s", path, text);
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

static void *looks(void *argument)
{
    char text[64], link[64];
    CHECK(content(AT_FDCWD, "/proc/thread-self/comm", text, sizeof text) > 0, "thread-self");
    printf("thread-self: %s", text);
    ssize_t length = readlink("/proc/thread-self", link, sizeof link - 1);
    CHECK(length > 0, "readlink");
    link[length] = 0;
    snprintf(text, sizeof text, "%d/task/%d", getpid(), gettid());
    CHECK(strcmp(link, text) == 0, "/proc/thread-self is %s, not %s", link, text);
    return argument;
}

int main(void)
{
    char path[128], text[256], other[256];
    pthread_t threads[THREADS];
    struct stat status;
    sem_init(&ready, 0, 0);
    ZERO(pthread_setname_np(pthread_self(), "first"));
    tids[THREADS] = getpid();
    for (int n = 0; n < THREADS; n++) {
        sem_init(&done[n], 0, 0);
        threads[n] = start(body, AS_POINTER(n));
    }
    for (int n = 0; n < THREADS; n++)
        while (sem_wait(&ready) != 0) {
        }
    sleep_ms(30);
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

    for (int n = 0; n <= THREADS; n += n < 2 ? 1 : THREADS - 2) {
        snprintf(path, sizeof path, "/proc/self/task/%d/", tids[n]);
        describes(AT_FDCWD, path, n);
        snprintf(path, sizeof path, "/proc/%d/task/%d/", getpid(), tids[n]);
        describes(AT_FDCWD, path, n);
        snprintf(path, sizeof path, "%d/", tids[n]);
        describes(file, path, n);
        snprintf(path, sizeof path, "%d", tids[n]);
        int directory = openat(file, path, O_RDONLY | O_DIRECTORY);
        CHECK(directory >= 0 && faccessat(directory, "comm", R_OK, 0) == 0, "openat");
        describes(directory, "", n);
        close(directory);
    }
    CHECK(content(AT_FDCWD, "/proc/self/status", other, sizeof other) > 0 && strcmp(field(other, "Name"), "first") == 0,
          "%s", other);
    char all[4096];
    content(AT_FDCWD, "/proc/self/status", all, sizeof all);
    printf("Threads: %s\n", field(all, "Threads"));

    snprintf(path, sizeof path, "/proc/self/task/%d/exe", tids[3]);
    ssize_t length = readlink(path, text, sizeof text), real = readlink("/proc/self/exe", other, sizeof other);
    CHECK(length > 0 && length == real && memcmp(text, other, length) == 0, "exe");
    snprintf(path, sizeof path, "/proc/self/task/%d/cwd", tids[3]);
    CHECK(readlink(path, text, sizeof text) > 0 && stat(path, &status) == 0 && S_ISDIR(status.st_mode), "cwd");
    snprintf(path, sizeof path, "/proc/self/task/%d", tids[3]);
    CHECK(access(path, R_OK) == 0 && stat(path, &status) == 0 && S_ISDIR(status.st_mode), "directory");
    FAILS(ENOENT, access("/proc/self/task/268435455/comm", F_OK));
    FAILS(ENOENT, open("/proc/self/task/268435455/comm", O_RDONLY));
    FAILS(ENOENT, openat(file, "268435455", O_RDONLY));
    snprintf(path, sizeof path, "/proc/self/task/%d/nothing", tids[3]);
    FAILS(ENOENT, open(path, O_RDONLY));
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tids[3]);
    int name = open(path, O_RDWR);
    CHECK(name >= 0 && write(name, "written", 7) == 7, "write");
    close(name);
    ZERO(pthread_getname_np(threads[3], text, sizeof text));
    content(AT_FDCWD, path, other, sizeof other);
    printf("named %s, %s", text, other);
    ZERO(pthread_setname_np(threads[4], "set"));
    snprintf(path, sizeof path, "%d/comm", tids[4]);
    content(file, path, other, sizeof other);
    printf("named %s", other);

    /* Some end while the list is read in pieces: the others are still listed, once each. */
    list = opendir("/proc/self/task");
    lseek(file, 0, SEEK_SET);
    int seen[THREADS + 1] = {0};
    for (int n = 0; n < THREADS / 2 + 2; n++) {
        CHECK(syscall(SYS_getdents64, file, small, sizeof small) > 0, "getdents64");
        if (small[19] != '.')
            seen[place_of(atoi(small + 19))]++;
    }
    for (int n = 0; n < THREADS / 4; n++) {
        sem_post(&done[n]);
        join(threads[n]);
    }
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
    for (int n = THREADS / 4; n < THREADS; n++) {
        sem_post(&done[n]);
        join(threads[n]);
    }
    join(start(looks, NULL));
    return 0;
}
