/*
 * Locks on files: flock by threads on open files of their own, record locks against another process, and locks of
 * open files (F_OFD_SETLKW) between threads. A thread that waits stops nobody else, however many wait; a lock is
 * exclusive, is passed on when it is given up or its file closed, and a deadlock between processes is found.
 */
#include "../check.h"
#include <fcntl.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/wait.h>

enum { WAITERS = 40 };
static int file, other_file;
static sem_t begun, done;
static int inside, order;

static int temporary_file(void)
{
    char name[] = "/tmp/file_locks.XXXXXX";
    int descriptor = mkstemp(name);
    CHECK(descriptor >= 0 && unlink(name) == 0, "%s", name);
    return descriptor;
}

/* The file of DESCRIPTOR, opened once more. */
static int opened_again(int descriptor)
{
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    int again = open(name, O_RDWR | O_CLOEXEC);
    CHECK(again >= 0, "open");
    return again;
}

/* Starts BODY in a thread that most probably waits when this returns. */
static pthread_t waiting(void *(*body)(void *), int argument)
{
    pthread_t thread = start(body, AS_POINTER(argument));
    sem_wait(&begun);
    sleep_ms(2);
    return thread;
}

/* Takes the lock alone; half give it up by LOCK_UN, half by closing the file. */
static void *excludes(void *argument)
{
    int own = opened_again(file);
    sem_post(&begun);
    CHECK(flock(own, LOCK_EX) == 0, "flock");
    CHECK(inside++ == 0, "%d others have the lock", inside - 1);
    sleep_ms(1);
    inside--;
    if (AS_INTEGER(argument) % 2)
        CHECK(flock(own, LOCK_UN) == 0, "flock");
    close(own);
    return NULL;
}

static void *takes_other(void *argument)
{
    int own = opened_again(other_file);
    sem_post(&begun);
    CHECK(flock(own, LOCK_EX) == 0, "flock");
    sem_post(&done);
    close(own);
    return argument;
}

static void *shares(void *argument)
{
    int own = opened_again(file);
    sem_post(&begun);
    CHECK(flock(own, LOCK_SH) == 0, "flock");
    sem_post(&done);
    while (inside == 0)
        usleep(500);
    close(own);
    return argument;
}

static void whole_files(void)
{
    pthread_t threads[WAITERS];
    int own = opened_again(file), other = opened_again(other_file);
    CHECK(flock(own, LOCK_EX) == 0 && flock(other, LOCK_EX) == 0, "flock");
    FAILS(EWOULDBLOCK, flock(file, LOCK_EX | LOCK_NB));
    FAILS(EWOULDBLOCK, flock(file, LOCK_SH | LOCK_NB));
    for (int n = 0; n < WAITERS; n++)
        threads[n] = waiting(excludes, n);
    /* Many wait for the one lock; a waiter for the other must get it nevertheless. */
    pthread_t one = waiting(takes_other, 0);
    CHECK(flock(other, LOCK_UN) == 0, "flock");
    sem_wait(&done);
    join(one);
    puts("the other lock was passed on");
    CHECK(inside == 0, "%d got the lock that main has", inside);
    CHECK(flock(own, LOCK_UN) == 0, "flock");
    for (int n = 0; n < WAITERS; n++)
        join(threads[n]);
    puts("each of the waiters had the lock alone");

    CHECK(flock(own, LOCK_EX) == 0, "flock");
    for (int n = 0; n < 3; n++)
        threads[n] = waiting(shares, n);
    CHECK(sem_trywait(&done) != 0, "a lock shared with an exclusive one");
    CHECK(flock(own, LOCK_SH) == 0, "flock");
    for (int n = 0; n < 3; n++)
        sem_wait(&done);
    FAILS(EWOULDBLOCK, flock(own, LOCK_EX | LOCK_NB));
    inside = 1;
    for (int n = 0; n < 3; n++)
        join(threads[n]);
    puts("shared by four");
    close(own);
    close(other);
}

static struct flock record(int type, off_t position)
{
    return (struct flock){.l_type = (short)type, .l_whence = SEEK_SET, .l_start = position, .l_len = 1};
}

