/*
 * Mutexes of every kind, condition variables, semaphores, barriers and rwlocks in memory shared by two processes with
 * several threads each: they exclude, wake and meet, and no thread is taken for one of the other process (which would
 * make an errorcheck mutex say EDEADLK, or a recursive one let two in). With the argument "beside", the second process
 * runs the program anew without LD_PRELOAD, over the same memory, and no priority-inheritance mutexes are used.
 */
#include "../check.h"
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { THREADS = 4, ROUNDS = 40, KINDS = 12, FILE_AT = 100 };
static const struct {
    const char *name;
    int type, robust, protocol;
} kinds[KINDS] = {
    {"normal", PTHREAD_MUTEX_NORMAL, 0, 0},
    {"recursive", PTHREAD_MUTEX_RECURSIVE, 0, 0},
    {"errorcheck", PTHREAD_MUTEX_ERRORCHECK, 0, 0},
    {"normal robust", PTHREAD_MUTEX_NORMAL, 1, 0},
    {"recursive robust", PTHREAD_MUTEX_RECURSIVE, 1, 0},
    {"errorcheck robust", PTHREAD_MUTEX_ERRORCHECK, 1, 0},
    {"normal PI", PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_INHERIT},
    {"recursive PI", PTHREAD_MUTEX_RECURSIVE, 0, PTHREAD_PRIO_INHERIT},
    {"errorcheck PI", PTHREAD_MUTEX_ERRORCHECK, 0, PTHREAD_PRIO_INHERIT},
    {"normal robust PI", PTHREAD_MUTEX_NORMAL, 1, PTHREAD_PRIO_INHERIT},
    {"recursive robust PI", PTHREAD_MUTEX_RECURSIVE, 1, PTHREAD_PRIO_INHERIT},
    {"errorcheck robust PI", PTHREAD_MUTEX_ERRORCHECK, 1, PTHREAD_PRIO_INHERIT},
};

static struct shared {
    pthread_mutex_t locks[KINDS];
    pthread_cond_t condition;
    pthread_barrier_t barrier;
    pthread_rwlock_t readers_writer;
    sem_t to_parent, to_child, held, checked;
    volatile int inside[KINDS], used, turn, writers, readers;
    volatile long counts[KINDS], written;
} *shared;

/* The first thread of each side holds a lock while that of the other side finds it held, by nobody it knows. */
static void is_held_elsewhere(int side, int kind)
{
    pthread_mutex_t *lock = &shared->locks[kind];
    if (side == 0) {
        ZERO(pthread_mutex_lock(lock));
        sem_post(&shared->held);
        while (sem_wait(&shared->checked) != 0) {
        }
        ZERO(pthread_mutex_unlock(lock));
        return;
    }
    while (sem_wait(&shared->held) != 0) {
    }
    GIVES(EBUSY, pthread_mutex_trylock(lock));
    if (kinds[kind].type != PTHREAD_MUTEX_NORMAL)
        GIVES(EPERM, pthread_mutex_unlock(lock));
    struct timespec soon = deadline_in(CLOCK_REALTIME, 5 * MILLISECOND);
    GIVES(ETIMEDOUT, pthread_mutex_timedlock(lock, &soon));
    sem_post(&shared->checked);
    ZERO(pthread_mutex_lock(lock));
    ZERO(pthread_mutex_unlock(lock));
}

static void meet(void)
{
    int result = pthread_barrier_wait(&shared->barrier);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD, "barrier gave %d", result);
}

