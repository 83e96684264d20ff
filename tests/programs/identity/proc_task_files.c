/*
 * A thread's comm, stat, status and children in /proc/self/task, by every path that leads to them, have its own name,
 * id, state and signal mask; other files there are the process's; unknown ids have nothing; a name can be written.
 */
#include "named_threads.h"

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
    start_all(threads);
    snprintf(path, sizeof path, "/proc/%d/task", getpid());
    int file = open(path, O_RDONLY | O_DIRECTORY);
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
    close(file);
    end_all(threads, 0, THREADS);
    join(start(looks, NULL));
    return 0;
}
