/*
 * A write to a pipe that nobody reads fails with EPIPE, and SIGPIPE goes to the thread that wrote: its handler runs
 * there, in a blocked mask it waits there, ignored it is nothing, by default it ends the process. A writer that waits
 * for room learns of it too; what it has written by then is its result.
 */
#include "waiting.h"
#include <sys/wait.h>

static int ends[2];
static int handled;
static __thread volatile int handled_here;
static char bytes[1 << 20];

static void handler(int number)
{
    CHECK(number == SIGPIPE, "signal %d", number);
    __atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
    handled_here = gettid();
}

static void handle_pipe_with(void (*what)(int))
{
    struct sigaction action = {.sa_handler = what};
    sigaction(SIGPIPE, &action, NULL);
}

static long writes(void *length)
{
    return write(ends[1], bytes, AS_INTEGER(length));
}

static long writes_and_handles(void *length)
{
    long result = writes(length);
    int saved = errno;
    CHECK(handled_here == gettid(), "the handler ran in %d, not in %d", handled_here, gettid());
    errno = saved;
    return result;
}

static long writes_with_signal_blocked(void *argument)
{
    (void)argument;
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    FAILS(EPIPE, write(ends[1], bytes, 1));
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGPIPE), "no SIGPIPE is pending");
    struct timespec none = {0, 0};
    return sigtimedwait(&set, NULL, &none);
}

static void try(const char *name, long (*writes)(void *), int expected)
{
    struct waiter writer;
    handled = 0;
    make_pipe(ends);
    close(ends[0]);
    begin(&writer, writes, AS_POINTER(1));
    long result = result_of(&writer);
    CHECK(result == -1 && errno == EPIPE, "write gave %ld", result);
    close(ends[1]);

    make_pipe(ends);
    begin(&writer, writes, AS_POINTER(sizeof bytes));
    still_waits(&writer);
    struct waiter second;
    begin(&second, writes, AS_POINTER(1));
    still_waits(&second);
    close(ends[0]);
    ENDS_WITH(65536, &writer);
    result = result_of(&second);
    CHECK(result == -1 && errno == EPIPE, "write gave %ld", result);
    close(ends[1]);
    CHECK(handled == expected, "handled %d", handled);
    printf("%s: EPIPE, handled %d\n", name, handled);
}

int main(void)
{
    start_ticker();
    handle_pipe_with(handler);
    try("handled", writes_and_handles, 3);
    handle_pipe_with(SIG_IGN);
    try("ignored", writes, 0);

    handle_pipe_with(handler);
    make_pipe(ends);
    close(ends[0]);
    struct waiter writer;
    begin(&writer, writes_with_signal_blocked, NULL);
    ENDS_WITH(SIGPIPE, &writer);
    printf("blocked: waits for its thread, handled %d\n", handled);
    FAILS(EPIPE, write(ends[1], bytes, 1));
    CHECK(handled == 1 && handled_here == getpid(), "handled %d, in main by %d", handled, handled_here);
    close(ends[1]);
    puts("main's own write is handled by main");

    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        start_ticker();
        handle_pipe_with(SIG_DFL);
        make_pipe(ends);
        begin(&writer, writes, AS_POINTER(sizeof bytes));
        still_waits(&writer);
        close(ends[0]);
        result_of(&writer);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "status %#x", status);
    printf("by default: ended by signal %d\n", WTERMSIG(status));
    return 0;
}
