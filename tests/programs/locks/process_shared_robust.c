/*
 * Robust mutexes in memory shared by two processes: whoever waits in one, before and after, is told EOWNERDEAD when in
 * the other the owning thread ends, the process calls _exit or exit or returns from main while a thread of it owns the
 * mutex, or is killed while its first thread does. With and without priority inheritance, many locks at once, and
 * ENOTRECOVERABLE if nobody repairs.
 */
#include "asleep.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { MANY = 20 };
enum end { THREAD_ENDS, THREAD_EXITS, UNDER_EXIT, UNDER_QUICK_EXIT, UNDER_RETURN, EXECS, KILLED_MAIN_OWNS, ENDS };
static const char *const names[ENDS] = {"the thread ends",       "it calls pthread_exit", "another calls exit",
                                        "the thread itself _exit", "main returns",        "execve",
                                        "SIGKILL with main the owner"};
static struct {
    pthread_mutex_t lock, many[MANY];
    sem_t owned, end, over;
} *shared;

static void *own_and_end(void *argument)
{
    enum end end = AS_INTEGER(argument);
    ZERO(pthread_mutex_lock(&shared->lock));
    for (int n = 0; n < MANY; n++)
        ZERO(pthread_mutex_lock(&shared->many[n]));
    sem_post(&shared->owned);
    if (end == UNDER_QUICK_EXIT) {
        while (sem_wait(&shared->end) != 0) {
        }
        _exit(0);
    }
    if (end == THREAD_ENDS || end == THREAD_EXITS)
        while (sem_wait(&shared->end) != 0) {
        }
    else
        for (;;)
            sleep(1);
    if (end == THREAD_EXITS)
        pthread_exit(NULL);
    return NULL;
}

static void *idles(void *argument)
{
    for (;;)
        sleep(1);
    return argument;
}

static int child_main(enum end end)
{
    start(idles, NULL);
    if (end == KILLED_MAIN_OWNS) {
        ZERO(pthread_mutex_lock(&shared->lock));
        for (int n = 0; n < MANY; n++)
            ZERO(pthread_mutex_lock(&shared->many[n]));
        sem_post(&shared->owned);
        for (;;)
            sleep(1);
    }
    pthread_t owner = start(own_and_end, AS_POINTER(end));
    if (end == THREAD_ENDS || end == THREAD_EXITS) {
        join(owner);
        while (sem_wait(&shared->over) != 0) {
        }
        _exit(0);
    }
    if (end == UNDER_QUICK_EXIT)
        for (;;)
            sleep(1);
    while (sem_wait(&shared->end) != 0) {
    }
    if (end == UNDER_EXIT)
        exit(0);
    if (end == EXECS)
        execl("/bin/true", "true", NULL);
    return 0;
}

static void *waits(void *argument)
{
    will_sleep();
    int result = pthread_mutex_lock(&shared->lock);
    CHECK(result == EOWNERDEAD, "lock gave %d, %s", result, strerror(result));
    if (argument != NULL)
        ZERO(pthread_mutex_consistent(&shared->lock));
    ZERO(pthread_mutex_unlock(&shared->lock));
    return NULL;
}

static void *waits_second(void *argument)
{
    will_sleep();
    GIVES(argument != NULL ? 0 : ENOTRECOVERABLE, pthread_mutex_lock(&shared->lock));
    if (argument != NULL)
        ZERO(pthread_mutex_unlock(&shared->lock));
    return NULL;
}

static void prepare(int protocol)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    ZERO(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED));
    ZERO(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
    ZERO(pthread_mutexattr_setprotocol(&attributes, protocol));
    ZERO(pthread_mutex_init(&shared->lock, &attributes));
    for (int n = 0; n < MANY; n++)
        ZERO(pthread_mutex_init(&shared->many[n], &attributes));
    sem_init(&shared->owned, 1, 0);
    sem_init(&shared->end, 1, 0);
    sem_init(&shared->over, 1, 0);
}

int main(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
        for (enum end end = 0; end < ENDS; end++) {
            prepare(protocol);
            fflush(stdout);
            pid_t child = fork();
            CHECK(child >= 0, "fork");
            if (child == 0)
                return child_main(end);
            while (sem_wait(&shared->owned) != 0) {
            }
            void *repairs = AS_POINTER(end % 3 != 2);
            GIVES(EBUSY, pthread_mutex_trylock(&shared->lock));
            pthread_t first = start(waits, repairs);
            until_asleep();
            pthread_t second = start(waits_second, repairs);
            until_asleep();
            if (end == KILLED_MAIN_OWNS)
                kill(child, SIGKILL);
            else
                sem_post(&shared->end);
            join(first);
            join(second);
            if (end == THREAD_ENDS || end == THREAD_EXITS)
                sem_post(&shared->over);
            int status;
            CHECK(waitpid(child, &status, 0) == child, "waitpid");
            for (int n = 0; n < MANY; n++) {
                GIVES(EOWNERDEAD, pthread_mutex_lock(&shared->many[n]));
                ZERO(pthread_mutex_consistent(&shared->many[n]));
                ZERO(pthread_mutex_unlock(&shared->many[n]));
            }
            printf("%s%s: passed on\n", names[end], protocol == PTHREAD_PRIO_INHERIT ? ", PI" : "");
        }
    }
    return 0;
}
