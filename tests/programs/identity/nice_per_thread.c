/*
 * Nice values are each thread's own: setpriority(PRIO_PROCESS, tid), nice() and getpriority() change and show one
 * thread's, a new thread has its maker's, values are clamped; who may not lower one is told EACCES by setpriority and
 * EPERM by nice.
 */
#include "../check.h"
#include <grp.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static sem_t asked, answered, done;
static pid_t tid;

static int nice_of(pid_t thread)
{
    errno = 0;
    int nice = getpriority(PRIO_PROCESS, thread);
    CHECK(errno == 0, "getpriority(%d)", thread);
    return nice;
}

static void *made(void *argument)
{
    *(int *)argument = nice_of(0);
    return NULL;
}

static void *body(void *argument)
{
    tid = gettid();
    sem_post(&answered);
    while (sem_wait(&asked) != 0) {
    }
    printf("thread sees %d and adds 3: ", nice_of(0));
    errno = 0;
    int nice_result = nice(3);
    CHECK(errno == 0, "nice");
    printf("%d, %d by its id\n", nice_result, nice_of(tid));
    int of_made = 99;
    join(start(made, &of_made));
    printf("a thread that it makes has %d\n", of_made);
    sem_post(&answered);
    while (sem_wait(&done) != 0) {
    }
    return argument;
}

static void *unprivileged(void *argument)
{
    (void)argument;
    CHECK(setpriority(PRIO_PROCESS, 0, 12) == 0, "raising");
    FAILS(EACCES, setpriority(PRIO_PROCESS, 0, 3));
    FAILS(EACCES, setpriority(PRIO_PROCESS, gettid(), -1));
    FAILS(EPERM, nice(-2));
    CHECK(setpriority(PRIO_PROCESS, gettid(), 12) == 0, "the same again");
    CHECK(setpriority(PRIO_PROCESS, gettid(), 100) == 0 && nice_of(0) == 19, "clamped: %d", nice_of(0));
    return NULL;
}

int main(void)
{
    sem_init(&asked, 0, 0);
    sem_init(&answered, 0, 0);
    sem_init(&done, 0, 0);
    pthread_t thread = start(body, NULL);
    while (sem_wait(&answered) != 0) {
    }
    int before = nice_of(0);
    CHECK(setpriority(PRIO_PROCESS, tid, 5) == 0, "setpriority of another");
    printf("thread has %d, main's is %s\n", nice_of(tid), nice_of(0) == before ? "as before" : "changed");
    sem_post(&asked);
    while (sem_wait(&answered) != 0) {
    }
    printf("thread has %d, raw %ld; main's is %s\n", nice_of(tid), syscall(SYS_getpriority, PRIO_PROCESS, tid),
           nice_of(0) == before && nice_of(getpid()) == before ? "as before" : "changed");
    CHECK(setpriority(PRIO_PROCESS, tid, -30) == 0 && nice_of(tid) == -20, "clamped: %d", nice_of(tid));
    CHECK(setpriority(PRIO_PROCESS, getpid(), 2) == 0 && nice_of(0) == 2 && nice_of(tid) == -20, "main's alone");
    FAILS(ESRCH, setpriority(PRIO_PROCESS, 0x3ffffff0, 1));
    FAILS(ESRCH, getpriority(PRIO_PROCESS, 0x3ffffff0));
    FAILS(EINVAL, setpriority(7, 0, 1));
    FAILS(EINVAL, getpriority(7, 0));
    sem_post(&done);
    join(thread);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        CHECK(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0, "becoming nobody");
        CHECK(nice_of(0) == 2, "inherited %d", nice_of(0));
        pthread_t other = start(unprivileged, NULL);
        join(other);
        CHECK(nice_of(0) == 2, "the child's main has %d", nice_of(0));
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "child's status %#x", status);
    puts("without the right to: refused");
    return 0;
}
