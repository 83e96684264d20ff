/*
 * Locks in memory shared by two processes, each with threads of its own: mutex, condition variable, semaphore,
 * barrier and reader-writer lock, all PTHREAD_PROCESS_SHARED, exclude, wake and meet across the processes; a
 * robust mutex tells of an owner whose process died.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { THREADS = 4, ROUNDS = 50 };

static struct {
    pthread_mutex_t lock, robust;
    pthread_cond_t condition;
    pthread_barrier_t barrier;
    pthread_rwlock_t readers_writer;
    sem_t semaphore, posted;
    int inside, turn;
    long count, written;
} *shared;

static void *body(void *argument)
{
    int side = AS_INTEGER(argument);
    for (int round = 0; round < ROUNDS; round++) {
        ZERO(pthread_mutex_lock(&shared->lock));
        CHECK(shared->inside++ == 0, "%d others inside", shared->inside - 1);
        if (round % 10 == 0)
            usleep(100);
        shared->count++;
        shared->inside--;
        ZERO(pthread_mutex_unlock(&shared->lock));
        while (sem_wait(&shared->semaphore) != 0) {
        }
        if (round % 10 == 1)
            usleep(100);
        sem_post(&shared->semaphore);
        ZERO(pthread_rwlock_wrlock(&shared->readers_writer));
        shared->written++;
        ZERO(pthread_rwlock_unlock(&shared->readers_writer));
    }
    int result = pthread_barrier_wait(&shared->barrier);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD, "barrier gave %d", result);
    CHECK(shared->count == 2 * THREADS * ROUNDS, "count %ld behind the barrier", shared->count);
    if (AS_INTEGER(argument) >= 10)
        return NULL;
    for (int round = 0; round < ROUNDS; round++) {
        ZERO(pthread_mutex_lock(&shared->lock));
        while (shared->turn != side)
            ZERO(pthread_cond_wait(&shared->condition, &shared->lock));
        shared->turn = !side;
        pthread_cond_broadcast(&shared->condition);
        ZERO(pthread_mutex_unlock(&shared->lock));
    }
    return NULL;
}

static void run_threads(int side)
{
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n == 0 ? side : 10));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
}

int main(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t mutex_attributes;
    pthread_condattr_t condition_attributes;
    pthread_barrierattr_t barrier_attributes;
    pthread_rwlockattr_t rwlock_attributes;
    pthread_mutexattr_init(&mutex_attributes);
    pthread_condattr_init(&condition_attributes);
    pthread_barrierattr_init(&barrier_attributes);
    pthread_rwlockattr_init(&rwlock_attributes);
    ZERO(pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_condattr_setpshared(&condition_attributes, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_barrierattr_setpshared(&barrier_attributes, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_rwlockattr_setpshared(&rwlock_attributes, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_mutex_init(&shared->lock, &mutex_attributes));
    ZERO(pthread_cond_init(&shared->condition, &condition_attributes));
    ZERO(pthread_barrier_init(&shared->barrier, &barrier_attributes, 2 * THREADS));
    ZERO(pthread_rwlock_init(&shared->readers_writer, &rwlock_attributes));
    ZERO(pthread_mutexattr_setrobust(&mutex_attributes, PTHREAD_MUTEX_ROBUST));
    ZERO(pthread_mutex_init(&shared->robust, &mutex_attributes));
    CHECK(sem_init(&shared->semaphore, 1, 2) == 0, "sem_init");
    CHECK(sem_init(&shared->posted, 1, 0) == 0, "sem_init");

    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    run_threads(child == 0);
    if (child == 0)
        _exit(0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "child's status %#x", status);
    printf("count %ld, written %ld\n", shared->count, shared->written);

    child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        ZERO(pthread_mutex_lock(&shared->robust));
        sem_post(&shared->posted);
        sleep_ms(50);
        kill(getpid(), SIGKILL);
    }
    while (sem_wait(&shared->posted) != 0) {
    }
    GIVES(EOWNERDEAD, pthread_mutex_lock(&shared->robust));
    ZERO(pthread_mutex_consistent(&shared->robust));
    ZERO(pthread_mutex_unlock(&shared->robust));
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "child's status %#x", status);
    puts("the dead process's mutex was passed on");
    return 0;
}
