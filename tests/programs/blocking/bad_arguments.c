/*
 * System calls with bad arguments, made by a thread while another sleeps: each call that can block is made with good
 * arguments, with each of them replaced in turn by every value of its list, and with pairs of them replaced. Each
 * result is printed with a checksum of the memory that the call may have written to; none of the calls waits. With
 * the argument "blocking" the descriptors do block, and a timer's signal ends the calls that wait: the others must
 * find what is wrong beforehand.
 */
#include "bad_argument_values.h"
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

struct call {
    const char *name;
    long number;
    struct {
        const struct value *values;
        long good;
    } arguments[6];
};

static int semaphores, queue, blocking;
static long ring = -1;

static const struct call calls[] = {
    {"read", SYS_read, {{descriptors, PIPE_READ}, {buffers, BUFFER}, {lengths, 10}}},
    {"readv", SYS_readv, {{descriptors, STREAM}, {vectors, AT(good)}, {counts, 2}}},
    {"pread64", SYS_pread64, {{descriptors, REGULAR}, {buffers, BUFFER}, {lengths, 10}, {positions, 5}}},
    {"preadv", SYS_preadv, {{descriptors, REGULAR}, {vectors, AT(good)}, {counts, 2}, {positions, 5}}},
    {"preadv2", SYS_preadv2,
     {{descriptors, REGULAR}, {vectors, AT(good)}, {counts, 2}, {positions, 5}, {nothing_to_wait_for, 0}, {flags, 0}}},
    {"write", SYS_write, {{descriptors, PIPE_WRITE}, {buffers, BUFFER}, {lengths, 10}}},
    {"writev", SYS_writev, {{descriptors, STREAM}, {vectors, AT(good)}, {counts, 2}}},
    {"pwrite64", SYS_pwrite64, {{descriptors, REGULAR}, {buffers, BUFFER}, {lengths, 10}, {positions, 5}}},
    {"pwritev", SYS_pwritev, {{descriptors, REGULAR}, {vectors, AT(good)}, {counts, 2}, {positions, 5}}},
    {"pwritev2", SYS_pwritev2,
     {{descriptors, REGULAR}, {vectors, AT(good)}, {counts, 2}, {positions, 5}, {nothing_to_wait_for, 0}, {flags, 0}}},
    {"recvfrom", SYS_recvfrom,
     {{descriptors, STREAM}, {buffers, BUFFER}, {lengths, 10}, {message_flags, 0}, {addresses, 0},
      {length_pointers, AT(length)}}},
    {"recvfrom a datagram", SYS_recvfrom,
     {{descriptors, DATAGRAM}, {buffers, BUFFER}, {lengths, 10}, {message_flags, 0}, {addresses, AT(unknown)},
      {length_pointers, AT(length)}}},
    {"recvmsg", SYS_recvmsg, {{descriptors, STREAM}, {messages, AT(message)}, {message_flags, 0}}},
    {"recvmmsg", SYS_recvmmsg,
     {{descriptors, DATAGRAM}, {message_lists, AT(messages)}, {counts, 2}, {message_flags, 0}, {times, AT(zero)}}},
    {"sendto", SYS_sendto,
     {{descriptors, STREAM}, {buffers, BUFFER}, {lengths, 10}, {message_flags, 0}, {addresses, 0},
      {address_lengths, 0}}},
    {"sendto an address", SYS_sendto,
     {{descriptors, DATAGRAM}, {buffers, BUFFER}, {lengths, 10}, {message_flags, 0}, {addresses, AT(unknown)},
      {address_lengths, 8}}},
    {"sendmsg", SYS_sendmsg, {{descriptors, DATAGRAM}, {messages, AT(message)}, {message_flags, 0}}},
    {"sendmmsg", SYS_sendmmsg,
     {{descriptors, DATAGRAM}, {message_lists, AT(messages)}, {counts, 2}, {message_flags, 0}}},
    {"accept", SYS_accept, {{descriptors, LISTENER}, {addresses, AT(unknown)}, {length_pointers, AT(length)}}},
    {"accept4", SYS_accept4,
     {{descriptors, LISTENER}, {addresses, AT(unknown)}, {length_pointers, AT(length)}, {flags, 0}}},
    {"connect", SYS_connect, {{descriptors, UNCONNECTED}, {addresses, AT(unknown)}, {address_lengths, 8}}},
    {"poll", SYS_poll, {{pollfds, AT(ready)}, {counts, 2}, {milliseconds, 0}}},
    {"ppoll", SYS_ppoll, {{pollfds, AT(ready)}, {counts, 2}, {times, AT(zero)}, {masks, AT(signals)}, {mask_sizes, 8}}},
    {"select", SYS_select, {{highest, 1024}, {sets, AT(set)}, {sets, AT(set)}, {sets, 0}, {times_us, AT(zero_us)}}},
    {"pselect6", SYS_pselect6,
     {{highest, 1024}, {sets, AT(set)}, {sets, AT(set)}, {sets, 0}, {times, AT(zero)},
      {mask_arguments, AT(mask_argument)}}},
    {"epoll_wait", SYS_epoll_wait, {{descriptors, EVENTS}, {buffers, BUFFER}, {counts, 2}, {milliseconds, 0}}},
    {"epoll_pwait", SYS_epoll_pwait,
     {{descriptors, EVENTS}, {buffers, BUFFER}, {counts, 2}, {milliseconds, 0}, {masks, AT(signals)}, {mask_sizes, 8}}},
    {"epoll_pwait2", SYS_epoll_pwait2,
     {{descriptors, EVENTS}, {buffers, BUFFER}, {counts, 2}, {times, AT(zero)}, {masks, AT(signals)}, {mask_sizes, 8}}},
    {"epoll_ctl", SYS_epoll_ctl,
     {{descriptors, EVENTS}, {operations, EPOLL_CTL_ADD}, {descriptors, COUNTER}, {event_pointers, AT(event)}}},
    {"splice", SYS_splice,
     {{descriptors, PIPE_READ}, {offsets, 0}, {descriptors, STREAM}, {offsets, 0}, {lengths, 10}, {flags, 2}}},
    {"splice a file", SYS_splice,
     {{descriptors, REGULAR}, {offsets, AT(offset)}, {descriptors, PIPE_WRITE}, {offsets, 0}, {lengths, 10},
      {flags, 2}}},
    {"tee", SYS_tee, {{descriptors, PIPE_READ}, {descriptors, PIPE_WRITE}, {lengths, 10}, {flags, 2}}},
    {"vmsplice", SYS_vmsplice, {{descriptors, PIPE_WRITE}, {vectors, AT(good)}, {counts, 1}, {flags, 2}}},
    {"sendfile", SYS_sendfile, {{descriptors, STREAM}, {descriptors, REGULAR}, {offsets, AT(offset)}, {lengths, 10}}},
    {"copy_file_range", SYS_copy_file_range,
     {{descriptors, ONLY_READ}, {offsets, AT(offset)}, {descriptors, REGULAR}, {offsets, 0}, {lengths, 10},
      {flags, 0}}},
    {"wait4", SYS_wait4,
     {{process_ids, -1}, {wait_outputs, UNHASHED}, {wait_options, WNOHANG}, {wait_outputs, UNHASHED}}},
    {"waitid", SYS_waitid,
     {{id_types, P_ALL}, {process_ids, 0}, {wait_outputs, UNHASHED}, {wait_options, WNOHANG | WEXITED},
      {wait_outputs, 0}}},
    {"flock", SYS_flock, {{descriptors, REGULAR}, {lock_operations, LOCK_EX | LOCK_NB}}},
    {"fcntl", SYS_fcntl, {{descriptors, PIPE_READ}, {commands, F_GETFL}, {command_arguments, 0}}},
    {"fcntl of a lock", SYS_fcntl, {{descriptors, REGULAR}, {lock_commands, F_SETLKW}, {locks, AT(lock)}}},
    {"semop", SYS_semop, {{identifiers, -2}, {semaphore_operations, AT(take)}, {operation_counts, 1}}},
    {"semtimedop", SYS_semtimedop,
     {{identifiers, -2}, {semaphore_operations, AT(take)}, {operation_counts, 1}, {times, AT(zero)}}},
    {"msgsnd", SYS_msgsnd,
     {{identifiers, -3}, {typed_messages, AT(typed)}, {message_sizes, 8}, {queue_flags, IPC_NOWAIT}}},
    {"msgrcv", SYS_msgrcv,
     {{identifiers, -3}, {typed_messages, AT(untyped)}, {message_sizes, 8}, {positions, 0}, {queue_flags, IPC_NOWAIT}}},
    {"mq_timedsend", SYS_mq_timedsend,
     {{descriptors, QUEUE}, {buffers, BUFFER}, {lengths, 8}, {priorities, 0}, {times, AT(zero)}}},
    {"mq_timedreceive", SYS_mq_timedreceive,
     {{descriptors, QUEUE}, {buffers, BUFFER}, {lengths, 10}, {numbers, AT(number)}, {times, AT(zero)}}},
    {"open", SYS_open, {{paths, AT(path)}, {open_flags, 0}, {modes, 0}}},
    {"openat", SYS_openat, {{descriptors, DIRECTORY}, {paths, AT(missing)}, {open_flags, 0}, {modes, 0}}},
    {"close", SYS_close, {{new_descriptors, 700}}},
    {"dup2", SYS_dup2, {{descriptors, REGULAR}, {new_descriptors, 700}}},
    {"dup3", SYS_dup3, {{descriptors, REGULAR}, {new_descriptors, 700}, {flags, 0}}},
    {"close_range", SYS_close_range, {{range_ends, 700}, {range_ends, 800}, {range_flags, 0}}},
    {"pipe2", SYS_pipe2, {{buffers, BUFFER}, {flags, 0}}},
    {"socketpair", SYS_socketpair, {{families, AF_UNIX}, {types, SOCK_STREAM}, {families, 0}, {buffers, BUFFER}}},
    {"fsync", SYS_fsync, {{descriptors, REGULAR}}},
    {"fdatasync", SYS_fdatasync, {{descriptors, REGULAR}}},
    {"io_uring_enter", SYS_io_uring_enter,
     {{descriptors, -4}, {nothing_to_wait_for, 0}, {nothing_to_wait_for, 0}, {flags, 0}, {masks, 0}, {mask_sizes, 8}}},
    {"ioctl", SYS_ioctl, {{descriptors, PIPE_READ}, {requests, FIONBIO}, {numbers, AT(number)}}},
    {"setsockopt", SYS_setsockopt,
     {{descriptors, UNCONNECTED}, {levels, SOL_SOCKET}, {options, SO_RCVTIMEO}, {option_values, AT(zero_us)},
      {address_lengths, sizeof(struct timeval)}}},
};

