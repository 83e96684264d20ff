/*
 * What a handler may do while it interrupts a thread's waiting call: sleep, wait for other threads' semaphores and
 * pipes, be interrupted by another handler that does the same, fork, start a program and wait for it, send signals to
 * other threads, end the thread (pthread_exit), end the process (_exit). Meanwhile other threads go on.
 */
#include "../io/waiting.h"
#include <semaphore.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static int ends[2], other_ends[2];
static sem_t ready, semaphore;
static volatile sig_atomic_t outer, inner, after;
static pthread_t others_thread;

static void sleeps_inside(int number)
{
    int saved = errno;
    (void)number;
    outer++;
    struct timespec time = {0, 30 * MILLISECOND};
    while (nanosleep(&time, &time) != 0) {
    }
    after++;
    errno = saved;
}

static void reads_inside(int number)
{
    char byte;
    int saved = errno;
    (void)number;
    outer++;
    CHECK(read(other_ends[0], &byte, 1) == 1 && byte == 'h', "the handler's read");
    after++;
    errno = saved;
}

static void nested(int number)
{
    (void)number;
    inner++;
    usleep(1000);
}

static void forks_inside(int number)
{
    int saved = errno, status;
    (void)number;
    pid_t child = fork();
    if (child == 0)
        _exit(getpid() != getppid() ? 5 : 6);
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5, "the child's status %d", status);
    outer++;
    errno = saved;
}

static void runs_program_inside(int number)
{
    int saved = errno, status;
    char *arguments[] = {"sh", "-c", "exit 9", NULL};
    (void)number;
    pid_t child = vfork();
    if (child == 0) {
        execve("/bin/sh", arguments, environ);
        _exit(1);
    }
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 9, "the program's status %d", status);
    outer++;
    errno = saved;
}

static void signals_another(int number)
{
    (void)number;
    ZERO(pthread_kill(others_thread, SIGUSR2));
    outer++;
}

static void ends_thread(int number)
{
    pthread_exit(AS_POINTER(number == SIGUSR1 ? 77 : 0));
}

static void ends_process(int number)
{
    (void)number;
    _exit(3);
}

static void install(int number, void (*function)(int), int flags)
{
    struct sigaction action = {.sa_handler = function, .sa_flags = flags};
    CHECK(sigaction(number, &action, NULL) == 0, "sigaction");
    outer = inner = after = 0;
}

static void *reads(void *argument)
{
    char byte = 0;
    sem_post(&ready);
    CHECK(read(ends[0], &byte, 1) == 1, "read");
    return AS_POINTER(byte);
}

static void *waits(void *argument)
{
    sem_post(&ready);
    while (sem_wait(&semaphore) != 0)
        CHECK(errno == EINTR, "sem_wait");
    return argument;
}

static void wait_ready(void)
{
    while (sem_wait(&ready) != 0) {
    }
    others_go_on();
}

/* A thread in a read, with a handler that works for a while, and the byte only after that. */
static void interrupted_reader(const char *name, void (*function)(int))
{
    install(SIGUSR1, function, SA_RESTART);
    pthread_t thread = start(reads, NULL);
    wait_ready();
    ZERO(pthread_kill(thread, SIGUSR1));
    while (outer == 0)
        usleep(500);
    others_go_on();
    if (function == reads_inside)
        CHECK(write(other_ends[1], "h", 1) == 1, "write");
    CHECK(write(ends[1], "r", 1) == 1, "write");
    CHECK(AS_INTEGER(join(thread)) == 'r', "%s: another byte", name);
    printf("%s: then its call went on\n", name);
}

static void *cleans_up(void *argument)
{
    sem_post(&ready);
    pthread_cleanup_push((void (*)(void *))sem_post, &semaphore);
    read(ends[0], &(char){0}, 1);
    pthread_cleanup_pop(0);
    return argument;
}

int main(void)
{
    int status;
    sem_init(&ready, 0, 0);
    sem_init(&semaphore, 0, 0);
    make_pipe(ends);
    make_pipe(other_ends);
    start_ticker();
    interrupted_reader("sleeps", sleeps_inside);
    interrupted_reader("reads", reads_inside);
    interrupted_reader("forks", forks_inside);
    interrupted_reader("runs a program", runs_program_inside);

    install(SIGUSR1, sleeps_inside, SA_RESTART);
    install(SIGUSR2, nested, SA_RESTART);
    pthread_t thread = start(reads, NULL);
    wait_ready();
    ZERO(pthread_kill(thread, SIGUSR1));
    while (outer == 0)
        usleep(500);
    for (int n = 0; n < 3; n++) {
        ZERO(pthread_kill(thread, SIGUSR2));
        others_go_on();
    }
    CHECK(write(ends[1], "r", 1) == 1, "write");
    join(thread);
    CHECK(inner == 3 && after == 1, "%d and %d", inner, after);
    puts("nested: both came to their ends");

    others_thread = start(waits, NULL);
    wait_ready();
    install(SIGUSR2, nested, 0);
    interrupted_reader("signals another", signals_another);
    while (inner == 0)
        usleep(500);
    sem_post(&semaphore);
    join(others_thread);
    puts("the other had its signal");

    install(SIGUSR1, ends_thread, 0);
    thread = start(cleans_up, NULL);
    wait_ready();
    ZERO(pthread_kill(thread, SIGUSR1));
    printf("ended in a handler: %d\n", AS_INTEGER(join(thread)));
    CHECK(sem_trywait(&semaphore) == 0, "the cleanup handler has not run");

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        install(SIGUSR1, ends_process, 0);
        thread = start(waits, NULL);
        while (sem_wait(&ready) != 0) {
        }
        usleep(5000);
        ZERO(pthread_kill(thread, SIGUSR1));
        join(thread);
        _exit(4);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "waitpid");
    printf("the process ended in a handler: %d\n", WEXITSTATUS(status));
    return 0;
}
