/*
 * An exec that fails (no such file, no right, no format, a name or an argument too long) leaves the process as it was, from
 * main and from a thread, while others wait in read, poll, sem_wait, flock and a sleep: they get what they wait
 * for afterwards, with masks, descriptors, handlers and timers untouched. Then the exec of a thread succeeds: the new
 * program has the process's id, the mask and pending signals of that thread, ignored signals but no handlers, no timer
 * of timer_create, the descriptors that are not close-on-exec, a name of its own, and one thread.
 */
#include "../check.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int pipes[2][2], lock_file;
static sem_t semaphore, begun;
static volatile sig_atomic_t handled;
static const char *self;

static void handler(int number) { (void)number; handled++; }

static void *waits(void *argument)
{
    char byte = 'x', name[32];
    struct pollfd poll_for = {.fd = pipes[1][0], .events = POLLIN};
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    sem_post(&begun);
    switch (AS_INTEGER(argument)) {
    case 0: CHECK(read(pipes[0][0], &byte, 1) == 1 && byte == 'a', "read %c", byte); break;
    case 1: CHECK(poll(&poll_for, 1, -1) == 1, "poll"); break;
    case 2: CHECK(sem_wait(&semaphore) == 0, "sem_wait"); break;
    case 3:
        snprintf(name, sizeof name, "/proc/self/fd/%d", lock_file);
        CHECK(flock(open(name, O_RDWR | O_CLOEXEC), LOCK_EX) == 0, "flock");
        break;
    case 4:
        sleep_ms(150);
        CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 150 * MILLISECOND, "slept");
        break;
    }
    return NULL;
}

static void *fails(void *argument)
{
    char *const arguments[] = {"none", NULL};
    static char long_name[5000];
    char **volatile nowhere = (char **)8;
    static char *long_arguments[] = {"none", NULL, NULL};
    sigset_t mask, now;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    ZERO(pthread_sigmask(SIG_SETMASK, &mask, NULL));
    memset(long_name, 'n', sizeof long_name - 1);
    long_arguments[1] = malloc(1 << 20);
    memset(long_arguments[1], 'a', (1 << 20) - 1);
    long_arguments[1][(1 << 20) - 1] = '\0';
    FAILS(ENOENT, execv("/no/such/program", arguments));
    FAILS(EACCES, execv("/etc", arguments));
    FAILS(ENAMETOOLONG, execv(long_name, arguments));
    FAILS(E2BIG, execv("/proc/self/exe", long_arguments));
    int file = memfd_create("no program", 0);
    CHECK(write(file, "\1\2\3\4", 4) == 4 && fchmod(file, 0700) == 0, "memfd");
    FAILS(ENOEXEC, fexecve(file, arguments, arguments));
    close(file);
    FAILS(EFAULT, execve("/proc/self/exe", nowhere, NULL));
    free(long_arguments[1]);
    ZERO(pthread_sigmask(SIG_SETMASK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR2) && !sigismember(&now, SIGUSR1), "the mask has changed");
    sigemptyset(&mask);
    ZERO(pthread_sigmask(SIG_SETMASK, &mask, NULL));
    CHECK(raise(SIGUSR1) == 0, "raise");
    return argument;
}

static void *executes(void *argument)
{
    sigset_t set;
    char process[16], kept[16];
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGWINCH);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    ZERO(pthread_kill(pthread_self(), SIGUSR2));
    pthread_setname_np(pthread_self(), "the caller");
    snprintf(process, sizeof process, "%d", getpid());
    snprintf(kept, sizeof kept, "%d", pipes[0][0]);
    sleep_ms(10);
    execl("/proc/self/exe", self, "again", process, kept, NULL);
    CHECK(0, "execl");
    return argument;
}

/* The new program. */
static int again(char **arguments)
{
    struct sigaction action;
    sigset_t mask, pending;
    char name[64] = "", text[4] = "";
    int open = 0, kept = atoi(arguments[3]);
    CHECK(getpid() == atoi(arguments[2]) && gettid() == getpid(), "process %s became %d", arguments[2], getpid());
    ZERO(pthread_sigmask(SIG_BLOCK, NULL, &mask));
    CHECK(sigismember(&mask, SIGUSR2) && !sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGTERM), "mask");
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGWINCH), "the process's pending signal is lost");
    CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL, "handler");
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN, "ignored");
    CHECK(sigaction(SIGSEGV, NULL, &action) == 0 && action.sa_handler == SIG_DFL, "SIGSEGV");
    for (int n = 3; n < 256; n++)
        open += fcntl(n, F_GETFD) >= 0;
    CHECK(open == 1 && read(kept, text, 3) == 3, "%d descriptors, read %s", open, text);
    FILE *file = fopen("/proc/self/comm", "r");
    CHECK(fgets(name, sizeof name, file) != NULL, "comm");
    fclose(file);
    CHECK(strcmp(name, "the caller\n") != 0, "the name is still the thread's");
    printf("again: own name, read %s, USR2 pending %d\n", text, sigismember(&pending, SIGUSR2));
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a stray child");
    /* The timer, had it gone on, would end this process. */
    sleep_ms(250);
    signal(SIGUSR1, handler);
    return join(start(fails, NULL)) == NULL ? 7 : 1;
}

int main(int count, char **arguments)
{
    struct sigaction action = {.sa_handler = handler};
    pthread_t threads[5];
    timer_t timer;
    struct itimerspec soon = {.it_value = {0, 200 * MILLISECOND}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};
    sigset_t window;
    self = arguments[0];
    if (count == 1)
        closefrom(3);
    sem_init(&semaphore, 0, 0);
    sem_init(&begun, 0, 0);
    if (count > 1)
        return again(arguments);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    signal(SIGPIPE, SIG_IGN);
    CHECK(pipe2(pipes[0], O_CLOEXEC) == 0 && pipe2(pipes[1], O_CLOEXEC) == 0, "pipe2");
    lock_file = memfd_create("lock", MFD_CLOEXEC);
    CHECK(flock(lock_file, LOCK_EX) == 0, "flock");
    for (int n = 0; n < 5; n++)
        threads[n] = start(waits, AS_POINTER(n));
    for (int n = 0; n < 5; n++)
        sem_wait(&begun);
    sleep_ms(20);
    fails(NULL);
    join(start(fails, NULL));
    CHECK(handled == 2, "handled %d", handled);
    CHECK(write(pipes[0][1], "a", 1) == 1 && write(pipes[1][1], "b", 1) == 1, "write");
    sem_post(&semaphore);
    flock(lock_file, LOCK_UN);
    for (int n = 0; n < 5; n++)
        join(threads[n]);
    puts("failed, and all was as before");
    fflush(stdout);

    CHECK(fcntl(pipes[0][0], F_SETFD, 0) == 0 && write(pipes[0][1], "cde", 3) == 3, "pipe");
    sigemptyset(&window);
    sigaddset(&window, SIGWINCH);
    ZERO(pthread_sigmask(SIG_BLOCK, &window, NULL));
    CHECK(kill(getpid(), SIGWINCH) == 0, "kill");
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0, "timer");
    pthread_t other = start(waits, AS_POINTER(2));
    join(start(executes, NULL));
    join(other);
    return 1;
}
