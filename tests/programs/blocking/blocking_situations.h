/*
 * What calls that block are prepared with, what lets them go on, and whether a thread is blocked. One call is in hand
 * at a time, so what it uses is kept in variables here.
 */
#ifndef BLOCKING_SITUATIONS_H
#define BLOCKING_SITUATIONS_H

#include "../check.h"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { LARGE = 100000 };
static char large[LARGE];

/* What the call in hand uses: NEAR by the thread in the call, FAR by main. */
static int near = -1, far = -1, extra = -1, spare = -1, queue = -1, semaphores = -1;
static pid_t child, calling_thread;
static pthread_t calling;
static sem_t semaphore;
static char fifo[64];
static struct sockaddr_un address;
static socklen_t address_length;

/* Returns when the thread THREAD sleeps in the kernel. Where /proc does not show it, a little time has to do. */
static void wait_until_blocked(pid_t thread)
{
    char name[64], text[128] = "";
    snprintf(name, sizeof name, "/proc/self/task/%d/stat", thread);
    for (;;) {
        int file = open(name, O_RDONLY | O_CLOEXEC);
        if (file < 0) {
            sleep_ms(10);
            return;
        }
        ssize_t length = read(file, text, sizeof text - 1);
        close(file);
        char *state = length > 0 ? strrchr(text, ')') : NULL;
        if (state != NULL && state[2] == 'S')
            return;
        usleep(200);
    }
}

static void handle_nothing(int number)
{
    (void)number;
}

static void set(int level, int option, long seconds)
{
    struct timeval limit = {seconds, 0};
    CHECK(setsockopt(near, level, option, &limit, sizeof limit) == 0, "setsockopt");
}

static void with_pipe_to_read(void)
{
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    near = ends[0];
    far = ends[1];
}

static void with_pipe_to_write(void)
{
    with_pipe_to_read();
    int reading = near;
    near = far;
    far = reading;
    CHECK(fcntl(near, F_SETPIPE_SZ, 65536) == 65536, "F_SETPIPE_SZ");
}

/* A pipe to read from, and the ends of another, to be written to. */
static void with_two_pipes(void)
{
    with_pipe_to_read();
    int first = near, second = far;
    with_pipe_to_write();
    extra = near;
    spare = far;
    near = first;
    far = second;
}

static void fill(void)
{
    int flags = fcntl(near, F_GETFL);
    CHECK(fcntl(near, F_SETFL, flags | O_NONBLOCK) == 0, "F_SETFL");
    while (write(near, large, 4096) > 0 || write(near, large, 1) > 0) {
    }
    CHECK(errno == EAGAIN && fcntl(near, F_SETFL, flags) == 0, "filling");
}

static void with_full_pipe(void)
{
    with_pipe_to_write();
    fill();
}

static void with_sockets(void)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    near = ends[0];
    far = ends[1];
}

static void with_receive_limit(void)
{
    with_sockets();
    set(SOL_SOCKET, SO_RCVTIMEO, 600);
}

static void with_full_socket(void)
{
    with_sockets();
    fill();
}

static void with_full_socket_and_limit(void)
{
    with_full_socket();
    set(SOL_SOCKET, SO_SNDTIMEO, 600);
}

static void with_listener(void)
{
    near = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    address_length = sizeof address;
    CHECK(bind(near, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0 && listen(near, 0) == 0, "listen");
    CHECK(getsockname(near, (struct sockaddr *)&address, &address_length) == 0, "getsockname");
}

static void connect_one(void)
{
    far = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(far, (struct sockaddr *)&address, address_length) == 0, "connect");
}

