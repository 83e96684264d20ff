/*
 * The cancellation points of POSIX that take further arguments or other ways than those of
 * blocking/cancel_blocking_calls.c: each is cancelled while it waits, if it can wait, and by a request that was made
 * before it; its cleanup handlers run in reverse order, then the destructors of thread-specific data. With
 * cancellation disabled a request changes nothing.
 */
#include "../check.h"
#include <aio.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>

static int reading, writing, pair[2], listener, file, locked, terminal, queue_in, queue_out;
static mqd_t posix_in, posix_out;
static pid_t child;
static char byte, fifo[64], *mapping;
static sem_t never;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_t endless;
static struct aiocb request;
static struct timespec late;

static sigset_t never_sent(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX);
    return set;
}

static void point_accept(void) { accept(listener, NULL, NULL); }
static void point_accept4(void) { accept4(listener, NULL, NULL, 0); }
static void point_aio_suspend(void)
{
    const struct aiocb *list[] = {&request};
    aio_suspend(list, 1, NULL);
}
static void point_clock_nanosleep(void) { clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &late, NULL); }
static void point_close(void) { close(dup(file)); }
static void point_cond_timedwait(void)
{
    pthread_mutex_lock(&lock);
    pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &lock);
    pthread_cond_timedwait(&condition, &lock, &late);
    pthread_cleanup_pop(1);
}
static void point_cond_clockwait(void)
{
    pthread_mutex_lock(&lock);
    pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &lock);
    pthread_cond_clockwait(&condition, &lock, CLOCK_REALTIME, &late);
    pthread_cleanup_pop(1);
}
static void point_creat(void) { creat(fifo, 0600); }
static void point_openat(void) { openat(AT_FDCWD, fifo, O_RDONLY); }
static void point_fdatasync(void) { fdatasync(file); }
static void point_lockf(void) { lockf(file, F_LOCK, 1); }
static void point_setlkw(void)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(file, F_SETLKW, &whole);
}
static void point_join(void) { pthread_join(endless, NULL); }
static void point_timedjoin(void) { pthread_timedjoin_np(endless, NULL, &late); }
static void point_mq_timedreceive(void)
{
    char message[16];
    mq_timedreceive(posix_in, message, sizeof message, NULL, &late);
}
static void point_mq_timedsend(void) { mq_timedsend(posix_out, "m", 1, 0, &late); }
static void point_msgrcv(void)
{
    struct { long type; char text[8]; } message;
    msgrcv(queue_in, &message, sizeof message.text, 0, 0);
}
static void point_msync(void) { msync(mapping, 4096, MS_SYNC); }
static void point_pread(void) { pread(file, &byte, 1, 0); }
static void point_preadv(void) { preadv(file, &(struct iovec){&byte, 1}, 1, 0); }
static void point_pwritev(void) { pwritev(file, &(struct iovec){&byte, 1}, 1, 0); }
static void point_pselect(void)
{
    sigset_t none;
    fd_set set;
    sigemptyset(&none);
    FD_ZERO(&set);
    FD_SET(reading, &set);
    pselect(reading + 1, &set, NULL, NULL, NULL, &none);
}
static void point_ppoll(void) { ppoll(&(struct pollfd){reading, POLLIN, 0}, 1, NULL, NULL); }
static void point_recvfrom(void) { recvfrom(pair[0], &byte, 1, 0, NULL, NULL); }
static void point_sendto(void) { sendto(pair[1], &byte, 1, 0, NULL, 0); }
static void point_writev(void) { writev(writing, &(struct iovec){&byte, 1}, 1); }
static void point_sem_timedwait(void) { sem_timedwait(&never, &late); }
static void point_sem_clockwait(void) { sem_clockwait(&never, CLOCK_REALTIME, &late); }
static void point_sigwait(void)
{
    sigset_t set = never_sent();
    int number;
    sigwait(&set, &number);
}
static void point_sigwaitinfo(void)
{
    sigset_t set = never_sent();
    sigwaitinfo(&set, NULL);
}
static void point_sleep(void) { sleep(60); }
static void point_usleep(void) { usleep(60000000); }
static void point_tcdrain(void) { tcdrain(terminal); }
static void point_testcancel(void) { pthread_testcancel(); }
static void point_wait(void) { wait(NULL); }
static void point_waitpid(void) { waitpid(child, NULL, 0); }

static const struct point {
    const char *name;
    void (*call)(void);
    int waits;
} points[] = {
    {"accept", point_accept, 1},
    {"accept4", point_accept4, 1},
    {"aio_suspend", point_aio_suspend, 1},
    {"clock_nanosleep to a time", point_clock_nanosleep, 1},
    {"close", point_close, 0},
    {"pthread_cond_timedwait", point_cond_timedwait, 1},
    {"pthread_cond_clockwait", point_cond_clockwait, 1},
    {"creat of a FIFO", point_creat, 1},
    {"openat of a FIFO", point_openat, 1},
    {"fdatasync", point_fdatasync, 0},
    {"lockf", point_lockf, 1},
    {"fcntl(F_SETLKW)", point_setlkw, 1},
    {"pthread_join", point_join, 1},
    {"pthread_timedjoin_np", point_timedjoin, 1},
    {"mq_timedreceive", point_mq_timedreceive, 1},
    {"mq_timedsend", point_mq_timedsend, 1},
    {"msgrcv", point_msgrcv, 1},
    {"msync", point_msync, 0},
    {"pread", point_pread, 0},
    {"preadv", point_preadv, 0},
    {"pwritev", point_pwritev, 0},
    {"pselect", point_pselect, 1},
    {"ppoll", point_ppoll, 1},
    {"recvfrom", point_recvfrom, 1},
    {"sendto", point_sendto, 1},
    {"writev", point_writev, 1},
    {"sem_timedwait", point_sem_timedwait, 1},
    {"sem_clockwait", point_sem_clockwait, 1},
    {"sigwait", point_sigwait, 1},
    {"sigwaitinfo", point_sigwaitinfo, 1},
    {"sleep", point_sleep, 1},
    {"usleep", point_usleep, 1},
    {"tcdrain", point_tcdrain, 0},
    {"pthread_testcancel", point_testcancel, 0},
    {"wait", point_wait, 1},
    {"waitpid", point_waitpid, 1},
};

