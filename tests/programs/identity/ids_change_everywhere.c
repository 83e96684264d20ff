/*
 * setgroups, setresgid and setresuid called by one thread (in a forked child, so that the parent stays root): the C
 * library has all threads change their ids, those that sleep, wait, read and compute, and every one sees the new ones;
 * what the ids forbid is forbidden to all; a failing call changes nobody's.
 */
#include "../check.h"
#include <fcntl.h>
#include <grp.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/fsuid.h>
#include <sys/wait.h>

enum { SLEEPERS = 4, COMPUTERS = 3 };
static atomic_int go_on, computing;
static sem_t look, looked;
static int pipe_ends[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void sees(uid_t user, gid_t group)
{
    uid_t real_user, user_now, saved_user;
    gid_t real_group, group_now, saved_group, groups[8];
    CHECK(getresuid(&real_user, &user_now, &saved_user) == 0, "getresuid");
    CHECK(getresgid(&real_group, &group_now, &saved_group) == 0, "getresgid");
    CHECK(real_user == user && user_now == user && saved_user == user, "users %u %u %u", real_user, user_now,
          saved_user);
    CHECK(real_group == group && group_now == group && saved_group == group, "groups %u %u %u", real_group, group_now,
          saved_group);
    int count = getgroups(8, groups);
    CHECK(count == 2 && groups[0] == 101 && groups[1] == 102, "%d groups", count);
    CHECK((uid_t)setfsuid(-1) == user && (gid_t)setfsgid(-1) == group, "file system ids");
    FAILS(EPERM, setgroups(0, NULL));
    FAILS(EPERM, setresuid(0, 0, 0));
    FAILS(EACCES, open("/etc/shadow", O_RDONLY));
}

static void *sleeps(void *argument)
{
    sem_post(&looked);
    while (sem_wait(&look) != 0) {
    }
    sees(1234, 1235);
    sem_post(&looked);
    return argument;
}

static void *reads(void *argument)
{
    char byte;
    sem_post(&looked);
    CHECK(read(pipe_ends[0], &byte, 1) == 1, "read");
    sees(1234, 1235);
    sem_post(&looked);
    return argument;
}

static void *locks(void *argument)
{
    sem_post(&looked);
    ZERO(pthread_mutex_lock(&lock));
    ZERO(pthread_mutex_unlock(&lock));
    sees(1234, 1235);
    sem_post(&looked);
    return argument;
}

static void *computes(void *argument)
{
    computing++;
    while (!go_on) {
    }
    sees(1234, 1235);
    sem_post(&looked);
    return argument;
}

static void *changes(void *argument)
{
    static const gid_t groups[] = {101, 102};
    CHECK(setgroups(2, groups) == 0, "setgroups");
    CHECK(setresgid(1235, 1235, 1235) == 0, "setresgid");
    CHECK(setresuid(1234, 1234, 1234) == 0, "setresuid");
    sees(1234, 1235);
    return argument;
}

static void in_child(void)
{
    pthread_t threads[SLEEPERS + COMPUTERS + 2];
    int count = 0;
    sem_init(&look, 0, 0);
    sem_init(&looked, 0, 0);
    CHECK(pipe(pipe_ends) == 0, "pipe");
    ZERO(pthread_mutex_lock(&lock));
    for (int n = 0; n < SLEEPERS; n++)
        threads[count++] = start(sleeps, NULL);
    threads[count++] = start(reads, NULL);
    threads[count++] = start(locks, NULL);
    for (int n = 0; n < SLEEPERS + 2; n++)
        while (sem_wait(&looked) != 0) {
        }
    for (int n = 0; n < COMPUTERS; n++)
        threads[count++] = start(computes, NULL);
    while (computing < COMPUTERS)
        usleep(1000);
    join(start(changes, NULL));
    sees(1234, 1235);
    go_on = 1;
    ZERO(pthread_mutex_unlock(&lock));
    CHECK(write(pipe_ends[1], "x", 1) == 1, "write");
    for (int n = 0; n < SLEEPERS; n++)
        sem_post(&look);
    for (int n = 0; n < SLEEPERS + COMPUTERS + 2; n++)
        while (sem_wait(&looked) != 0) {
        }
    for (int n = 0; n < count; n++)
        join(threads[n]);
    printf("all %d threads and main have the new ids\n", count);
    fflush(stdout);
}

static void *nothing(void *argument)
{
    return argument;
}

int main(void)
{
    join(start(nothing, NULL));
    for (int round = 0; round < 2; round++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            in_child();
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0, "child's status %#x", status);
        CHECK(getuid() == 0 && getgid() == 0, "the parent's ids changed");
    }
    return 0;
}
