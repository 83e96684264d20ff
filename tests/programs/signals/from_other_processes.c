/*
 * Other processes (a child, a program that a child has become) send signals to single threads of this one by their ids:
 * the handler runs in that thread and is told who sent it. An id that no thread has, or not of that process, is an error;
 * kill with a thread's id means its process.
 */
#include "../check.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { VALUE = 4711 };

struct seen {
    volatile sig_atomic_t count, code, value;
    volatile pid_t thread, sender;
    volatile uid_t user;
};
static struct seen seen[2];
static volatile pid_t ids[2];
static volatile sig_atomic_t ends;
static volatile pid_t ended;
static sem_t ready;

static void note(int signal, siginfo_t *info, void *context)
{
    (void)context;
    struct seen *last = &seen[signal == SIGUSR2];
    last->code = info->si_code;
    last->value = info->si_value.sival_int;
    last->sender = info->si_pid;
    last->user = info->si_uid;
    last->thread = gettid();
    last->count++;
}

static void block(int how, int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    ZERO(pthread_sigmask(how, &set, NULL));
}

static void *sleeps(void *argument)
{
    ids[AS_INTEGER(argument)] = gettid();
    sem_post(&ready);
    while (!ends)
        sleep_ms(1);
    return NULL;
}

static void *ends_at_once(void *argument)
{
    ended = gettid();
    return argument;
}

static long to_thread(pid_t process, pid_t thread, int signal)
{
    return syscall(SYS_tgkill, process, thread, signal);
}

static long queue_to_thread(pid_t process, pid_t thread, int signal, int code)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = code;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = VALUE;
    return syscall(SYS_rt_tgsigqueueinfo, process, thread, signal, &info);
}

/* Runs in a process of its own; PROCESS has the threads ALIVE, and DEAD no more. */
static void send_to(pid_t process, pid_t alive, pid_t dead)
{
    CHECK(to_thread(process, alive, 0) == 0, "existence");
    FAILS(ESRCH, to_thread(process, dead, 0));
    FAILS(ESRCH, to_thread(process, dead, SIGUSR1));
    FAILS(ESRCH, to_thread(process, gettid(), SIGUSR1));
    FAILS(ESRCH, to_thread(getpid(), alive, SIGUSR1));
    FAILS(EINVAL, to_thread(process, alive, 65));
    FAILS(EINVAL, to_thread(-1, alive, SIGUSR1));
    FAILS(EPERM, queue_to_thread(process, alive, SIGUSR1, SI_USER));
    FAILS(EPERM, queue_to_thread(process, alive, SIGUSR1, SI_TKILL));
    FAILS(ESRCH, queue_to_thread(process, dead, SIGUSR1, SI_QUEUE));
    CHECK(to_thread(process, alive, SIGUSR1) == 0, "tgkill");
}

static pid_t begin_child(void)
{
    memset(seen, 0, sizeof seen);
    fflush(stdout);
    return fork();
}

static void end_child(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) == -1)
        CHECK(errno == EINTR, "waitpid");
    CHECK(status == 0, "status %x", status);
}

static void one_came(int place, pid_t thread, pid_t sender, int code)
{
    struct seen *last = &seen[place];
    for (int i = 0; i < 2000 && last->count == 0; i++)
        sleep_ms(1);
    sleep_ms(10);
    CHECK(last->count == 1, "%d signals", (int)last->count);
    CHECK(thread == 0 || last->thread == thread, "in thread %d, not %d", last->thread, thread);
    CHECK(last->code == code, "code %d, not %d", (int)last->code, code);
    CHECK(last->sender == sender && last->user == getuid(), "sender %d, user %u", last->sender, last->user);
    CHECK(seen[!place].count == 0, "the other signal, too");
}

static void *does_nothing(void *argument)
{
    return argument;
}

/* The program again, as another process that was not made a copy of this one. */
static int become_sender(char **arguments)
{
    join(start(does_nothing, NULL));
    send_to(atoi(arguments[2]), atoi(arguments[3]), atoi(arguments[4]));
    return 0;
}

static void exec_sender(pid_t process, pid_t alive, pid_t dead)
{
    char numbers[3][16];
    snprintf(numbers[0], sizeof numbers[0], "%d", process);
    snprintf(numbers[1], sizeof numbers[1], "%d", alive);
    snprintf(numbers[2], sizeof numbers[2], "%d", dead);
    execl("/proc/self/exe", "sender", "send", numbers[0], numbers[1], numbers[2], NULL);
    _exit(2);
}

