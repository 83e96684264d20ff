/*
 * A process ends while its threads are blocked in read, recv, accept, epoll_wait, waitpid, flock, semop, mq_receive and
 * open: by main's return, by exit or _exit from main or from a thread, by a signal, or with its last thread after main
 * has left by pthread_exit. Its parent sees the status and that its descriptors are closed; its exit handler has run
 * where it should.
 */
#include "../check.h"
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum how { RETURN, EXIT, EXIT_AT_ONCE, EXIT_IN_THREAD, EXIT_AT_ONCE_IN_THREAD, SIGNAL, SIGNAL_IN_THREAD, LAST_THREAD };
static const char *const names[] = {
    "return",
    "exit",
    "_exit",
    "exit in a thread",
    "_exit in a thread",
    "signal",
    "signal in a thread",
    "last thread",
};

enum { WAITS = 9 };
static sem_t begun;
static int semaphores, ends[2];
static char fifo[32];

static void *waits(void *argument)
{
    int file, sockets[2];
    struct epoll_event event = {.events = EPOLLIN};
    char name[32];
    mqd_t queue;
    sem_post(&begun);
    switch (AS_INTEGER(argument)) {
    case 0:
        CHECK(read(ends[0], name, 1) == 1, "read");
        return argument;
    case 1:
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "socketpair");
        recv(sockets[0], name, 1, 0);
        break;
    case 2:
        file = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK(bind(file, (struct sockaddr *)&(struct sockaddr_storage){.ss_family = AF_UNIX}, 2) == 0, "bind");
        CHECK(listen(file, 1) == 0, "listen");
        accept(file, NULL, NULL);
        break;
    case 3:
        file = epoll_create1(0);
        CHECK(epoll_ctl(file, EPOLL_CTL_ADD, ends[0], &event) == 0, "epoll_ctl");
        epoll_wait(file, &event, 1, -1);
        break;
    case 4: waitpid(-1, NULL, 0); break;
    case 5:
        file = memfd_create("lock", 0);
        snprintf(name, sizeof name, "/proc/self/fd/%d", file);
        CHECK(flock(open(name, O_RDWR), LOCK_EX) == 0, "flock");
        flock(file, LOCK_EX);
        break;
    case 6: semop(semaphores, &(struct sembuf){0, -1, 0}, 1); break;
    case 7:
        snprintf(name, sizeof name, "/exit-%d", getpid());
        queue = mq_open(name, O_RDONLY | O_CREAT | O_EXCL, 0600, &(struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = 32});
        CHECK(queue >= 0 && mq_unlink(name) == 0, "mq_open");
        mq_receive(queue, name, 32, NULL);
        break;
    case 8: open(fifo, O_RDONLY); break;
    }
    CHECK(0, "wait %d ended", AS_INTEGER(argument));
    return NULL;
}

static void at_exit(void)
{
    fputs("exit handler, ", stdout);
}

static void *ends_process(void *argument)
{
    enum how how = (enum how)AS_INTEGER(argument);
    switch (how) {
    case EXIT:
    case EXIT_IN_THREAD: exit(10 + how);
    case EXIT_AT_ONCE:
    case EXIT_AT_ONCE_IN_THREAD: _exit(10 + how);
    case SIGNAL:
    case SIGNAL_IN_THREAD: raise(SIGTERM); break;
    case LAST_THREAD: pthread_exit(NULL);
    case RETURN: break;
    }
    return NULL;
}

/* What the process does that is to end; returns what its main should. */
static int process(enum how how)
{
    atexit(at_exit);
    int waits_made = how == LAST_THREAD ? 1 : WAITS;
    if (how != LAST_THREAD && fork() == 0) {
        /* The child that one thread waits for; it must not outlive its parent and keep the descriptors open. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sleep_ms(600000);
        _exit(0);
    }
    sem_init(&begun, 0, 0);
    for (int n = 0; n < waits_made; n++)
        start(waits, AS_POINTER(n));
    for (int n = 0; n < waits_made; n++)
        sem_wait(&begun);
    sleep_ms(20);
    if (how == EXIT_IN_THREAD || how == EXIT_AT_ONCE_IN_THREAD || how == SIGNAL_IN_THREAD)
        join(start(ends_process, AS_POINTER(how)));
    ends_process(AS_POINTER(how));
    return 10 + how;
}

int main(void)
{
    snprintf(fifo, sizeof fifo, "/tmp/exit-%d", getpid());
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    CHECK(mkfifo(fifo, 0600) == 0 && semaphores >= 0, "mkfifo");
    for (enum how how = RETURN; how <= LAST_THREAD; how++) {
        int watched[2], status;
        char byte;
        CHECK(pipe(ends) == 0 && pipe(watched) == 0, "pipe");
        printf("%s: ", names[how]);
        fflush(stdout);
        pid_t child = fork();
        CHECK(child >= 0, "fork");
        if (child == 0)
            return process(how);
        close(watched[1]);
        if (how == LAST_THREAD)
            CHECK(write(ends[1], "x", 1) == 1, "write");
        CHECK(read(watched[0], &byte, 1) == 0, "a descriptor of the ended process is open");
        CHECK(waitpid(child, &status, 0) == child, "waitpid");
        printf("status %d, signal %d\n", WEXITSTATUS(status), WTERMSIG(status));
        close(watched[0]);
        close(ends[0]);
        close(ends[1]);
    }
    semctl(semaphores, 0, IPC_RMID);
    unlink(fifo);
    return 0;
}