static void place(int descriptor, int number)
{
    CHECK(descriptor >= 0 && dup2(descriptor, number) == number, "descriptor %d", number);
    close(descriptor);
}

static void place_pair(int sockets, int type, int first, int second)
{
    int ends[2];
    CHECK((sockets ? socketpair(AF_UNIX, type, 0, ends) : pipe(ends)) == 0, "pair");
    place(ends[0], first);
    place(ends[1], second);
}

/* Descriptors block or do not, whatever the last call did to them, and no lock is left to wait for. */
static void set_descriptors(int block)
{
    for (int n = EMPTY_PIPE; n <= QUEUE; n++)
        fcntl(n, F_SETFL, block ? fcntl(n, F_GETFL) & ~O_NONBLOCK : fcntl(n, F_GETFL) | O_NONBLOCK);
    for (int n = FIRST_OWN; n <= LAST_OWN; n++)
        flock(n, LOCK_UN);
    fcntl(REGULAR, F_SETLK, &(struct flock){.l_type = F_UNLCK});
    fcntl(REGULAR, F_OFD_SETLK, &(struct flock){.l_type = F_UNLCK});
}

/* A file of 5000 bytes without a name. */
static void place_file(int number, int flags)
{
    char name[] = "/tmp/bad_arguments.XXXXXX", text[5000], again[32];
    int file = mkstemp(name);
    memset(text, 'f', sizeof text);
    CHECK(file >= 0 && unlink(name) == 0 && write(file, text, sizeof text) == sizeof text, "%s", name);
    snprintf(again, sizeof again, "/proc/self/fd/%d", file);
    place(open(again, flags), number);
    close(file);
}

