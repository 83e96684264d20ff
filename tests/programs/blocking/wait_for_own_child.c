/*
 * Twenty threads fork a child each and wait for it. A child ends when main writes to its pipe, and main does so in
 * reverse order, going on only when the thread concerned has its child's status: a waiting thread stops nobody else,
 * and each gets its own child. Half of the threads wait by waitpid, half by waitid.
 */
#include "../check.h"
#include <semaphore.h>
#include <sys/wait.h>

enum { THREADS = 20 };
static int pipes[THREADS][2];
static sem_t forked, waited;
static int last;

static void *body(void *argument)
{
    int me = AS_INTEGER(argument), status;
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        char word;
        _exit(read(pipes[me][0], &word, 1) == 1 ? word : 99);
    }
    sem_post(&forked);
    if (me % 2) {
        siginfo_t info = {0};
        CHECK(waitid(P_PID, (id_t)child, &info, WEXITED) == 0, "waitid");
        CHECK(info.si_pid == child && info.si_code == CLD_EXITED, "pid %d, code %d", info.si_pid, info.si_code);
        status = info.si_status;
    } else {
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "status %#x of child %d", status, me);
        status = WEXITSTATUS(status);
    }
    last = me;
    sem_post(&waited);
    return AS_POINTER(status);
}

int main(void)
{
    pthread_t threads[THREADS];
    sem_init(&forked, 0, 0);
    sem_init(&waited, 0, 0);
    for (int n = 0; n < THREADS; n++)
        CHECK(pipe(pipes[n]) == 0, "pipe");
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        sem_wait(&forked);
    sleep_ms(20);
    for (int n = THREADS - 1; n >= 0; n--) {
        char word = (char)(n + 3);
        CHECK(write(pipes[n][1], &word, 1) == 1, "write");
        sem_wait(&waited);
        CHECK(last == n, "the thread of child %d was served instead of %d", last, n);
        printf("child %d ended with %d\n", n, AS_INTEGER(join(threads[n])));
    }
    FAILS(ECHILD, waitpid(-1, NULL, 0));
    return 0;
}