/* Waits for the record that the other process has, then for one that makes a deadlock. */
static void *takes_records(void *argument)
{
    struct flock first = record(F_WRLCK, 0), second = record(F_WRLCK, 1);
    sem_post(&begun);
    CHECK(fcntl(file, F_SETLKW, &first) == 0, "F_SETLKW");
    sem_post(&done);
    sem_wait(&begun);
    FAILS(EDEADLK, fcntl(file, F_SETLKW, &second));
    return argument;
}

/* Whether the kernel has PROCESS on its list of those that wait for a lock. */
static int waits_for_lock(pid_t process)
{
    char line[256], wanted[32];
    int found = 0;
    FILE *locks = fopen("/proc/locks", "re");
    CHECK(locks != NULL, "/proc/locks");
    snprintf(wanted, sizeof wanted, " %d ", process);
    while (fgets(line, sizeof line, locks) != NULL)
        found |= strstr(line, "->") != NULL && strstr(line, wanted) != NULL;
    fclose(locks);
    return found;
}

static void records(void)
{
    int go_on[2], told[2], status;
    char byte;
    CHECK(pipe(go_on) == 0 && pipe(told) == 0, "pipe");
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        struct flock both = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 2};
        struct flock first = record(F_UNLCK, 0), again = record(F_WRLCK, 0);
        CHECK(fcntl(file, F_SETLK, &both) == 0, "F_SETLK");
        CHECK(write(told[1], "x", 1) == 1 && read(go_on[0], &byte, 1) == 1, "pipe");
        CHECK(fcntl(file, F_SETLK, &first) == 0, "F_SETLK");
        CHECK(read(go_on[0], &byte, 1) == 1, "pipe");
        CHECK(fcntl(file, F_SETLKW, &again) == 0, "F_SETLKW");
        _exit(3);
    }
    struct flock first = record(F_WRLCK, 0);
    CHECK(read(told[0], &byte, 1) == 1, "pipe");
    FAILS(EAGAIN, fcntl(file, F_SETLK, &first));
    CHECK(fcntl(file, F_GETLK, &first) == 0 && first.l_pid == child && first.l_len == 2, "F_GETLK");
    pthread_t thread = waiting(takes_records, 0);
    CHECK(sem_trywait(&done) != 0, "a record of another process was locked");
    CHECK(write(go_on[1], "x", 1) == 1, "pipe");
    sem_wait(&done);
    puts("the record was passed on by the other process");
    CHECK(write(go_on[1], "x", 1) == 1, "pipe");
    while (!waits_for_lock(child))
        sleep_ms(1);
    sem_post(&begun);
    join(thread);
    puts("the deadlock was found");
    first = record(F_UNLCK, 0);
    CHECK(fcntl(file, F_SETLK, &first) == 0, "F_SETLK");
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3, "status %#x", status);
}

/* Takes the lock of an open file of its own, in the order in which the others give it up. */
static void *takes_turns(void *argument)
{
    int own = opened_again(file);
    struct flock lock = record(F_WRLCK, AS_INTEGER(argument));
    sem_post(&begun);
    CHECK(fcntl(own, F_OFD_SETLKW, &lock) == 0, "F_OFD_SETLKW");
    CHECK(order++ == AS_INTEGER(argument), "thread %d is number %d", AS_INTEGER(argument), order - 1);
    sem_post(&done);
    close(own);
    return NULL;
}

static void open_files(void)
{
    pthread_t threads[5];
    int own = opened_again(file);
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    CHECK(fcntl(own, F_OFD_SETLK, &all) == 0, "F_OFD_SETLK");
    for (int n = 0; n < 5; n++)
        threads[n] = waiting(takes_turns, n);
    for (int n = 0; n < 5; n++) {
        struct flock one = record(F_UNLCK, n);
        CHECK(fcntl(own, F_OFD_SETLK, &one) == 0, "F_OFD_SETLK");
        sem_wait(&done);
    }
    for (int n = 0; n < 5; n++)
        join(threads[n]);
    puts("locks of open files were passed on in order");
    close(own);
}

int main(void)
{
    sem_init(&begun, 0, 0);
    sem_init(&done, 0, 0);
    file = temporary_file();
    other_file = temporary_file();
    whole_files();
    records();
    open_files();
    return 0;
}
