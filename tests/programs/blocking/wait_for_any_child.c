/*
 * Waiting for children that are not known beforehand: for any, for a group, by descriptor; without hanging, without
 * taking the status away; for a child that stops and goes on. A thread waits while main makes happen what it waits
 * for; two threads that wait for any child share the children.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define DESCRIPTOR_NONBLOCK 04000

static int release[2];
static sem_t ready, seen;

/* A child that ends with STATUS once a byte is written to `release`. */
static pid_t child_that_ends(int status)
{
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        char byte;
        _exit(read(release[0], &byte, 1) == 1 ? status : 99);
    }
    return child;
}

static void end_a_child(void)
{
    CHECK(write(release[1], "x", 1) == 1, "write");
}

static void *waits_for_any(void *argument)
{
    int sum = 0, status;
    struct rusage usage;
    memset(&usage, 0xff, sizeof usage);
    for (int n = 0; n < AS_INTEGER(argument); n++) {
        CHECK(wait4(-1, &status, 0, &usage) > 0 && WIFEXITED(status), "status %#x", status);
        CHECK(usage.ru_maxrss > 0, "maxrss %ld", usage.ru_maxrss);
        sum += WEXITSTATUS(status);
        sem_post(&seen);
    }
    return AS_POINTER(sum);
}

static void any(void)
{
    FAILS(ECHILD, wait(NULL));
    FAILS(ECHILD, waitid(P_ALL, 0, NULL, WEXITED));
    child_that_ends(5);
    CHECK(waitpid(-1, NULL, WNOHANG) == 0, "WNOHANG");
    pthread_t waiter = start(waits_for_any, AS_POINTER(1));
    sleep_ms(20);
    end_a_child();
    printf("one thread for any child: %d\n", AS_INTEGER(join(waiter)));

    pthread_t two[2];
    for (int n = 0; n < 6; n++)
        child_that_ends(1 << n);
    for (int n = 0; n < 2; n++)
        two[n] = start(waits_for_any, AS_POINTER(3));
    sleep_ms(20);
    for (int n = 0; n < 6; n++) {
        end_a_child();
        sem_wait(&seen);
    }
    int sum = AS_INTEGER(join(two[0]));
    sum += AS_INTEGER(join(two[1]));
    printf("two threads for six children: %d\n", sum);
}

static void *waits_for_group(void *argument)
{
    int status;
    pid_t group = AS_INTEGER(argument), child = waitpid(-group, &status, 0);
    CHECK(child == group, "child %d of group %d", child, group);
    return AS_POINTER(WEXITSTATUS(status));
}

static void group(void)
{
    pid_t other = child_that_ends(7), child = child_that_ends(7);
    CHECK(setpgid(child, child) == 0, "setpgid");
    pthread_t waiter = start(waits_for_group, AS_POINTER(child));
    sleep_ms(20);
    CHECK(waitid(P_PGID, (id_t)child, NULL, WEXITED | WNOHANG) == 0, "WNOHANG");
    end_a_child();
    end_a_child();
    printf("a group of its own: %d\n", AS_INTEGER(join(waiter)));
    CHECK(waitpid(0, NULL, 0) == other, "waitpid for the own group");
    FAILS(ECHILD, waitpid(-child, NULL, 0));
}

static void *waits_by_descriptor(void *argument)
{
    siginfo_t info = {0};
    CHECK(waitid((idtype_t)P_PIDFD, (id_t)AS_INTEGER(argument), &info, WEXITED) == 0, "waitid");
    CHECK(info.si_signo == SIGCHLD, "signal %d", info.si_signo);
    return AS_POINTER(info.si_status);
}

static void descriptor(void)
{
    siginfo_t info;
    pid_t child = child_that_ends(8);
    int plain = (int)syscall(SYS_pidfd_open, child, 0);
    int nonblocking = (int)syscall(SYS_pidfd_open, child, DESCRIPTOR_NONBLOCK);
    CHECK(plain >= 0 && nonblocking >= 0, "pidfd_open");
    FAILS(EAGAIN, waitid((idtype_t)P_PIDFD, (id_t)nonblocking, &info, WEXITED));
    info.si_pid = 1;
    CHECK(waitid((idtype_t)P_PIDFD, (id_t)plain, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0, "WNOHANG");
    pthread_t waiter = start(waits_by_descriptor, AS_POINTER(plain));
    sleep_ms(20);
    end_a_child();
    printf("by descriptor: %d\n", AS_INTEGER(join(waiter)));
    FAILS(ECHILD, waitid((idtype_t)P_PIDFD, (id_t)plain, &info, WEXITED));
    close(plain);
    close(nonblocking);
}

static pid_t watched;

/* Sees the child stop, go on and be killed, each without and then with taking the state away. */
static void *watches(void *argument)
{
    static const struct {
        int options, code, status;
        const char *name;
    } steps[] = {
        {WSTOPPED, CLD_STOPPED, SIGSTOP, "stopped"},
        {WCONTINUED, CLD_CONTINUED, SIGCONT, "went on"},
        {WEXITED, CLD_KILLED, SIGKILL, "killed"},
    };
    for (size_t n = 0; n < sizeof steps / sizeof *steps; n++) {
        for (int keep = WNOWAIT; keep >= 0; keep -= WNOWAIT) {
            siginfo_t info = {0};
            sem_post(&ready);
            CHECK(waitid(P_ALL, 0, &info, steps[n].options | keep) == 0 && info.si_pid == watched, "waitid");
            CHECK(info.si_code == steps[n].code, "code %d", info.si_code);
            CHECK(info.si_status == steps[n].status, "status %d", info.si_status);
        }
        printf("%s\n", steps[n].name);
        sem_post(&seen);
    }
    return argument;
}

static void stops(void)
{
    int status;
    watched = child_that_ends(0);
    pthread_t watcher = start(watches, NULL);
    static const int signals[] = {SIGSTOP, SIGCONT, SIGKILL};
    for (int n = 0; n < 3; n++) {
        sem_wait(&ready);
        sleep_ms(20);
        kill(watched, signals[n]);
        sem_wait(&ready);
        sem_wait(&seen);
    }
    join(watcher);

    watched = child_that_ends(4);
    kill(watched, SIGSTOP);
    CHECK(waitpid(watched, &status, WUNTRACED) == watched && WIFSTOPPED(status), "status %#x", status);
    CHECK(waitpid(watched, &status, WUNTRACED | WNOHANG) == 0, "a stop told twice");
    kill(watched, SIGCONT);
    CHECK(waitpid(watched, &status, WCONTINUED) == watched && WIFCONTINUED(status), "status %#x", status);
    end_a_child();
    CHECK(waitpid(watched, &status, 0) == watched && WEXITSTATUS(status) == 4, "status %#x", status);
}

int main(void)
{
    CHECK(pipe(release) == 0, "pipe");
    sem_init(&ready, 0, 0);
    sem_init(&seen, 0, 0);
    any();
    while (sem_trywait(&seen) == 0) {
    }
    group();
    descriptor();
    stops();
    FAILS(ECHILD, wait(NULL));
    FAILS(EINVAL, waitid(P_ALL, 0, NULL, 0));
    puts("no child is left");
    return 0;
}