/* All objects anew, with something to read where there can be. */
static void make_objects(void)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    socklen_t length = sizeof any;
    static char block[PAGE];
    place_file(REGULAR, O_RDWR);
    place_file(ONLY_READ, O_RDONLY);
    place_file(ONLY_WRITE, O_WRONLY);
    place(open("/tmp", O_RDONLY | O_DIRECTORY), DIRECTORY);
    place(open("/tmp", O_PATH), PATH_ONLY);
    place_pair(0, 0, PIPE_READ, PIPE_WRITE);
    place_pair(0, 0, EMPTY_PIPE, OTHER_ENDS);
    place_pair(0, 0, OTHER_ENDS + 1, FULL_PIPE);
    place_pair(0, 0, OTHER_ENDS + 2, UNREAD_PIPE);
    close(OTHER_ENDS + 2);
    place_pair(1, SOCK_STREAM, STREAM, STREAM_PEER);
    place_pair(1, SOCK_DGRAM, DATAGRAM, DATAGRAM_PEER);
    place(socket(AF_UNIX, SOCK_STREAM, 0), LISTENER);
    CHECK(bind(LISTENER, (struct sockaddr *)&any, sizeof(sa_family_t)) == 0 && listen(LISTENER, 4) == 0, "listen");
    CHECK(getsockname(LISTENER, (struct sockaddr *)&any, &length) == 0, "getsockname");
    place(socket(AF_UNIX, SOCK_STREAM, 0), UNCONNECTED);
    for (int n = 0; n < 3; n++) {
        place(socket(AF_UNIX, SOCK_STREAM, 0), OTHER_ENDS + 3 + n);
        CHECK(connect(OTHER_ENDS + 3 + n, (struct sockaddr *)&any, length) == 0, "connect");
    }
    place(epoll_create1(0), EVENTS);
    place(eventfd(3, 0), COUNTER);
    char name[32];
    snprintf(name, sizeof name, "/bad-%d", getpid());
    struct mq_attr attributes = {.mq_maxmsg = 8, .mq_msgsize = 8};
    place(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes), QUEUE);
    CHECK(mq_unlink(name) == 0 && mq_send(QUEUE, "first", 6, 1) == 0 && mq_send(QUEUE, "second", 7, 1) == 0, "queue");
    set_descriptors(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 42};
    CHECK(epoll_ctl(EVENTS, EPOLL_CTL_ADD, PIPE_READ, &event) == 0, "epoll_ctl");
    while (write(FULL_PIPE, block, sizeof block) > 0) {
    }
    CHECK(write(PIPE_WRITE, block, 2000) == 2000 && write(STREAM_PEER, block, 2000) == 2000, "write");
    for (int n = 0; n < 8; n++)
        CHECK(write(DATAGRAM_PEER, "datagram", 8) == 8, "write");
    if (ring >= 0)
        close((int)ring);
    ring = syscall(SYS_io_uring_setup, 1, &(struct io_uring_params){0});
}

