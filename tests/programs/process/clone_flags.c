/*
 * clone and clone3 that do not make a thread, from main and from threads while others wait: with memory of its own and
 * descriptors or directory shared, with CLONE_PARENT, CLONE_PIDFD, CLONE_CLEAR_SIGHAND, another exit signal or none,
 * CLONE_CHILD_SETTID and _CLEARTID, on a stack of its own by libc's clone(); with this memory, suspended as by vfork or
 * not. Each child makes calls that wait, and threads if its memory is its own. Flags that do not go together are refused; unshare and setns say what is
 * wrong.
 */
#include "../check.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#undef SCHED_NORMAL
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { STACK = 256 << 10 };
static sem_t never;
static int silent[2];
static volatile int seen;

static pid_t clone3_with(struct clone_args arguments)
{
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static void *doubles(void *argument)
{
    usleep(1000);
    return AS_POINTER(AS_INTEGER(argument) * 2);
}

/* In a child with memory of its own. */
static int lives(int value)
{
    CHECK((pid_t)syscall(SYS_gettid) == (pid_t)syscall(SYS_getpid), "ids");
    sleep_ms(1);
    return AS_INTEGER(join(start(doubles, AS_POINTER(value))));
}

static int status_of(pid_t child, int options)
{
    int status;
    CHECK(waitpid(child, &status, options) == child && WIFEXITED(status), "status %#x", status);
    return WEXITSTATUS(status);
}

static void shares_files_and_directory(void)
{
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0);
    CHECK(child >= 0, "clone");
    if (child == 0) {
        int file = open("/dev/zero", O_RDONLY);
        CHECK(file >= 0 && dup2(file, 150) == 150 && chdir("/usr") == 0, "child");
        close(file);
        _exit(lives(3));
    }
    char byte = 'x', where[64];
    CHECK(status_of(child, 0) == 6, "status");
    CHECK(read(150, &byte, 1) == 1 && byte == 0 && close(150) == 0, "the child's descriptor");
    CHECK(getcwd(where, sizeof where) && strcmp(where, "/usr") == 0 && chdir("/") == 0, "in %s", where);
    puts("CLONE_FILES | CLONE_FS");
}

static void by_descriptor(void)
{
    int pidfd = -1;
    siginfo_t info = {0};
    pid_t child = clone3_with((struct clone_args){.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD});
    CHECK(child >= 0, "clone3");
    if (child == 0) {
        sleep_ms(20);
        _exit(lives(4));
    }
    struct pollfd poll_for = {.fd = pidfd, .events = POLLIN};
    CHECK(poll(&poll_for, 1, 10000) == 1 && poll_for.revents & POLLIN, "poll");
    CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0 && info.si_status == 8 && info.si_pid == child, "waitid");
    close(pidfd);
    puts("CLONE_PIDFD");
}

/* The child's child is this process's own. */
static void siblings(void)
{
    pid_t ids[2] = {0}, me = getpid();
    int ends[2];
    CHECK(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        pid_t sibling = clone3_with((struct clone_args){.flags = CLONE_PARENT});
        CHECK(sibling >= 0, "clone3");
        if (sibling == 0) {
            CHECK(getppid() == me, "parent %d", getppid());
            _exit(lives(5));
        }
        CHECK(write(ends[1], &sibling, sizeof sibling) == sizeof sibling, "write");
        FAILS(ECHILD, waitpid(sibling, NULL, __WALL));
        _exit(2);
    }
    CHECK(read(ends[0], &ids[0], sizeof ids[0]) == sizeof ids[0], "read");
    CHECK(status_of(child, 0) == 2 && status_of(ids[0], 0) == 10, "statuses");
    close(ends[0]);
    close(ends[1]);
    puts("CLONE_PARENT");
}

static void without_signal(void)
{
    pid_t child = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0), there = 0, gone = 0;
    CHECK(child >= 0, "clone");
    if (child == 0) {
        sleep_ms(20);
        _exit(lives(6));
    }
    FAILS(ECHILD, waitpid(child, NULL, 0));
    CHECK(status_of(child, __WCLONE) == 12, "status");
    child = (pid_t)syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0, &there,
                           &gone, 0);
    if (child == 0)
        _exit(gone == getpid() ? lives(7) : 1);
    CHECK(there == child && gone == 0 && status_of(child, __WALL) == 14, "CLONE_CHILD_SETTID");
    puts("no exit signal; CLONE_CHILD_SETTID");
}

