/*
 * System V semaphores: threads wait for a value and for zero, with and without a limit of time, for two semaphores at
 * once, and more of them than fit in any small pool; removing the set ends their waits. What SEM_UNDO has to undo
 * belongs to the process: it is undone when the process ends, not when the thread does.
 */
#include "../check.h"
#include <semaphore.h>
#include <sys/sem.h>
#include <sys/wait.h>

enum { WAITERS = 40 };
static int set;
static sem_t begun, done;

static int change(int semaphore, int by, int flags)
{
    struct sembuf operation = {(unsigned short)semaphore, (short)by, (short)flags};
    return semop(set, &operation, 1);
}

static int value(int semaphore)
{
    return semctl(set, semaphore, GETVAL);
}

/* Starts BODY in a thread that most probably waits when this returns. */
static pthread_t waiting(void *(*body)(void *), int argument)
{
    pthread_t thread = start(body, AS_POINTER(argument));
    sem_wait(&begun);
    sleep_ms(5);
    return thread;
}

static void *takes_one(void *argument)
{
    sem_post(&begun);
    CHECK(change(AS_INTEGER(argument), -1, 0) == 0, "semop");
    sem_post(&done);
    return NULL;
}

static void *waits_for_zero(void *argument)
{
    sem_post(&begun);
    CHECK(change(AS_INTEGER(argument), 0, 0) == 0, "semop");
    sem_post(&done);
    return NULL;
}

static void *takes_both(void *argument)
{
    struct sembuf both[] = {{0, -2, 0}, {1, -1, 0}};
    sem_post(&begun);
    CHECK(semop(set, both, 2) == 0, "semop");
    sem_post(&done);
    return argument;
}

static void *finds_set_removed(void *argument)
{
    struct sembuf operation = {2, -1, 0};
    struct timespec limit = {600, 0};
    sem_post(&begun);
    FAILS(EIDRM, semtimedop(set, &operation, 1, AS_INTEGER(argument) % 2 ? &limit : NULL));
    return AS_POINTER(1);
}

static void values(void)
{
    pthread_t thread = waiting(takes_one, 0);
    CHECK(sem_trywait(&done) != 0, "taken from nothing");
    CHECK(change(0, 1, 0) == 0, "semop");
    join(thread);
    sem_wait(&done);
    printf("one taken, %d left\n", value(0));

    CHECK(change(0, 2, 0) == 0, "semop");
    thread = waiting(waits_for_zero, 0);
    CHECK(change(0, -1, 0) == 0 && sem_trywait(&done) != 0, "zero at %d", value(0));
    CHECK(change(0, -1, 0) == 0, "semop");
    join(thread);
    sem_wait(&done);
    puts("zero was waited for");

    thread = waiting(takes_both, 0);
    CHECK(change(0, 2, 0) == 0, "semop");
    sleep_ms(5);
    CHECK(sem_trywait(&done) != 0 && value(0) == 2, "one of two was taken, %d left", value(0));
    CHECK(change(1, 1, 0) == 0, "semop");
    join(thread);
    sem_wait(&done);
    printf("both taken, %d and %d left\n", value(0), value(1));
}

static void limits(void)
{
    struct sembuf operation = {0, -1, 0};
    struct timespec soon = timespec_of(20 * MILLISECOND), none = {0, 0}, invalid = {0, -1};
    FAILS(EAGAIN, change(0, -1, IPC_NOWAIT));
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    FAILS(EAGAIN, semtimedop(set, &operation, 1, &soon));
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 20 * MILLISECOND, "too early");
    FAILS(EAGAIN, semtimedop(set, &operation, 1, &none));
    FAILS(EINVAL, semtimedop(set, &operation, 1, &invalid));
    FAILS(EFBIG, change(7, 1, 0));
    FAILS(ERANGE, change(0, 32767, 0) == 0 ? change(0, 1, 0) : 0);
    CHECK(semctl(set, 0, SETVAL, 0) == 0, "semctl");
    puts("limits kept");
}

static void many(void)
{
    pthread_t threads[WAITERS];
    for (int n = 0; n < WAITERS; n++)
        threads[n] = waiting(takes_one, 0);
    pthread_t one = waiting(takes_one, 1);
    CHECK(change(1, 1, 0) == 0, "semop");
    join(one);
    sem_wait(&done);
    puts("one went on while many waited");
    for (int n = 0; n < WAITERS; n++) {
        CHECK(change(0, 1, 0) == 0, "semop");
        sem_wait(&done);
    }
    for (int n = 0; n < WAITERS; n++)
        join(threads[n]);
    printf("many taken, %d left\n", value(0));
}

static void *takes_and_will_undo(void *argument)
{
    sem_post(&begun);
    CHECK(change(0, -1, SEM_UNDO) == 0, "semop");
    return argument;
}

static void undone(void)
{
    int go_on[2], told[2], status;
    char byte;
    CHECK(pipe(go_on) == 0 && pipe(told) == 0 && change(0, 3, 0) == 0, "pipe");
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        CHECK(change(0, -3, 0) == 0, "semop");
        pthread_t thread = waiting(takes_and_will_undo, 0);
        CHECK(change(0, 1, 0) == 0, "semop");
        join(thread);
        CHECK(change(0, 2, 0) == 0, "semop");
        CHECK(write(told[1], "x", 1) == 1 && read(go_on[0], &byte, 1) == 1, "pipe");
        _exit(0);
    }
    CHECK(read(told[0], &byte, 1) == 1, "pipe");
    int before = value(0);
    CHECK(write(go_on[1], "x", 1) == 1, "pipe");
    CHECK(waitpid(child, &status, 0) == child && status == 0, "status %#x", status);
    printf("value %d while the process lived, %d behind it\n", before, value(0));
}

int main(void)
{
    pthread_t threads[WAITERS];
    int removed = 0;
    sem_init(&begun, 0, 0);
    sem_init(&done, 0, 0);
    set = semget(IPC_PRIVATE, 3, 0600);
    CHECK(set >= 0, "semget");
    values();
    limits();
    many();
    undone();
    for (int n = 0; n < WAITERS; n++)
        threads[n] = waiting(finds_set_removed, n);
    sleep_ms(100);
    CHECK(semctl(set, 0, IPC_RMID) == 0, "IPC_RMID");
    for (int n = 0; n < WAITERS; n++)
        removed += AS_INTEGER(join(threads[n]));
    printf("%d threads found the set removed\n", removed);
    FAILS(EINVAL, change(0, 1, 0));
    return 0;
}