static void with_full_listener(void)
{
    with_listener();
    connect_one();
    extra = near;
    near = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void accept_one(void)
{
    close(far);
    far = accept4(extra, NULL, NULL, SOCK_CLOEXEC);
    CHECK(far >= 0, "accept4");
}

static void with_epoll(void)
{
    with_pipe_to_read();
    struct epoll_event event = {.events = EPOLLIN};
    extra = epoll_create1(EPOLL_CLOEXEC);
    CHECK(extra >= 0 && epoll_ctl(extra, EPOLL_CTL_ADD, near, &event) == 0, "epoll");
}

static void write_three(void)
{
    CHECK(write(far, "abc", 3) == 3, "write");
}

/* Takes what is there, and what comes, until the writer has nothing left. */
static void drain(void)
{
    struct pollfd more = {far, POLLIN, 0};
    do
        CHECK(read(far, large, LARGE) > 0, "read");
    while (poll(&more, 1, 20) == 1);
}

static void with_eventfd(void)
{
    near = far = eventfd(0, EFD_CLOEXEC);
}

static void write_event(void)
{
    CHECK(eventfd_write(far, 5) == 0, "eventfd_write");
}

static void with_inotify(void)
{
    near = inotify_init1(IN_CLOEXEC);
    snprintf(fifo, sizeof fifo, "/tmp/calls-%d", getpid());
    CHECK(mkdir(fifo, 0700) == 0 && inotify_add_watch(near, fifo, IN_ATTRIB) >= 0, "inotify");
}

static void change_mode(void)
{
    CHECK(chmod(fifo, 0500) == 0, "chmod");
}

static void with_fifo(void)
{
    snprintf(fifo, sizeof fifo, "/tmp/calls-%d", getpid());
    CHECK(mkfifo(fifo, 0600) == 0, "mkfifo");
}

static void open_fifo(void)
{
    far = open(fifo, O_WRONLY | O_CLOEXEC);
    CHECK(far >= 0, "open");
}

static void with_file(void)
{
    char name[] = "/tmp/calls-XXXXXX", again[32];
    near = mkstemp(name);
    CHECK(near >= 0 && unlink(name) == 0, "%s", name);
    snprintf(again, sizeof again, "/proc/self/fd/%d", near);
    far = open(again, O_RDWR | O_CLOEXEC);
    CHECK(far >= 0, "open");
}

static void with_locked_file(void)
{
    with_file();
    CHECK(flock(far, LOCK_EX) == 0, "flock");
}

static void unlock_file(void)
{
    CHECK(flock(far, LOCK_UN) == 0, "flock");
}

static struct flock whole_file(int type)
{
    return (struct flock){.l_type = (short)type, .l_whence = SEEK_SET};
}

/* A child that ends with status 6 when main writes, having locked the file NEAR if there is one. */
static void with_child(void)
{
    int file = near, told[2];
    char byte;
    with_pipe_to_read();
    CHECK(pipe2(told, O_CLOEXEC) == 0, "pipe2");
    child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        struct flock lock = whole_file(F_WRLCK);
        CHECK(file < 0 || fcntl(file, F_SETLK, &lock) == 0, "F_SETLK");
        CHECK(write(told[1], "x", 1) == 1, "write");
        close(far);
        _exit(read(near, &byte, 1) == 1 ? 6 : 99);
    }
    CHECK(read(told[0], &byte, 1) == 1, "read");
    close(told[0]);
    close(told[1]);
    close(near);
    near = file;
}

static void with_record_of_child(void)
{
    with_file();
    close(far);
    with_child();
}

static void with_semaphore(void)
{
    sem_init(&semaphore, 0, 0);
}

static void post(void)
{
    sem_post(&semaphore);
}

/* For the shell, which names descriptors by one digit. */
static void with_pipe_for_shell(void)
{
    with_pipe_to_read();
    CHECK(dup2(near, 9) == 9, "dup2");
    close(near);
    near = 9;
}

static void write_line(void)
{
    CHECK(write(far, "\n", 1) == 1, "write");
}

static void with_nothing(void)
{
}

/* Ends calls that only a signal ends. */
static void send_signal(void)
{
    ZERO(pthread_kill(calling, SIGUSR2));
}

static void with_ring(void)
{
    struct io_uring_params parameters = {0};
    with_pipe_to_read();
    extra = (int)syscall(SYS_io_uring_setup, 1, &parameters);
    CHECK(extra >= 0, "io_uring_setup");
    char *rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, extra, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entry = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, extra, IORING_OFF_SQES);
    CHECK(rings != MAP_FAILED && entry != MAP_FAILED, "mmap");
    *entry = (struct io_uring_sqe){.opcode = IORING_OP_READ, .fd = near, .addr = (uintptr_t)large, .len = 8};
    *(unsigned *)(rings + parameters.sq_off.array) = 0;
    *(unsigned *)(rings + parameters.sq_off.tail) = 1;
    CHECK(syscall(SYS_io_uring_enter, extra, 1, 0, 0, NULL, 0) == 1, "io_uring_enter");
}

/* Sets up what lets calls go on that only a signal ends. */
static void prepare_calls(void)
{
    struct sigaction action = {.sa_handler = handle_nothing};
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
}

/* Takes away what the call in hand was prepared with. */
static void clean_up(void)
{
    int *descriptors[] = {&near, &far, &extra, &spare};
    for (size_t n = 0; n < sizeof descriptors / sizeof *descriptors; n++) {
        if (*descriptors[n] >= 0)
            close(*descriptors[n]);
        *descriptors[n] = -1;
    }
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        child = 0;
    }
    if (semaphores >= 0)
        semctl(semaphores, 0, IPC_RMID);
    if (queue >= 0)
        msgctl(queue, IPC_RMID, NULL);
    semaphores = queue = -1;
    if (*fifo != '\0')
        remove(fifo);
    *fifo = '\0';
}

#endif