enum when { WAITING, BEFORE };
static enum when when;
static sem_t begun;
static char order[32];
static pthread_key_t key;
static volatile int returned;

static void note(void *mark)
{
    strncat(order, mark, 1);
}

static void *body(void *argument)
{
    const struct point *point = argument;
    ZERO(pthread_setspecific(key, "k"));
    pthread_cleanup_push(note, "1");
    pthread_cleanup_push(note, "2");
    pthread_cleanup_push(note, "3");
    if (when == BEFORE)
        ZERO(pthread_cancel(pthread_self()));
    sem_post(&begun);
    point->call();
    returned = 1;
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

/* A request to a thread that has cancellation disabled waits until it has it enabled. */
static void *disabled(void *argument)
{
    int old;
    ZERO(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
    ZERO(pthread_cancel(pthread_self()));
    sem_post(&begun);
    pthread_testcancel();
    usleep(2000);
    CHECK(read(reading, &byte, 0) == 0, "read");
    (*(int *)argument)++;
    ZERO(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old));
    (*(int *)argument)++;
    pthread_testcancel();
    (*(int *)argument)++;
    return NULL;
}

static void *runs_for_ever(void *argument)
{
    for (;;)
        sleep(1000);
    return argument;
}

static void prepare(void)
{
    int ends[2];
    char name[64];
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 16};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    late = deadline_in(CLOCK_REALTIME, 60 * SECOND);
    CHECK(pipe(ends) == 0, "pipe");
    reading = ends[0];
    CHECK(pipe(ends) == 0 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0, "pipe");
    writing = ends[1];
    static char filling[4096];
    while (write(writing, filling, sizeof filling) > 0) {
    }
    CHECK(fcntl(writing, F_SETFL, 0) == 0, "fcntl");
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
    while (send(pair[1], filling, 100, MSG_DONTWAIT) > 0) {
    }
    /* What pair[0] has to read is elsewhere. */
    int other[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0, "socketpair");
    int full = pair[0];
    pair[0] = other[0];
    (void)full;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0, "listen");
    snprintf(name, sizeof name, "/tmp/points-%d", getpid());
    file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && ftruncate(file, 4096) == 0, "a file");
    mapping = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(pipe(ends) == 0, "pipe");
    child = fork();
    if (child == 0) {
        locked = open(name, O_RDWR);
        CHECK(lockf(locked, F_LOCK, 0) == 0 && write(ends[1], "x", 1) == 1, "lockf");
        for (;;)
            pause();
    }
    CHECK(read(ends[0], &byte, 1) == 1, "read");
    unlink(name);
    snprintf(fifo, sizeof fifo, "/tmp/points-fifo-%d", getpid());
    CHECK(mkfifo(fifo, 0600) == 0, "mkfifo");
    terminal = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(terminal >= 0, "posix_openpt");
    queue_in = msgget(IPC_PRIVATE, 0600);
    snprintf(name, sizeof name, "/points-%d", getpid());
    posix_in = mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
    mq_unlink(name);
    posix_out = mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
    mq_unlink(name);
    CHECK(posix_in >= 0 && posix_out >= 0 && mq_send(posix_out, "m", 1, 0) == 0, "mq_open");
    request = (struct aiocb){.aio_fildes = reading, .aio_buf = &byte, .aio_nbytes = 1};
    endless = start(runs_for_ever, NULL);
    CHECK(aio_read(&request) == 0, "aio_read");
}

int main(void)
{
    int steps = 0;
    sem_init(&begun, 0, 0);
    sem_init(&never, 0, 0);
    ZERO(pthread_key_create(&key, note));
    prepare();
    for (size_t n = 0; n < sizeof points / sizeof *points; n++) {
        printf("%s:", points[n].name);
        for (when = points[n].waits ? WAITING : BEFORE; when <= BEFORE; when++) {
            order[0] = returned = 0;
            pthread_t thread = start(body, (void *)&points[n]);
            while (sem_wait(&begun) != 0) {
            }
            if (when == WAITING) {
                sleep_ms(15);
                CHECK(!returned, "%s did not wait", points[n].name);
                ZERO(pthread_cancel(thread));
            }
            void *value = join(thread);
            printf(" %s %s", value == PTHREAD_CANCELED ? "cancelled" : "went on", order);
        }
        puts("");
    }
    ZERO(pthread_mutex_trylock(&lock));
    pthread_t thread = start(disabled, &steps);
    const char *end = join(thread) == PTHREAD_CANCELED ? "cancelled" : "went on";
    printf("disabled: %s after %d steps\n", end, steps);
    kill(child, SIGKILL);
    msgctl(queue_in, IPC_RMID, NULL);
    unlink(fifo);
    return 0;
}
