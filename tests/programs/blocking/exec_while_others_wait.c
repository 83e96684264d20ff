/*
 * exec while threads are blocked in read, accept, epoll_wait, waitpid, flock and semop, from main or (argument
 * "thread") from a thread. The new program finds the descriptors it should and no others, its pipe with what was
 * written to it before, its child, and may block in the same calls itself. Runs itself three times.
 */
#include "../check.h"
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { GENERATIONS = 3, PIPE = 50 };
static char **arguments_of_next;
static sem_t begun;
static int semaphores;

static void *waits(void *argument)
{
    int ends[2], file;
    struct epoll_event event = {.events = EPOLLIN};
    char name[32];
    CHECK(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    sem_post(&begun);
    switch (AS_INTEGER(argument)) {
    case 0: read(ends[0], name, 1); break;
    case 1:
        file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(bind(file, (struct sockaddr *)&(struct sockaddr_storage){.ss_family = AF_UNIX}, 2) == 0, "bind");
        CHECK(listen(file, 1) == 0, "listen");
        accept(file, NULL, NULL);
        break;
    case 2:
        file = epoll_create1(EPOLL_CLOEXEC);
        CHECK(epoll_ctl(file, EPOLL_CTL_ADD, ends[0], &event) == 0, "epoll_ctl");
        epoll_wait(file, &event, 1, -1);
        break;
    case 3: waitpid(-1, NULL, 0); break;
    case 4:
        file = memfd_create("lock", MFD_CLOEXEC);
        snprintf(name, sizeof name, "/proc/self/fd/%d", file);
        CHECK(flock(open(name, O_RDWR | O_CLOEXEC), LOCK_EX) == 0, "flock");
        flock(file, LOCK_EX);
        break;
    case 5: semop(semaphores, &(struct sembuf){0, -1, 0}, 1); break;
    }
    CHECK(0, "wait %d ended", AS_INTEGER(argument));
    return NULL;
}

/* Reads what the program before wrote. */
static void *reads_letter(void *argument)
{
    char letter;
    (void)argument;
    CHECK(read(PIPE, &letter, 1) == 1, "read");
    return AS_POINTER(letter);
}

static void *executes(void *argument)
{
    (void)argument;
    sleep_ms(20);
    execv("/proc/self/exe", arguments_of_next);
    CHECK(0, "execv");
    return NULL;
}

/* Prints which of the first thousand descriptors are open. */
static void list_descriptors(void)
{
    printf("open:");
    for (int n = 0; n < 1000; n++)
        if (fcntl(n, F_GETFD) >= 0)
            printf(" %d", n);
    puts("");
}

int main(int count, char **arguments)
{
    const char *from = count > 1 ? arguments[1] : "main";
    int generation = count > 2 ? atoi(arguments[2]) : 0, ends[2], status;
    char numbers[3][16];
    int letter;
    printf("generation %d from %s, ", generation, from);
    if (generation == 0) {
        CHECK(pipe(ends) == 0 && dup2(ends[0], PIPE) == PIPE && dup2(ends[1], PIPE + 1) == PIPE + 1, "pipe");
        CHECK(close(ends[0]) == 0 && close(ends[1]) == 0, "close");
        semaphores = semget(IPC_PRIVATE, 1, 0600);
    } else {
        semaphores = atoi(arguments[4]);
        letter = AS_INTEGER(join(start(reads_letter, NULL)));
        CHECK(kill(atoi(arguments[3]), SIGKILL) == 0, "kill");
        CHECK(waitpid(atoi(arguments[3]), &status, 0) > 0 && WTERMSIG(status) == SIGKILL, "status %#x", status);
        printf("read %c, ", letter);
    }
    list_descriptors();
    fflush(stdout);
    if (generation == GENERATIONS) {
        semctl(semaphores, 0, IPC_RMID);
        return 5;
    }
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        pause();
        _exit(1);
    }
    sem_init(&begun, 0, 0);
    for (int n = 0; n < 6; n++)
        start(waits, AS_POINTER(n));
    for (int n = 0; n < 6; n++)
        sem_wait(&begun);
    CHECK(write(PIPE + 1, (char[]){(char)('a' + generation)}, 1) == 1, "write");
    snprintf(numbers[0], sizeof numbers[0], "%d", generation + 1);
    snprintf(numbers[1], sizeof numbers[1], "%d", child);
    snprintf(numbers[2], sizeof numbers[2], "%d", semaphores);
    arguments_of_next = (char *[]){arguments[0], (char *)from, numbers[0], numbers[1], numbers[2], NULL};
    if (strcmp(from, "thread") != 0)
        executes(NULL);
    join(start(executes, NULL));
    return 1;
}