static void set_memory(void)
{
    memset(memory, 0, sizeof *memory);
    memset((void *)BUFFER, 0, PAGE);
    memory->negative = (struct timespec){-1, 0};
    memory->too_fine = (struct timespec){0, 1000000000};
    memory->negative_us = (struct timeval){-1, 0};
    memory->too_fine_us = (struct timeval){0, 1000000};
    struct iovec two[2] = {{(void *)BUFFER, 4}, {(void *)(BUFFER + 50), 6}};
    memcpy(memory->good, two, sizeof two);
    memcpy(memory->second_bad, (struct iovec[]){two[0], {(void *)UNMAPPED, 6}}, sizeof two);
    memcpy(memory->overflowing, (struct iovec[]){{(void *)BUFFER, LONG_MAX}, {(void *)BUFFER, LONG_MAX}}, sizeof two);
    struct msghdr message = {.msg_iov = (void *)AT(good), .msg_iovlen = 2};
    memory->message = memory->bad_iovec = memory->many_iovecs = memory->bad_name = message;
    memory->long_name = memory->bad_control = message;
    memory->bad_iovec.msg_iov = (void *)UNMAPPED;
    memory->many_iovecs.msg_iovlen = 1025;
    memory->bad_name.msg_name = (void *)UNMAPPED;
    memory->bad_name.msg_namelen = 20;
    memory->long_name.msg_name = (void *)AT(unknown);
    memory->long_name.msg_namelen = (socklen_t)-1;
    memory->bad_control.msg_control = (void *)UNMAPPED;
    memory->bad_control.msg_controllen = 20;
    memory->messages[0].msg_hdr = memory->messages[1].msg_hdr = memory->second_message_bad[0].msg_hdr = message;
    memory->second_message_bad[1].msg_hdr = memory->bad_iovec;
    memory->ready[0] = memory->closed[0] = (struct pollfd){PIPE_READ, POLLIN, 0};
    memory->ready[1] = (struct pollfd){STREAM, POLLIN | POLLOUT, 0};
    memory->closed[1] = (struct pollfd){CLOSED, POLLIN, 0};
    FD_SET(PIPE_READ, &memory->set);
    FD_SET(STREAM, &memory->set);
    FD_SET(CLOSED, &memory->high_set);
    memory->mask_argument.mask = memory->bad_size.mask = AT(signals);
    memory->bad_mask.mask = UNMAPPED;
    memory->mask_argument.size = memory->bad_mask.size = 8;
    memory->bad_size.size = 4;
    memory->event.events = EPOLLIN;
    memory->take = (struct sembuf){0, -1, IPC_NOWAIT};
    memory->far_semaphore = (struct sembuf){9, 1, IPC_NOWAIT};
    memory->much = (struct sembuf){0, 32767, IPC_NOWAIT};
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 5};
    memory->lock = memory->bad_type = memory->bad_whence = memory->negative_start = lock;
    memory->bad_type.l_type = 77;
    memory->bad_whence.l_whence = 9;
    memory->negative_start.l_start = -9;
    memory->typed.type = 1;
    memcpy(memory->typed.text, "message", 8);
    memory->unknown = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "\0grivet-none"};
    memory->relative = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "none"};
    memory->address = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "/none/of/this"};
    memory->negative_offset = -1;
    memory->large_offset = LONG_MAX;
    memory->number = 1;
    memory->negative_number = -1;
    memory->length = sizeof(struct sockaddr_un);
    memory->negative_length = -1;
    strcpy(memory->path, "/tmp");
    strcpy(memory->missing, "missing-file/x");
    memset(memory->long_path, 'x', sizeof memory->long_path - 1);
}

