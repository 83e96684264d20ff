/*
 * Signals without a handler do to the whole process what they do by default, whichever thread they are sent to, be it
 * running, asleep or in a lock: end it (with that signal as its status, also when a thread aborts), stop it until it is
 * continued, or nothing. A handler for SIGABRT that returns does not save the process; one that jumps does.
 */
#include "../check.h"
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t ready;
static int number, done;

static void *sleeps(void *argument)
{
    sem_post(&ready);
    sleep(2);
    return argument;
}

static void *locks(void *argument)
{
    sem_post(&ready);
    ZERO(pthread_mutex_lock(&lock));
    return argument;
}

static void *raises(void *argument)
{
    sem_post(&ready);
    raise(number);
    done = 1;
    sleep_ms(20);
    return argument;
}

static void *kills(void *argument)
{
    sem_post(&ready);
    CHECK(kill(getpid(), number) == 0, "kill");
    done = 1;
    sleep_ms(20);
    return argument;
}

static void returns(int signal)
{
    (void)signal;
    CHECK(write(1, "handled; ", 9) == 9, "write");
}

static sigjmp_buf out;

static void jumps(int signal)
{
    (void)signal;
    siglongjmp(out, 1);
}

static void *aborts(void *argument)
{
    if (argument != NULL)
        signal(SIGABRT, (void (*)(int))argument);
    sem_post(&ready);
    if (sigsetjmp(out, 1) == 0)
        abort();
    _exit(9);
}

static void in_child(const char *name, void *(*body)(void *), void *argument, int sent)
{
    int status;
    printf("%s: ", name);
    fflush(stdout);
    number = sent;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* SIGTSTP does not stop a group that has no parent outside of it. */
        setpgid(0, 0);
        ZERO(pthread_mutex_lock(&lock));
        pthread_t other = start(sleeps, NULL), thread = start(body, argument);
        for (int n = 0; n < 2; n++)
            while (sem_wait(&ready) != 0) {
            }
        sleep_ms(10);
        if (body == sleeps || body == locks) {
            ZERO(pthread_kill(thread, sent));
            sleep_ms(10);
            _exit(8);
        }
        join(thread);
        (void)other;
        _exit(done ? 7 : 6);
    }
    CHECK(waitpid(child, &status, WUNTRACED) == child, "waitpid");
    if (WIFSTOPPED(status)) {
        printf("stopped by %s, ", sigabbrev_np(WSTOPSIG(status)));
        sleep_ms(30);
        CHECK(waitpid(child, &status, WNOHANG) == 0, "it did not stay so");
        CHECK(kill(child, SIGCONT) == 0 && waitpid(child, &status, 0) == child, "continued");
    }
    if (WIFSIGNALED(status))
        printf("ended by %s\n", WTERMSIG(status) == SIGRTMIN ? "RTMIN" : sigabbrev_np(WTERMSIG(status)));
    else
        printf("exited with %d\n", WEXITSTATUS(status));
}

int main(void)
{
    sem_init(&ready, 0, 0);
    in_child("SIGTERM to a sleeper", sleeps, NULL, SIGTERM);
    in_child("SIGUSR1 to one at a mutex", locks, NULL, SIGUSR1);
    in_child("SIGRTMIN raised", raises, NULL, SIGRTMIN);
    in_child("SIGINT for the process", kills, NULL, SIGINT);
    in_child("SIGQUIT to a sleeper", sleeps, NULL, SIGQUIT);
    in_child("SIGKILL to a sleeper", sleeps, NULL, SIGKILL);
    in_child("SIGCHLD raised", raises, NULL, SIGCHLD);
    in_child("SIGWINCH to one at a mutex", locks, NULL, SIGWINCH);
    in_child("SIGSTOP to a sleeper", sleeps, NULL, SIGSTOP);
    in_child("SIGSTOP raised", raises, NULL, SIGSTOP);
    in_child("SIGTSTP raised", raises, NULL, SIGTSTP);
    in_child("SIGTSTP to one at a mutex", locks, NULL, SIGTSTP);
    in_child("abort", aborts, NULL, 0);
    in_child("abort, handled", aborts, (void *)returns, 0);
    in_child("abort, left", aborts, (void *)jumps, 0);
    return 0;
}