/* As where one process may not look into another's memory. */
static void forbid_looking(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0, "PR_SET_SECCOMP");
}

/* A program that is on its own, whatever the others run under, is not disturbed. */
static void spare_strangers(void)
{
    int in[2], out[2];
    char byte;
    CHECK(pipe(in) == 0 && pipe(out) == 0, "pipe");
    pid_t child = begin_child();
    if (child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        unsetenv("LD_PRELOAD");
        execl("/bin/sh", "sh", "-c", "echo; trap 'exit 1' USR1; read line; exit 0", NULL);
        _exit(2);
    }
    CHECK(read(out[0], &byte, 1) == 1, "read");
    FAILS(ESRCH, to_thread(child, ids[0], SIGUSR1));
    FAILS(ESRCH, to_thread(child, ids[0], 0));
    CHECK(write(in[1], "\n", 1) == 1, "write");
    end_child(child);
}

int main(int count, char **arguments)
{
    if (count > 1)
        return become_sender(arguments);
    sem_init(&ready, 0, 0);
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
    join(start(ends_at_once, NULL));
    pthread_t threads[2] = {start(sleeps, AS_POINTER(0)), start(sleeps, AS_POINTER(1))};
    sem_wait(&ready);
    sem_wait(&ready);
    pid_t self = getpid();

    pid_t child = begin_child();
    if (child == 0) {
        send_to(self, ids[0], ended);
        _exit(0);
    }
    one_came(0, ids[0], child, SI_TKILL);
    end_child(child);

    child = begin_child();
    if (child == 0)
        exec_sender(self, ids[1], ended);
    one_came(0, ids[1], child, SI_TKILL);
    end_child(child);

    child = begin_child();
    if (child == 0) {
        CHECK(syscall(SYS_tkill, ids[1], SIGUSR2) == 0, "tkill");
        FAILS(ESRCH, syscall(SYS_tkill, ended, SIGUSR2));
        _exit(0);
    }
    one_came(1, ids[1], child, SI_TKILL);
    end_child(child);

    child = begin_child();
    if (child == 0) {
        CHECK(queue_to_thread(self, ids[0], SIGUSR1, SI_QUEUE) == 0, "rt_tgsigqueueinfo");
        _exit(0);
    }
    one_came(0, ids[0], child, SI_QUEUE);
    CHECK(seen[0].value == VALUE, "value %d", (int)seen[0].value);
    end_child(child);

    child = begin_child();
    if (child == 0) {
        forbid_looking();
        CHECK(to_thread(self, ids[0], SIGUSR1) == 0, "tgkill");
        FAILS(ESRCH, to_thread(self, gettid(), SIGUSR1));
        _exit(0);
    }
    one_came(0, ids[0], child, SI_TKILL);
    end_child(child);

    /* kill takes any thread's id for its process's. */
    child = begin_child();
    if (child == 0) {
        CHECK(kill(ids[1], 0) == 0 && kill(ids[1], SIGUSR2) == 0, "kill");
        FAILS(ESRCH, kill(ended, SIGUSR2));
        _exit(0);
    }
    one_came(1, 0, child, SI_USER);
    end_child(child);
    memset(seen, 0, sizeof seen);
    CHECK(kill(ids[0], SIGUSR1) == 0, "kill");
    one_came(0, 0, self, SI_USER);
    memset(seen, 0, sizeof seen);
    CHECK(sigqueue(ids[0], SIGUSR2, (union sigval){.sival_int = VALUE}) == 0, "sigqueue");
    one_came(1, 0, self, SI_QUEUE);
    FAILS(ESRCH, kill(ended, SIGUSR1));

    /* Of a signal that the others block: it stays where it was sent to. */
    block(SIG_BLOCK, SIGUSR1);
    child = begin_child();
    if (child == 0) {
        CHECK(to_thread(self, self, SIGUSR1) == 0, "tgkill");
        _exit(0);
    }
    end_child(child);
    sleep_ms(10);
    CHECK(seen[0].count == 0, "it is blocked");
    block(SIG_UNBLOCK, SIGUSR1);
    one_came(0, self, child, SI_TKILL);

    spare_strangers();
    ends = 1;
    join(threads[0]);
    join(threads[1]);
    puts("done");
    return 0;
}
