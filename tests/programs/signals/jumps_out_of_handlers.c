/*
 * siglongjmp out of a handler that interrupted a waiting call, from each kind of wait: the call is over, the mask is
 * restored, nothing of the call is left behind (what it waited for goes to others or stays there), and the thread can
 * make the same call again. From nested handlers, and from a handler that itself waits.
 */
#include "../io/waiting.h"
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/sem.h>
#include <sys/wait.h>

static __thread sigjmp_buf out;
static __thread volatile sig_atomic_t nesting;
static sem_t ready, semaphore;
static int ends[2], listening, epoll, locked_file, other_file, semaphores;
static pid_t child;

static void leaves(int number)
{
    (void)number;
    siglongjmp(out, 1);
}

static void waits_and_leaves(int number)
{
    (void)number;
    nesting++;
    if (nesting < 3)
        raise(SIGUSR2);
    usleep(2000);
    siglongjmp(out, nesting);
}

static int blocked(int number)
{
    sigset_t mask;
    ZERO(pthread_sigmask(SIG_BLOCK, NULL, &mask));
    return sigismember(&mask, number);
}

static void sleeps(void) { sleep(60); }
static void reads(void) { CHECK(read(ends[0], &(char){0}, 1) == 1, "read"); }
static void polls(void) { CHECK(poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, -1) == 1, "poll"); }
static void waits_for_events(void) { CHECK(epoll_wait(epoll, &(struct epoll_event){0}, 1, -1) == 1, "epoll_wait"); }
static void accepts(void) { CHECK(close(accept(listening, NULL, NULL)) == 0, "accept"); }
static void waits_for_semaphore(void) { CHECK(sem_wait(&semaphore) == 0, "sem_wait"); }
static void waits_for_child(void) { CHECK(waitpid(child, NULL, 0) == child, "waitpid"); }
static void locks_file(void) { CHECK(flock(locked_file, LOCK_EX) == 0, "flock"); }
static void downs(void) { CHECK(semop(semaphores, &(struct sembuf){0, -1, 0}, 1) == 0, "semop"); }
static void pauses(void) { pause(); }

static void suspends(void)
{
    sigset_t set;
    sigfillset(&set);
    sigdelset(&set, SIGUSR1);
    sigdelset(&set, SIGUSR2);
    sigsuspend(&set);
}

static void waits_for_signal(void)
{
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX);
    CHECK(sigwaitinfo(&set, &info) == SIGRTMAX, "sigwaitinfo");
}

static void let_read(void) { CHECK(write(ends[1], "x", 1) == 1, "write"); }

static void let_accept(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    CHECK(getsockname(listening, (struct sockaddr *)&address, &length) == 0, "getsockname");
    close(connected_to(&address));
}

static void let_semaphore(void) { sem_post(&semaphore); }
static void let_child(void) { kill(child, SIGKILL); }
static void let_file(void) { flock(other_file, LOCK_UN); }
static void let_semop(void) { CHECK(semop(semaphores, &(struct sembuf){0, 1, 0}, 1) == 0, "semop"); }

static const struct wait {
    const char *name;
    void (*call)(void);
    void (*let_go)(void);
} waits[] = {
    {"sleep", sleeps, NULL},
    {"read", reads, let_read},
    {"poll", polls, let_read},
    {"epoll_wait", waits_for_events, NULL},
    {"accept", accepts, let_accept},
    {"sem_wait", waits_for_semaphore, let_semaphore},
    {"waitpid", waits_for_child, let_child},
    {"flock", locks_file, let_file},
    {"semop", downs, let_semop},
    {"pause", pauses, NULL},
    {"sigsuspend", suspends, NULL},
    {"sigwaitinfo", waits_for_signal, NULL},
};

static void *body(void *argument)
{
    const struct wait *wait = argument;
    for (volatile int round = 0; round < 3; round++) {
        nesting = 0;
        if (sigsetjmp(out, 1) == 0) {
            sem_post(&ready);
            wait->call();
            CHECK(0, "%s returned", wait->name);
        }
        CHECK(!blocked(SIGUSR1) && !blocked(SIGUSR2) && !blocked(SIGTERM), "%s: the mask is not restored", wait->name);
    }
    sem_post(&ready);
    if (wait->let_go != NULL)
        wait->call();
    return NULL;
}

static void wait_ready(void)
{
    while (sem_wait(&ready) != 0) {
    }
}

int main(void)
{
    static const int numbers[] = {SIGUSR1, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = leaves, .sa_flags = SA_RESTART};
    char name[] = "/tmp/jumps-XXXXXX";
    struct sockaddr_in address;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    action.sa_handler = waits_and_leaves;
    action.sa_flags = SA_NODEFER;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
    sem_init(&ready, 0, 0);
    sem_init(&semaphore, 0, 0);
    make_pipe(ends);
    listening = listener(&address, 5);
    epoll = epoll_create1(0);
    locked_file = mkstemp(name);
    other_file = open(name, O_RDWR);
    unlink(name);
    CHECK(flock(other_file, LOCK_EX) == 0, "flock");
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    start_ticker();
    for (size_t n = 0; n < sizeof waits / sizeof *waits; n++) {
        pthread_t thread = start(body, (void *)&waits[n]);
        for (int round = 0; round < 3; round++) {
            wait_ready();
            others_go_on();
            ZERO(pthread_kill(thread, numbers[round]));
        }
        wait_ready();
        others_go_on();
        if (waits[n].let_go != NULL)
            waits[n].let_go();
        if (waits[n].call == polls) {
            join(thread);
            reads();
        } else {
            join(thread);
        }
        printf("%s: left three times\n", waits[n].name);
    }
    semctl(semaphores, 0, IPC_RMID);
    return 0;
}