static uint32_t checksum(void)
{
    uint32_t hash = 2166136261;
    for (const unsigned char *byte = (void *)MEMORY; byte < (unsigned char *)UNMAPPED; byte++)
        hash = (hash ^ *byte) * 16777619;
    return hash;
}

/* Good values that are known only at run time are written as negative numbers in the table. */
static long good_value(const struct call *call, int argument)
{
    switch (call->arguments[argument].values == identifiers || call->number == SYS_io_uring_enter
                ? call->arguments[argument].good
                : 0) {
    case -2: return semaphores;
    case -3: return queue;
    case -4: return ring;
    default: return call->arguments[argument].good;
    }
}

/* Calls with the good arguments but for those in FIRST and SECOND, and prints what comes of it. */
static void make(const struct call *call, int first, const struct value *one, int second, const struct value *two)
{
    long arguments[6] = {0};
    for (int n = 0; n < 6 && call->arguments[n].values != NULL; n++)
        arguments[n] = good_value(call, n);
    if (one != NULL)
        arguments[first] = one->value;
    if (two != NULL)
        arguments[second] = two->value;
    /* The timer's signal may also come just when a call that does not wait begins, and end that: one that waits is
       interrupted each time. */
    uint32_t before;
    long result;
    int error, rounds = blocking ? 3 : 1;
    do {
        close_range(3, FIRST_OWN - 1, 0);
        close_range(700, ~0u, 0);
        set_memory();
        set_descriptors(blocking);
        before = checksum();
        result = syscall(call->number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
        error = errno;
    } while (result == -1 && error == EINTR && --rounds > 0);
    printf("%s", call->name);
    if (one != NULL)
        printf(", %d: %s", first + 1, one->label);
    if (two != NULL)
        printf(", %d: %s", second + 1, two->label);
    if (result == -1)
        printf(" = %s", strerrorname_np(error));
    else
        printf(" = %ld", result);
    memory->too_fine_us = (struct timeval){0, 1000000}; /* select writes the time left, which is never the same */
    uint32_t after = checksum();
    if (after != before)
        printf(", memory %08x", after);
    puts("");
    close_range(3, FIRST_OWN - 1, 0);
    close_range(700, ~0u, 0);
}

static void *makes_all(void *argument)
{
    for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
        const struct call *call = &calls[n];
        make_objects();
        make(call, 0, NULL, 0, NULL);
        for (int i = 0; i < 6 && call->arguments[i].values != NULL; i++) {
            const struct value *one = call->arguments[i].values;
            for (; one->label != NULL; one++)
                make(call, i, one, 0, NULL);
            make_objects();
            one = call->arguments[i].values;
            for (int j = i + 1; !blocking && j < 6 && call->arguments[j].values != NULL; j++)
                for (int a = 0; a < 3 && one[a].label != NULL; a++)
                    for (int b = 0; b < 3 && call->arguments[j].values[b].label != NULL; b++)
                        make(call, i, &one[a], j, &call->arguments[j].values[b]);
        }
    }
    return argument;
}

