/*
 * Names: pthread_setname_np and getname_np on oneself and on another thread, PR_SET_NAME, inheritance from the
 * creator, ERANGE for a name too long, and /proc/self/task/TID/comm read and written by hand.
 */
#include "../check.h"
#include <fcntl.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static sem_t named, checked;
static pid_t tid_of_other;

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static void *inherits(void *argument)
{
    char name[16];
    ZERO(pthread_getname_np(pthread_self(), name, sizeof name));
    CHECK(strcmp(name, (char *)argument) == 0, "inherited %s, expected %s", name, (char *)argument);
    return NULL;
}

static void *body(void *argument)
{
    (void)argument;
    char name[16];
    tid_of_other = (pid_t)syscall(SYS_gettid);
    ZERO(pthread_setname_np(pthread_self(), "own name"));
    join(start(inherits, "own name"));
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "own name") == 0, "PR_GET_NAME: %s", name);
    CHECK(prctl(PR_SET_NAME, "by prctl") == 0, "PR_SET_NAME");
    ZERO(pthread_getname_np(pthread_self(), name, sizeof name));
    CHECK(strcmp(name, "by prctl") == 0, "after PR_SET_NAME: %s", name);
    sem_post(&named);
    wait_for(&checked);
    ZERO(pthread_getname_np(pthread_self(), name, sizeof name));
    CHECK(strcmp(name, "by another") == 0, "after another's pthread_setname_np: %s", name);
    sem_post(&named);
    wait_for(&checked);
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "by hand") == 0, "after a write to comm: %s", name);
    return NULL;
}

static void comm_path(char *path, size_t size, pid_t tid)
{
    snprintf(path, size, "/proc/self/task/%d/comm", tid);
}

int main(void)
{
    char name[16], path[64];
    sem_init(&named, 0, 0);
    sem_init(&checked, 0, 0);
    ZERO(pthread_setname_np(pthread_self(), "the main one"));
    pthread_t thread = start(body, NULL);
    wait_for(&named);
    ZERO(pthread_getname_np(thread, name, sizeof name));
    CHECK(strcmp(name, "by prctl") == 0, "another's name: %s", name);
    ZERO(pthread_setname_np(thread, "by another"));
    GIVES(ERANGE, pthread_setname_np(thread, "sixteen letters!"));
    GIVES(ERANGE, pthread_getname_np(thread, name, 4));
    sem_post(&checked);
    wait_for(&named);

    comm_path(path, sizeof path, tid_of_other);
    int file = open(path, O_RDWR);
    CHECK(file >= 0, "open %s", path);
    char line[32] = "";
    CHECK(read(file, line, sizeof line - 1) == 11, "read %s", line);
    CHECK(strcmp(line, "by another\n") == 0, "comm: %s", line);
    close(file);
    file = open(path, O_WRONLY);
    CHECK(file >= 0, "open %s for writing", path);
    CHECK(write(file, "by hand", 7) == 7, "write");
    close(file);
    sem_post(&checked);
    join(thread);
    ZERO(pthread_getname_np(pthread_self(), name, sizeof name));
    printf("main is still called %s\n", name);
    return 0;
}
