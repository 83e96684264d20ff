/*
 * One thread for each kind of waiting, each in a function and under a name of its own. At the end all are let go and
 * joined.
 */
#include "waits.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inheriting;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore, end_of_holder;
static pthread_t holder;
static int pipe_ends[2], sockets[2], polled[2];
static pid_t child;
static int is_over;

static void named(const char *name)
{
    ZERO(pthread_setname_np(pthread_self(), name));
}

static void *holds_locks(void *nothing)
{
    named("holder");
    ZERO(pthread_mutex_lock(&mutex));
    ZERO(pthread_mutex_lock(&inheriting));
    ZERO(pthread_rwlock_wrlock(&rwlock));
    sem_wait(&end_of_holder);
    ZERO(pthread_rwlock_unlock(&rwlock));
    ZERO(pthread_mutex_unlock(&inheriting));
    ZERO(pthread_mutex_unlock(&mutex));
    return nothing;
}

static void *wants_mutex(void *nothing)
{
    named("on mutex");
    ZERO(pthread_mutex_lock(&mutex));
    ZERO(pthread_mutex_unlock(&mutex));
    return nothing;
}

static void *wants_inheriting(void *nothing)
{
    named("on inheriting");
    ZERO(pthread_mutex_lock(&inheriting));
    ZERO(pthread_mutex_unlock(&inheriting));
    return nothing;
}

static void *wants_to_read_lock(void *nothing)
{
    named("on rwlock");
    ZERO(pthread_rwlock_rdlock(&rwlock));
    ZERO(pthread_rwlock_unlock(&rwlock));
    return nothing;
}

static void *waits_for_condition(void *nothing)
{
    named("on condition");
    ZERO(pthread_mutex_lock(&other));
    while (!is_over)
        ZERO(pthread_cond_wait(&condition, &other));
    ZERO(pthread_mutex_unlock(&other));
    return nothing;
}

static void *waits_for_semaphore(void *nothing)
{
    named("on semaphore");
    sem_wait(&semaphore);
    return nothing;
}

static void *waits_at_barrier(void *nothing)
{
    named("on barrier");
    pthread_barrier_wait(&barrier);
    return nothing;
}

static void *joins_holder(void *nothing)
{
    named("on join");
    ZERO(pthread_join(holder, NULL));
    return nothing;
}

static void *sleeps_long(void *nothing)
{
    named("asleep");
    struct timespec length = {1000, 0};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &length, NULL);
    return nothing;
}

static void *reads_pipe(void *nothing)
{
    char byte;
    named("on pipe");
    CHECK(read(pipe_ends[0], &byte, 1) == 1, "read");
    return nothing;
}

static void *receives(void *nothing)
{
    char byte;
    named("on socket");
    CHECK(recv(sockets[0], &byte, 1, 0) == 1, "recv");
    return nothing;
}

static void *polls_a_pipe(void *nothing)
{
    named("in poll");
    struct pollfd file = {polled[0], POLLIN, 0};
    CHECK(poll(&file, 1, 1000000) == 1, "poll");
    return nothing;
}

static void *waits_for_child(void *nothing)
{
    int status;
    named("on child");
    CHECK(waitpid(child, &status, 0) == child, "waitpid");
    return nothing;
}

static void *waits_for_signal(void *nothing)
{
    sigset_t set;
    int number;
    named("on signal");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ZERO(sigwait(&set, &number));
    return nothing;
}

int main(void)
{
    void *(*bodies[])(void *) = {wants_mutex, wants_inheriting, wants_to_read_lock, waits_for_condition, waits_for_semaphore,
                                 waits_at_barrier, joins_holder, reads_pipe, receives, polls_a_pipe, waits_for_child,
                                 waits_for_signal, sleeps_long};
    enum { COUNT = sizeof bodies / sizeof *bodies };
    pthread_t threads[COUNT];
    pthread_mutexattr_t attributes;
    sigset_t set;

    ZERO(pthread_mutexattr_init(&attributes));
    ZERO(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    ZERO(pthread_mutex_init(&inheriting, &attributes));
    ZERO(pthread_barrier_init(&barrier, NULL, 2));
    sem_init(&semaphore, 0, 0);
    sem_init(&end_of_holder, 0, 0);
    CHECK(pipe(pipe_ends) == 0 && pipe(polled) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "files");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    int release[2];
    CHECK(pipe(release) == 0, "pipe");
    child = fork();
    if (child == 0) {
        char byte;
        close(release[1]);
        CHECK(read(release[0], &byte, 1) == 0, "the parent's end");
        _exit(0);
    }

    holder = start(holds_locks, NULL);
    sleep_ms(50);
    for (int i = 0; i < COUNT; i++)
        threads[i] = start(bodies[i], NULL);
    sleep_ms(100);
    be_looked_at();

    sem_post(&end_of_holder);
    ZERO(pthread_mutex_lock(&other));
    is_over = 1;
    ZERO(pthread_cond_signal(&condition));
    ZERO(pthread_mutex_unlock(&other));
    sem_post(&semaphore);
    pthread_barrier_wait(&barrier);
    CHECK(write(pipe_ends[1], "x", 1) == 1 && write(polled[1], "x", 1) == 1, "write");
    CHECK(send(sockets[1], "x", 1, 0) == 1, "send");
    close(release[1]);
    ZERO(pthread_kill(threads[11], SIGUSR1));
    for (int i = 0; i < COUNT - 1; i++)
        join(threads[i]);
    puts("all ended");
    return 0;
}