static void handle_nothing(int number)
{
    (void)number;
}

/* Makes the calls while a signal comes every few milliseconds. */
static void *makes_all_with_timer(void *argument)
{
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    ZERO(pthread_sigmask(SIG_UNBLOCK, &alarm, NULL));
    CHECK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 4000}, {0, 4000}}, NULL) == 0, "setitimer");
    makes_all(argument);
    CHECK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL) == 0, "setitimer");
    return argument;
}

static void *sleeps(void *argument)
{
    sleep_ms(600000);
    return argument;
}

int main(int count, char **arguments)
{
    static const int protection = PROT_READ | PROT_WRITE, how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    CHECK(mmap((void *)MEMORY, 2 * PAGE, protection, how, -1, 0) == (void *)MEMORY, "mmap");
    CHECK(mmap((void *)READ_ONLY, PAGE, PROT_READ, how, -1, 0) == (void *)READ_ONLY, "mmap");
    CHECK(mmap((void *)UNHASHED, PAGE, protection, how, -1, 0) == (void *)UNHASHED, "mmap");
    signal(SIGPIPE, SIG_IGN);
    /* select looks at no descriptor above the process's table: a large one from the start, so that its size is the
     * same. */
    CHECK(dup2(0, 1100) == 1100 && close(1100) == 0, "dup2");
    blocking = count > 1 && strcmp(arguments[1], "blocking") == 0;
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    ZERO(pthread_sigmask(SIG_BLOCK, &alarm, NULL));
    CHECK(sigaction(SIGALRM, &(struct sigaction){.sa_handler = handle_nothing}, NULL) == 0, "sigaction");
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    queue = msgget(IPC_PRIVATE, 0600);
    CHECK(semaphores >= 0 && queue >= 0, "semget");
    start(sleeps, NULL);
    join(start(blocking ? makes_all_with_timer : makes_all, NULL));
    semctl(semaphores, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, NULL);
    kill(child, SIGKILL);
    return 0;
}
