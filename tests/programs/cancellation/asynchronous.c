/*
 * Asynchronous cancellation takes a thread wherever it is: computing, in calls that are no cancellation points and wait
 * (flock, semop, a mutex, a barrier), in those that are, and in between. Cleanup handlers run; what it waited for stays
 * for others; a thread that has it enabled with a request pending ends at once.
 */
#include "../check.h"
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/sem.h>
#include <sys/syscall.h>

static sem_t begun;
static int ends[2], file, other, semaphores, cleaned;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile long turns;
static int futex;

static void clean(void *argument)
{
    (void)argument;
    cleaned++;
}

static void computes(void)
{
    for (;;)
        turns++;
}
static void makes_short_calls(void)
{
    for (;;)
        syscall(SYS_getppid);
}
static void makes_answered_calls(void)
{
    for (;;)
        sched_yield();
}
static void writes_and_reads(void)
{
    char byte = 'x';
    for (;;)
        if (pread(file, &byte, 1, 0) > 1)
            turns++;
}
static void waits_for_file_lock(void) { flock(file, LOCK_EX); }
static void waits_for_record_lock(void)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(file, F_OFD_SETLKW, &whole);
}
static void waits_for_semop(void) { semop(semaphores, &(struct sembuf){0, -1, 0}, 1); }
static void waits_for_mutex(void) { pthread_mutex_lock(&lock); }
static void waits_for_futex(void) { syscall(SYS_futex, &futex, 0, 0, NULL, NULL, 0); }
static void reads(void)
{
    char byte;
    while (read(ends[0], &byte, 1) < 0) {
    }
}
static void sleeps(void) { sleep(60); }

static void *body(void *argument)
{
    int old;
    pthread_cleanup_push(clean, NULL);
    ZERO(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old));
    CHECK(old == PTHREAD_CANCEL_DEFERRED, "type %d", old);
    sem_post(&begun);
    ((void (*)(void))argument)();
    pthread_cleanup_pop(0);
    return NULL;
}

static void *enables_late(void *argument)
{
    int old;
    ZERO(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
    ZERO(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old));
    ZERO(pthread_cancel(pthread_self()));
    (*(int *)argument)++;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    (*(int *)argument)++;
    return NULL;
}

static const struct {
    const char *name;
    void (*run)(void);
} places[] = {
    {"computing", computes},
    {"making short calls", makes_short_calls},
    {"yielding", makes_answered_calls},
    {"reading a file", writes_and_reads},
    {"in flock", waits_for_file_lock},
    {"in F_OFD_SETLKW", waits_for_record_lock},
    {"in semop", waits_for_semop},
    {"at a mutex", waits_for_mutex},
    {"at a futex", waits_for_futex},
    {"in read", reads},
    {"asleep", sleeps},
};

int main(void)
{
    char name[] = "/tmp/asynchronous-XXXXXX";
    int steps = 0;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    sem_init(&begun, 0, 0);
    CHECK(pipe(ends) == 0, "pipe");
    file = mkstemp(name);
    other = open(name, O_RDWR);
    unlink(name);
    CHECK(flock(other, LOCK_EX) == 0 && fcntl(other, F_OFD_SETLK, &whole) == 0, "locks");
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    ZERO(pthread_mutex_lock(&lock));
    for (size_t n = 0; n < sizeof places / sizeof *places; n++) {
        for (int round = 0; round < 4; round++) {
            pthread_t thread = start(body, (void *)places[n].run);
            while (sem_wait(&begun) != 0) {
            }
            if (round > 0)
                usleep(4000 * round);
            ZERO(pthread_cancel(thread));
            CHECK(join(thread) == PTHREAD_CANCELED && cleaned == round + 1, "%s: %d cleaned up", places[n].name, cleaned);
        }
        cleaned = 0;
        printf("%s: cancelled four times\n", places[n].name);
    }
    /* Nobody has taken anything. */
    CHECK(flock(other, LOCK_UN) == 0 && flock(file, LOCK_EX | LOCK_NB) == 0, "the lock is taken");
    whole.l_type = F_UNLCK;
    CHECK(fcntl(other, F_OFD_SETLK, &whole) == 0, "unlock");
    whole.l_type = F_WRLCK;
    CHECK(fcntl(file, F_OFD_SETLK, &whole) == 0, "the record is locked");
    CHECK(semop(semaphores, &(struct sembuf){0, 1, 0}, 1) == 0, "semop");
    CHECK(semctl(semaphores, 0, GETVAL) == 1 && semctl(semaphores, 0, GETNCNT) == 0, "the semaphore has waiters");
    semctl(semaphores, 0, IPC_RMID);
    ZERO(pthread_mutex_unlock(&lock));
    ZERO(pthread_mutex_lock(&lock));
    puts("nothing is taken");
    pthread_t thread = start(enables_late, &steps);
    CHECK(join(thread) == PTHREAD_CANCELED && steps == 1, "%d steps", steps);
    puts("pending: at once when enabled");
    return 0;
}
