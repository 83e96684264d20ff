/*
 * A timer's signal ends a read: main's, or, when main blocks the signal, that of the one thread that does not. Without
 * SA_RESTART the read returns EINTR; with it, it goes on and gets what the handler writes. Other threads that read are
 * not disturbed and get their bytes later.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/time.h>

enum { READERS = 5 };
static int ends[READERS + 2][2];
static int handler_writes;
static sem_t begun;

static void handler(int number)
{
    int saved = errno;
    (void)number;
    if (handler_writes)
        CHECK(write(ends[handler_writes][1], "h", 1) == 1, "write");
    errno = saved;
}

static void mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    ZERO(pthread_sigmask(how, &set, NULL));
}

static void *reads(void *argument)
{
    char byte;
    mask(SIG_BLOCK);
    sem_post(&begun);
    CHECK(read(ends[AS_INTEGER(argument)][0], &byte, 1) == 1, "read");
    return AS_POINTER(byte);
}

/* Reads from its pipe until the timer, which ticks again and again, has its effect. */
static void *reads_with_timer(void *argument)
{
    struct itimerval ticks = {{0, 20000}, {0, 20000}}, none = {0};
    char byte = '-';
    mask(SIG_UNBLOCK);
    setitimer(ITIMER_REAL, &ticks, NULL);
    ssize_t length = read(ends[AS_INTEGER(argument)][0], &byte, 1);
    int error = errno;
    setitimer(ITIMER_REAL, &none, NULL);
    mask(SIG_BLOCK);
    printf("%s, byte %c\n", length == 1 ? "read" : strerrorname_np(error), byte);
    return NULL;
}

static void try(int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    handler_writes = flags & SA_RESTART ? READERS : 0;
    printf("in main: ");
    reads_with_timer(AS_POINTER(READERS));
    handler_writes = flags & SA_RESTART ? READERS + 1 : 0;
    printf("in a thread: ");
    join(start(reads_with_timer, AS_POINTER(READERS + 1)));
}

int main(void)
{
    pthread_t threads[READERS];
    sem_init(&begun, 0, 0);
    for (int n = 0; n < READERS + 2; n++)
        CHECK(pipe(ends[n]) == 0, "pipe");
    mask(SIG_BLOCK);
    for (int n = 0; n < READERS; n++)
        threads[n] = start(reads, AS_POINTER(n));
    for (int n = 0; n < READERS; n++)
        sem_wait(&begun);
    try(0);
    try(SA_RESTART);
    for (int n = READERS - 1; n >= 0; n--) {
        CHECK(write(ends[n][1], (char[]){(char)('a' + n)}, 1) == 1, "write");
        printf("thread %d read %c\n", n, AS_INTEGER(join(threads[n])));
    }
    return 0;
}