static void *body(void *argument)
{
    int side = AS_INTEGER(argument) % 2, is_first = AS_INTEGER(argument) < 2;
    for (int kind = 0; kind < shared->used; kind++) {
        pthread_mutex_t *lock = &shared->locks[kind];
        int depth = kinds[kind].type == PTHREAD_MUTEX_RECURSIVE ? 2 : 1;
        if (is_first)
            is_held_elsewhere(side, kind);
        meet();
        for (int round = 0; round < ROUNDS; round++) {
            for (int n = 0; n < depth; n++)
                ZERO(pthread_mutex_lock(lock));
            if (kinds[kind].type == PTHREAD_MUTEX_ERRORCHECK)
                GIVES(EDEADLK, pthread_mutex_lock(lock));
            CHECK(shared->inside[kind]++ == 0, "%s: %d others inside", kinds[kind].name, shared->inside[kind] - 1);
            if (round % 8 == 0)
                usleep(50);
            shared->counts[kind]++;
            shared->inside[kind]--;
            for (int n = 0; n < depth; n++)
                ZERO(pthread_mutex_unlock(lock));
        }
        meet();
    }
    for (int round = 0; round < ROUNDS; round++) {
        ZERO(pthread_rwlock_wrlock(&shared->readers_writer));
        CHECK(shared->writers++ == 0 && shared->readers == 0, "writers %d", shared->writers);
        shared->written++;
        shared->writers--;
        ZERO(pthread_rwlock_unlock(&shared->readers_writer));
        ZERO(pthread_rwlock_rdlock(&shared->readers_writer));
        __atomic_add_fetch(&shared->readers, 1, __ATOMIC_SEQ_CST);
        CHECK(shared->writers == 0, "a writer beside a reader");
        if (round % 8 == 0)
            usleep(50);
        __atomic_sub_fetch(&shared->readers, 1, __ATOMIC_SEQ_CST);
        ZERO(pthread_rwlock_unlock(&shared->readers_writer));
    }
    meet();
    if (!is_first)
        return NULL;
    for (int round = 0; round < ROUNDS; round++) {
        ZERO(pthread_mutex_lock(&shared->locks[0]));
        while (shared->turn != side)
            ZERO(pthread_cond_wait(&shared->condition, &shared->locks[0]));
        shared->turn = !side;
        pthread_cond_signal(&shared->condition);
        ZERO(pthread_mutex_unlock(&shared->locks[0]));
        sem_post(side == 0 ? &shared->to_child : &shared->to_parent);
        while (sem_wait(side == 0 ? &shared->to_parent : &shared->to_child) != 0) {
        }
    }
    return NULL;
}

static void run(int side)
{
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(2 * n + side));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
}

static void prepare(int is_beside)
{
    shared->used = is_beside ? 6 : KINDS;
    for (int kind = 0; kind < KINDS; kind++) {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        ZERO(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED));
        ZERO(pthread_mutexattr_settype(&attributes, kinds[kind].type));
        ZERO(pthread_mutexattr_setrobust(&attributes, kinds[kind].robust));
        ZERO(pthread_mutexattr_setprotocol(&attributes, kinds[kind].protocol));
        ZERO(pthread_mutex_init(&shared->locks[kind], &attributes));
    }
    pthread_condattr_t condition;
    pthread_barrierattr_t barrier;
    pthread_rwlockattr_t rwlock;
    pthread_condattr_init(&condition);
    pthread_barrierattr_init(&barrier);
    pthread_rwlockattr_init(&rwlock);
    ZERO(pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_cond_init(&shared->condition, &condition));
    ZERO(pthread_barrier_init(&shared->barrier, &barrier, 2 * THREADS));
    ZERO(pthread_rwlock_init(&shared->readers_writer, &rwlock));
    for (sem_t *semaphore = &shared->to_parent; semaphore <= &shared->checked; semaphore++)
        CHECK(sem_init(semaphore, 1, 0) == 0, "sem_init");
}

int main(int count, char **arguments)
{
    int is_second = count > 1 && strcmp(arguments[1], "second") == 0, is_beside = count > 1 && !is_second;
    int file = is_second ? FILE_AT : memfd_create("shared", 0);
    CHECK(file >= 0 && (is_second || ftruncate(file, sizeof *shared) == 0), "memory");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(shared != MAP_FAILED, "mmap");
    if (is_second) {
        run(1);
        return 0;
    }
    prepare(is_beside);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0 && is_beside) {
        unsetenv("LD_PRELOAD");
        CHECK(dup2(file, FILE_AT) == FILE_AT, "dup2");
        execl("/proc/self/exe", arguments[0], "second", NULL);
    }
    run(child == 0);
    if (child == 0)
        _exit(0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "child's status %#x", status);
    for (int kind = 0; kind < shared->used; kind++)
        printf("%s: %ld\n", kinds[kind].name, shared->counts[kind]);
    printf("written %ld\n", shared->written);
    return 0;
}