static void handler(int number) { (void)number; }

static void without_handlers(void)
{
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    pid_t child = clone3_with((struct clone_args){.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD});
    if (child == 0) {
        struct sigaction user, ignored;
        CHECK(sigaction(SIGUSR1, NULL, &user) == 0 && user.sa_handler == SIG_DFL, "a handler is left");
        CHECK(sigaction(SIGUSR2, NULL, &ignored) == 0 && ignored.sa_handler == SIG_IGN, "no longer ignored");
        _exit(lives(8));
    }
    CHECK(child < 0 ? errno == EINVAL : status_of(child, 0) == 16, "CLONE_CLEAR_SIGHAND");
    puts("CLONE_CLEAR_SIGHAND");
}

static int on_own_stack(void *argument)
{
    char around[1000];
    memset(around, 7, sizeof around);
    int status = lives(AS_INTEGER(argument));
    return around[500] == 7 ? status : 1;
}

static int in_this_memory(void *argument)
{
    struct timespec time = {0, 20 * MILLISECOND};
    char byte;
    int ends[2];
    syscall(SYS_nanosleep, &time, NULL);
    if (pipe(ends) != 0 || write(ends[1], "p", 1) != 1 || read(ends[0], &byte, 1) != 1 || byte != 'p')
        return 1;
    close(ends[0]);
    close(ends[1]);
    seen = AS_INTEGER(argument);
    return AS_INTEGER(argument) + 1;
}

static void stacks_and_memory(void)
{
    char *stack = malloc(STACK);
    pid_t child = clone(on_own_stack, stack + STACK, SIGCHLD, AS_POINTER(9));
    CHECK(child > 0 && status_of(child, 0) == 18, "clone() on a stack of its own");
    child = clone(in_this_memory, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, AS_POINTER(40));
    CHECK(child > 0 && seen == 40 && status_of(child, 0) == 41, "CLONE_VFORK: seen %d", seen);
    child = clone(in_this_memory, stack + STACK, CLONE_VM | SIGCHLD, AS_POINTER(50));
    CHECK(child > 0 && status_of(child, 0) == 51 && seen == 50, "CLONE_VM: seen %d", seen);
    child = clone(in_this_memory, stack + STACK, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, AS_POINTER(60));
    CHECK(child > 0, "clone");
    while (seen != 60)
        usleep(500);
    CHECK(status_of(child, 0) == 61, "CLONE_VM | CLONE_FILES");
    free(stack);
    puts("own stack, CLONE_VM with and without CLONE_VFORK");
}

static void refused(void)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    FAILS(EINVAL, syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0));
    FAILS(EINVAL, syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0));
    FAILS(EINVAL, syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, 0, 0, 0, 0));
    FAILS(EINVAL, syscall(SYS_clone3, &arguments, 8L));
    FAILS(EFAULT, syscall(SYS_clone3, 8L, sizeof arguments));
    FAILS(EINVAL, clone3_with((struct clone_args){.flags = CLONE_DETACHED}));
    FAILS(EINVAL, clone3_with((struct clone_args){.exit_signal = 300}));
    FAILS(EINVAL, clone3_with((struct clone_args){.flags = CLONE_THREAD | CLONE_VM}));
    FAILS(EINVAL, clone3_with((struct clone_args){.stack = 4096, .exit_signal = SIGCHLD}));
    FAILS(EINVAL, unshare(0x1));
    FAILS(EBADF, setns(-1, 0));
    FAILS(EINVAL, setns(silent[0], CLONE_NEWNET));
    CHECK(unshare(0) == 0, "unshare");
    puts("refused");
}

static void *all(void *argument)
{
    shares_files_and_directory();
    by_descriptor();
    siblings();
    without_signal();
    without_handlers();
    stacks_and_memory();
    refused();
    return argument;
}

static void *waits(void *argument)
{
    char byte;
    if (argument)
        read(silent[0], &byte, 1);
    else
        sem_wait(&never);
    return NULL;
}

int main(void)
{
    sem_init(&never, 0, 0);
    CHECK(pipe(silent) == 0 && chdir("/") == 0, "pipe");
    setvbuf(stdout, NULL, _IOLBF, 0);
    start(waits, NULL);
    start(waits, &never);
    sleep_ms(5);
    all(NULL);
    puts("from a thread");
    join(start(all, NULL));
    return 0;
}
