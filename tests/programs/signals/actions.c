/*
 * What sigaction says of a handler: whether its own signal and others are blocked while it runs (sa_mask, SA_NODEFER),
 * whether it is there once only (SA_RESETHAND, which leaves the other flags), which signals run first and which nest;
 * standard signals pend once, real-time ones as often as they were sent and in order; what is ignored is forgotten,
 * even if it was pending; what was pending when a handler returns follows at once.
 */
#include "../check.h"
#include <signal.h>
#include <sys/wait.h>

static __thread int raises = 1;
static __thread char order[256];
static __thread int values[64], received;

static void note(char mark)
{
    size_t length = strlen(order);
    if (length + 1 < sizeof order)
        order[length] = mark;
}

static void handler(int number)
{
    note('(');
    note(number == SIGUSR1 ? '1' : number == SIGUSR2 ? '2' : number == SIGHUP ? 'h' : 'r');
    if (raises) {
        raises = 0;
        raise(SIGUSR1);
        raise(SIGUSR2);
        raise(SIGHUP);
    }
    note(')');
}

static void value_handler(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    values[received++] = info->si_value.sival_int;
}

static void install(int number, void (*function)(int), int flags, int masked)
{
    struct sigaction action = {.sa_handler = function, .sa_flags = flags};
    if (masked)
        sigaddset(&action.sa_mask, masked);
    CHECK(sigaction(number, &action, NULL) == 0, "sigaction");
}

static void show(const char *what)
{
    printf("%s: %s\n", what, order);
    memset(order, 0, sizeof order);
    raises = 1;
}

static void *body(void *argument)
{
    struct sigaction action;
    sigset_t all, old, pending;
    sigemptyset(&all);
    sigaddset(&all, SIGUSR1);
    sigaddset(&all, SIGUSR2);
    sigaddset(&all, SIGHUP);
    sigaddset(&all, SIGRTMIN);

    install(SIGUSR1, handler, 0, 0);
    install(SIGUSR2, handler, 0, 0);
    install(SIGHUP, handler, 0, 0);
    raise(SIGUSR1);
    show("its own blocked");
    install(SIGUSR1, handler, 0, SIGUSR2);
    raise(SIGUSR1);
    show("another blocked too");
    install(SIGUSR1, handler, SA_NODEFER, SIGHUP);
    raise(SIGUSR1);
    show("its own not blocked");

    install(SIGUSR1, handler, 0, 0);
    raises = 0;
    ZERO(pthread_sigmask(SIG_BLOCK, &all, &old));
    raise(SIGUSR2);
    raise(SIGHUP);
    raise(SIGUSR1);
    raise(SIGUSR1);
    ZERO(pthread_sigmask(SIG_SETMASK, &old, NULL));
    show("unblocked together");

    raises = 0;
    install(SIGUSR1, handler, SA_RESETHAND | SA_RESTART, SIGUSR2);
    raise(SIGUSR1);
    show("once");
    CHECK(sigaction(SIGUSR1, NULL, &action) == 0, "sigaction");
    printf("then %s, restarting %d, mask %d\n", action.sa_handler == SIG_DFL ? "the default" : "another",
           (action.sa_flags & SA_RESTART) != 0, sigismember(&action.sa_mask, SIGUSR2));

    struct sigaction odd = {.sa_handler = handler, .sa_flags = 0x400};
    sigaddset(&odd.sa_mask, SIGKILL);
    sigaddset(&odd.sa_mask, SIGINT);
    CHECK(sigaction(SIGUSR1, &odd, NULL) == 0 && sigaction(SIGUSR1, NULL, &action) == 0, "sigaction");
    printf("unknown flag %d, SIGKILL %d, SIGINT %d\n", (action.sa_flags & 0x400) != 0,
           sigismember(&action.sa_mask, SIGKILL), sigismember(&action.sa_mask, SIGINT));
    FAILS(EINVAL, sigaction(SIGKILL, &odd, NULL));
    FAILS(EINVAL, sigaction(SIGSTOP, &odd, NULL));
    FAILS(EINVAL, sigaction(65, &odd, NULL));

    ZERO(pthread_sigmask(SIG_BLOCK, &all, &old));
    raise(SIGHUP);
    sigpending(&pending);
    int before = sigismember(&pending, SIGHUP);
    install(SIGHUP, SIG_IGN, 0, 0);
    sigpending(&pending);
    printf("pending %d, ignored %d\n", before, sigismember(&pending, SIGHUP));
    install(SIGHUP, handler, 0, 0);
    ZERO(pthread_sigmask(SIG_SETMASK, &old, NULL));
    show("forgotten");

    struct sigaction with_value = {.sa_sigaction = value_handler, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGRTMIN, &with_value, NULL) == 0 && sigaction(SIGRTMIN + 1, &with_value, NULL) == 0, "sigaction");
    sigaddset(&all, SIGRTMIN + 1);
    ZERO(pthread_sigmask(SIG_BLOCK, &all, &old));
    for (int n = 0; n < 5; n++) {
        ZERO(pthread_sigqueue(pthread_self(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + n}));
        ZERO(pthread_sigqueue(pthread_self(), SIGRTMIN, (union sigval){.sival_int = n}));
    }
    ZERO(pthread_sigmask(SIG_SETMASK, &old, NULL));
    printf("queued:");
    for (int n = 0; n < received; n++)
        printf(" %d", values[n]);
    puts("");
    received = 0;
    return argument;
}

static volatile sig_atomic_t stops;

static void counts(int number)
{
    (void)number;
    stops++;
}

/* Stopped and continued from outside, threads go on where they were. */
static void stop_and_continue(void)
{
    int status, ends[2];
    char byte;
    CHECK(pipe(ends) == 0, "pipe");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        install(SIGCONT, counts, SA_RESTART, 0);
        pthread_t thread = start((void *(*)(void *))sleep_ms, AS_POINTER(200));
        CHECK(write(ends[1], "x", 1) == 1, "write");
        join(thread);
        _exit(stops == 2 ? 7 : 8);
    }
    CHECK(read(ends[0], &byte, 1) == 1, "read");
    for (int n = 0; n < 2; n++) {
        CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "stopped");
        CHECK(kill(child, SIGCONT) == 0 && waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status),
              "continued");
        sleep_ms(20);
    }
    CHECK(waitpid(child, &status, 0) == child, "waitpid");
    printf("stopped and continued: %d\n", WEXITSTATUS(status));
}

int main(void)
{
    puts("a thread:");
    join(start(body, NULL));
    puts("main:");
    body(NULL);
    stop_and_continue();
    return 0;
}
