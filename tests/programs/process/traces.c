/*
 * A tracer that has threads itself, which sleep and lock meanwhile: it traces a child by PTRACE_TRACEME, from call to call
 * with PTRACE_SYSCALL, sees its fork, its exec and its end by PTRACE_O_TRACE*, reads and changes a word of it, and gives it a
 * signal. A green thread waits for the stops. Then it seizes, interrupts and detaches from a child that has threads, again and
 * again while these switch; the child ends well.
 */
#include "../check.h"
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL };
static volatile long word = 5;
static volatile sig_atomic_t handled;
static volatile int stop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void handler(int number) { (void)number; handled++; }

static void *switches(void *argument)
{
    while (!stop) {
        pthread_mutex_lock(&lock);
        usleep(50);
        pthread_mutex_unlock(&lock);
        usleep(200);
    }
    return argument;
}

static int waits_for_stop(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, __WALL) == child, "waitpid");
    return status;
}

static void child_by_traceme(void)
{
    signal(SIGUSR1, handler);
    CHECK(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0, "PTRACE_TRACEME");
    raise(SIGSTOP);
    CHECK(word == 7 && handled == 1, "word %ld, handled %d", word, (int)handled);
    pid_t grandchild = fork();
    if (grandchild == 0)
        _exit(0);
    waitpid(grandchild, NULL, 0);
    execl("/bin/sh", "sh", "-c", "exit 9", NULL);
    _exit(1);
}

static void *traces(void *argument)
{
    int calls = 0, forks = 0, execs = 0, ends = 0, status, signal_to_give = SIGUSR1;
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0)
        child_by_traceme();
    status = waits_for_stop(child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "status %#x", status);
    CHECK(ptrace(PTRACE_SETOPTIONS, child, 0, OPTIONS) == 0, "PTRACE_SETOPTIONS");
    CHECK(ptrace(PTRACE_PEEKDATA, child, &word, 0) == 5, "PTRACE_PEEKDATA");
    CHECK(ptrace(PTRACE_POKEDATA, child, &word, 7L) == 0, "PTRACE_POKEDATA");
    for (;;) {
        CHECK(ptrace(PTRACE_SYSCALL, child, 0, (long)signal_to_give) == 0, "PTRACE_SYSCALL");
        signal_to_give = 0;
        status = waits_for_stop(child);
        if (!WIFSTOPPED(status))
            break;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80))
            calls++;
        else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8)) {
            unsigned long grandchild;
            CHECK(ptrace(PTRACE_GETEVENTMSG, child, 0, &grandchild) == 0, "PTRACE_GETEVENTMSG");
            CHECK(WIFSTOPPED(waits_for_stop((pid_t)grandchild)), "grandchild");
            CHECK(ptrace(PTRACE_DETACH, grandchild, 0, 0) == 0, "PTRACE_DETACH");
            forks++;
        } else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
            execs++;
        else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
            ends++;
        else
            signal_to_give = WSTOPSIG(status);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9, "status %#x", status);
    printf("saw calls: %d, forks %d, execs %d, ends %d\n", calls > 4, forks, execs, ends);
    return argument;
}

/* A child with threads, seized while they switch. */
static void seizes(void)
{
    int go_on[2], status;
    char byte;
    CHECK(pipe(go_on) == 0, "pipe");
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        pthread_t threads[4];
        for (int n = 0; n < 4; n++)
            threads[n] = start(switches, NULL);
        CHECK(read(go_on[0], &byte, 1) == 1, "read");
        stop = 1;
        for (int n = 0; n < 4; n++)
            join(threads[n]);
        _exit(11);
    }
    for (int n = 0; n < 20; n++) {
        sleep_ms(3);
        CHECK(ptrace(PTRACE_SEIZE, child, 0, 0) == 0, "PTRACE_SEIZE");
        CHECK(ptrace(PTRACE_INTERRUPT, child, 0, 0) == 0, "PTRACE_INTERRUPT");
        /* Any other stop is of a signal, which it is given. */
        for (;;) {
            status = waits_for_stop(child);
            CHECK(WIFSTOPPED(status), "status %#x", status);
            if (status >> 16 == PTRACE_EVENT_STOP)
                break;
            CHECK(ptrace(PTRACE_CONT, child, 0, (long)WSTOPSIG(status)) == 0, "PTRACE_CONT");
        }
        CHECK(ptrace(PTRACE_DETACH, child, 0, 0) == 0, "PTRACE_DETACH");
    }
    CHECK(write(go_on[1], "x", 1) == 1, "write");
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "status %#x", status);
    printf("seized 20 times: %d\n", WEXITSTATUS(status));
}

int main(void)
{
    pthread_t others[3];
    setvbuf(stdout, NULL, _IOLBF, 0);
    seizes();
    for (int n = 0; n < 3; n++)
        others[n] = start(switches, NULL);
    join(start(traces, NULL));
    stop = 1;
    for (int n = 0; n < 3; n++)
        join(others[n]);
    return 0;
}
