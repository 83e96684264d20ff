/*
 * posix_spawn with file actions and attributes, from main and from eight threads at once: the program started has
 * the mask, the default and ignored signals, the group, the ids, the descriptors and the directory that were asked for,
 * or else the calling thread's mask and the process's ignored signals; no descriptor but the first three and those asked for
 * is open in it. The caller's own mask, signals, group and descriptors are as before. The program is this one.
 */
#include "../check.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

/* LETTER is where the program started finds what was written for it; no thread's pipe gets so high a number. */
enum { THREADS = 8, TEXT = 300, LETTER = 200 };
extern char **environ;

static void print_signals(const char *label, int (*holds)(int))
{
    printf("%s", label);
    for (int n = 1; n <= 31; n++)
        if (holds(n))
            printf(" %d", n);
}

static int is_blocked(int number)
{
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    return sigismember(&mask, number);
}

static int is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* As the program started: says what it found. */
static int report(const char *who)
{
    char letter = '-', where[64];
    int open = 0;
    print_signals("blocked", is_blocked);
    print_signals(", ignored", is_ignored);
    for (int n = 3; n < 256; n++)
        open += fcntl(n, F_GETFD) >= 0;
    if (fcntl(LETTER, F_GETFD) >= 0)
        CHECK(read(LETTER, &letter, 1) == 1, "read");
    CHECK(getcwd(where, sizeof where) != NULL, "getcwd");
    printf(", leader %d, open %d, read %c, in %s, ids %d, %s\n", getpgrp() == getpid(), open, letter, where,
           getuid() == geteuid() && getgid() == getegid(), who);
    return 30;
}

enum { MASK = 1, DEFAULT = 2, GROUP = 4, IDS = 8, FILES = 16, ALL = 31 };

/* Starts this program with OPTIONS and gives what it printed. */
static void run(int options, const char *who, char *text)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    sigset_t mask, defaults;
    short flags = 0;
    int ends[2], letter[2], status;
    pid_t child;
    size_t length = 0;
    ssize_t part;
    CHECK(pipe2(ends, O_CLOEXEC) == 0 && pipe2(letter, O_CLOEXEC) == 0, "pipe2");
    CHECK(write(letter[1], "r", 1) == 1, "write");
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGHUP);
    if (options & MASK) {
        flags |= POSIX_SPAWN_SETSIGMASK;
        ZERO(posix_spawnattr_setsigmask(&attributes, &mask));
    }
    if (options & DEFAULT) {
        flags |= POSIX_SPAWN_SETSIGDEF;
        ZERO(posix_spawnattr_setsigdefault(&attributes, &defaults));
    }
    if (options & GROUP) {
        flags |= POSIX_SPAWN_SETPGROUP;
        ZERO(posix_spawnattr_setpgroup(&attributes, 0));
    }
    if (options & IDS)
        flags |= POSIX_SPAWN_RESETIDS;
    ZERO(posix_spawnattr_setflags(&attributes, flags));
    ZERO(posix_spawn_file_actions_adddup2(&actions, ends[1], 1));
    if (options & FILES) {
        ZERO(posix_spawn_file_actions_adddup2(&actions, letter[0], LETTER));
        ZERO(posix_spawn_file_actions_addopen(&actions, 0, "/dev/zero", O_RDONLY, 0));
        ZERO(posix_spawn_file_actions_addchdir_np(&actions, "/usr"));
        ZERO(posix_spawn_file_actions_addclose(&actions, letter[1]));
    }
    char *arguments[] = {"spawned", "report", (char *)who, NULL};
    ZERO(posix_spawn(&child, "/proc/self/exe", &actions, &attributes, arguments, environ));
    close(ends[1]);
    while ((part = read(ends[0], text + length, (size_t)TEXT - 1 - length)) > 0)
        length += (size_t)part;
    text[length] = '\0';
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 30, "status %#x", status);
    close(ends[0]);
    close(letter[0]);
    close(letter[1]);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
}

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    char *text = malloc(2 * TEXT), who[16];
    sigset_t own, now;
    pid_t group = getpgrp();
    sigemptyset(&own);
    sigaddset(&own, me % 2 ? SIGTERM : SIGUSR1);
    ZERO(pthread_sigmask(SIG_SETMASK, &own, NULL));
    snprintf(who, sizeof who, "thread %d", me);
    run(me == 0 ? ALL : me == 1 ? 0 : 1 << (me - 2), who, text);
    run(ALL, who, text + strlen(text));
    ZERO(pthread_sigmask(SIG_SETMASK, NULL, &now));
    CHECK(memcmp(&own, &now, 8) == 0 && getpgrp() == group && is_ignored(SIGHUP), "the caller has changed");
    FAILS(EBADF, fcntl(LETTER, F_GETFD));
    return text;
}

int main(int count, char **arguments)
{
    pthread_t threads[THREADS];
    if (count > 2)
        return report(arguments[2]);
    closefrom(3);
    CHECK(chdir("/") == 0, "chdir");
    signal(SIGHUP, SIG_IGN);
    signal(SIGWINCH, SIG_IGN);
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++) {
        char *text = join(threads[n]);
        printf("%s", text);
        free(text);
    }
    char *text = body(AS_POINTER(1));
    printf("main: %s", text);
    free(text);
    return 0;
}
