/*
 * Waiting for children, and SIGCHLD. Ignored, or with SA_NOCLDWAIT, children leave nothing behind, and a wait lasts
 * until all that it is for are gone and then fails with ECHILD. Handled by one thread while another waits, both get
 * what is theirs. Blocked by all threads, it stays pending, and waiting works all the same.
 */
#include "../check.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int release[2];
static volatile sig_atomic_t handled;
static volatile int returned;
static sem_t begun;

static pid_t child_that_ends(int status)
{
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        char byte;
        _exit(read(release[0], &byte, 1) == 1 ? status : 99);
    }
    return child;
}

static void end_a_child(void)
{
    CHECK(write(release[1], "x", 1) == 1, "write");
}

static void *finds_none(void *argument)
{
    sem_post(&begun);
    FAILS(ECHILD, waitpid(AS_INTEGER(argument), NULL, 0));
    returned = 1;
    return NULL;
}

static void *finds_status(void *argument)
{
    int status;
    sem_post(&begun);
    CHECK(waitpid(AS_INTEGER(argument), &status, 0) > 0, "waitpid");
    return AS_POINTER(WEXITSTATUS(status));
}

/* Starts BODY in a thread that most probably waits when this returns. */
static pthread_t waiting(void *(*body)(void *), int child)
{
    returned = 0;
    pthread_t thread = start(body, AS_POINTER(child));
    while (sem_wait(&begun) != 0) {
    }
    sleep_ms(20);
    return thread;
}

/* Ends one of COUNT children, whichever reads first, and returns when it is gone. */
static void end_and_see(struct pollfd *descriptors, int count)
{
    end_a_child();
    while (poll(descriptors, (nfds_t)count, -1) < 1) {
    }
    for (int n = 0; n < count; n++)
        if (descriptors[n].revents)
            descriptors[n].fd = -1;
}

static void nothing_is_left_behind(const char *name, struct sigaction action)
{
    sigaction(SIGCHLD, &action, NULL);
    struct pollfd descriptors[3];
    for (int n = 0; n < 3; n++)
        descriptors[n] = (struct pollfd){(int)syscall(SYS_pidfd_open, child_that_ends(n), 0), POLLIN, 0};
    pthread_t waiter = waiting(finds_none, -1);
    for (int n = 0; n < 2; n++) {
        end_and_see(descriptors, 3);
        sleep_ms(5);
        CHECK(!returned, "the wait ended while %d children were there", 2 - n);
    }
    end_and_see(descriptors, 3);
    join(waiter);

    pid_t child = child_that_ends(0);
    waiter = waiting(finds_none, child);
    CHECK(!returned, "the wait ended before the child");
    end_a_child();
    join(waiter);
    printf("%s: no child, no status\n", name);
}

static void handler(int number)
{
    (void)number;
    handled++;
}

static void handled_elsewhere(int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigaction(SIGCHLD, &action, NULL);
    handled = 0;
    pid_t child = child_that_ends(11);
    pthread_sigmask(SIG_BLOCK, &child_signal, NULL);
    pthread_t waiter = waiting(finds_status, child);
    pthread_sigmask(SIG_UNBLOCK, &child_signal, NULL);
    end_a_child();
    while (!handled)
        usleep(1000);
    printf("handled by main: %d, waited for by a thread: %d\n", (int)handled, AS_INTEGER(join(waiter)));
}

static void blocked_everywhere(void)
{
    sigset_t child_signal, pending;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child_signal, NULL);
    handled = 0;
    pthread_t waiter = waiting(finds_status, child_that_ends(12));
    end_a_child();
    int status = AS_INTEGER(join(waiter));
    sigpending(&pending);
    printf("blocked: pending %d, status %d", sigismember(&pending, SIGCHLD), status);
    printf(", taken %d", sigwaitinfo(&child_signal, NULL) == SIGCHLD);
    printf(", handled %d\n", (int)handled);
    pthread_sigmask(SIG_UNBLOCK, &child_signal, NULL);
}

int main(void)
{
    CHECK(pipe(release) == 0, "pipe");
    sem_init(&begun, 0, 0);
    nothing_is_left_behind("SIG_IGN", (struct sigaction){.sa_handler = SIG_IGN});
    nothing_is_left_behind("SA_NOCLDWAIT", (struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT});
    handled_elsewhere(0);
    handled_elsewhere(SA_RESTART);
    blocked_everywhere();
    return 0;
}
