/*
 * A table of calls that block, for programs that do something to a thread in such a call: how each is prepared, made
 * and let go on.
 */
#ifndef CALLS_THAT_BLOCK_H
#define CALLS_THAT_BLOCK_H

#include "queue_situations.h"

struct call {
    const char *name;
    void (*prepare)(void);
    /* Blocks until `unblock`; a descriptor or a process it gets is turned into 0 or a status. */
    long (*make)(void);
    void (*unblock)(void);
    /* Whether glibc makes it a cancellation point. */
    int cancellable;
    /* Whether it is several system calls, so that a signal's effect is not one call's. */
    int composed;
};

static long call_read(void) { return read(near, large, 8); }
static long call_read_all(void) { return read(near, large, LARGE); }
static long call_readv(void) { return readv(near, &(struct iovec){large, 8}, 1); }
static long call_write(void) { return write(near, large, 1); }
static long call_write_large(void) { return write(near, large, LARGE); }
static long call_recv(void) { return recv(near, large, 8, 0); }
static long call_recvmsg(void)
{
    return recvmsg(near, &(struct msghdr){.msg_iov = &(struct iovec){large, 8}, .msg_iovlen = 1}, 0);
}
static long call_recvmmsg(void)
{
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &(struct iovec){large, 8}, .msg_iovlen = 1}};
    return recvmmsg(near, &message, 1, 0, NULL);
}
static long call_send(void) { return send(near, large, 1, 0); }
static long call_sendmsg(void)
{
    return sendmsg(near, &(struct msghdr){.msg_iov = &(struct iovec){large, 1}, .msg_iovlen = 1}, 0);
}
static long call_accept(void)
{
    int accepted = accept(near, NULL, NULL);
    return accepted < 0 ? accepted : (close(accepted), 0);
}
static long call_connect(void) { return connect(near, (struct sockaddr *)&address, address_length); }
static long call_poll(void) { return poll(&(struct pollfd){near, POLLIN, 0}, 1, -1); }
static long call_ppoll(void) { return ppoll(&(struct pollfd){near, POLLIN, 0}, 1, NULL, NULL); }
static long call_select(void)
{
    fd_set reading;
    FD_ZERO(&reading);
    FD_SET(near, &reading);
    return select(near + 1, &reading, NULL, NULL, NULL);
}
static long call_epoll_wait(void) { return epoll_wait(extra, &(struct epoll_event){0}, 1, -1); }
static long call_splice(void) { return splice(near, NULL, extra, NULL, 8, 0); }
static long call_wait4(void)
{
    int status;
    pid_t ended = wait4(child, &status, 0, NULL);
    return ended < 0 ? ended : WEXITSTATUS(status);
}
static long call_waitid(void) { return waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT); }
static long call_flock(void) { return flock(near, LOCK_EX); }
static long call_record(void)
{
    struct flock lock = whole_file(F_WRLCK);
    return fcntl(near, F_SETLKW, &lock);
}
static long call_semop(void) { return semop(semaphores, &(struct sembuf){0, -1, 0}, 1); }
static long call_semtimedop(void)
{
    return semtimedop(semaphores, &(struct sembuf){0, -1, 0}, 1, &(struct timespec){600, 0});
}
static long call_msgrcv(void) { return msgrcv(queue, large, 8, 0, 0); }
static long call_msgsnd(void)
{
    return msgsnd(queue, &(struct { long type; char text[8]; }){1, "message"}, 8, 0);
}
static long call_mq_receive(void) { return mq_receive(near, large, 16, NULL); }
static long call_mq_send(void) { return mq_send(near, "message", 8, 0); }
static long call_nanosleep(void) { return nanosleep(&(struct timespec){600, 0}, NULL); }
static long call_open(void)
{
    int opened = open(fifo, O_RDONLY | O_CLOEXEC);
    return opened < 0 ? opened : (close(opened), 0);
}
static long call_sem_wait(void) { return sem_wait(&semaphore); }
static long call_pause(void) { return pause(); }
static long call_sigsuspend(void)
{
    sigset_t none;
    sigemptyset(&none);
    return sigsuspend(&none);
}
static long call_sigtimedwait(void)
{
    sigset_t never;
    sigemptyset(&never);
    sigaddset(&never, SIGRTMAX);
    return sigtimedwait(&never, NULL, &(struct timespec){600, 0});
}
static long call_system(void) { return system("read line <&9"); }
static long call_ring(void) { return syscall(SYS_io_uring_enter, extra, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0); }

/* Whether the kernel offers the call: io_uring is switched off on some machines. */
static int offered(const struct call *call)
{
    struct io_uring_params parameters = {0};
    int ring = call->make == call_ring ? (int)syscall(SYS_io_uring_setup, 1, &parameters) : 0;
    if (ring > 0)
        close(ring);
    return ring >= 0;
}

static const struct call calls[] = {
    {"read(pipe)", with_pipe_to_read, call_read, write_three, 1, 0},
    {"readv(pipe)", with_pipe_to_read, call_readv, write_three, 1, 0},
    {"read(socket)", with_sockets, call_read, write_three, 1, 0},
    {"read(eventfd)", with_eventfd, call_read, write_event, 1, 0},
    {"read(inotify)", with_inotify, call_read_all, change_mode, 1, 0},
    {"recv", with_sockets, call_recv, write_three, 1, 0},
    {"recv, SO_RCVTIMEO", with_receive_limit, call_recv, write_three, 1, 0},
    {"recvmsg", with_sockets, call_recvmsg, write_three, 1, 0},
    {"recvmmsg", with_sockets, call_recvmmsg, write_three, 1, 0},
    {"write(full pipe)", with_full_pipe, call_write, drain, 1, 0},
    {"write(pipe with room for some)", with_pipe_to_write, call_write_large, drain, 1, 0},
    {"send(full socket)", with_full_socket, call_send, drain, 1, 0},
    {"send, SO_SNDTIMEO", with_full_socket_and_limit, call_send, drain, 1, 0},
    {"sendmsg(full socket)", with_full_socket, call_sendmsg, drain, 1, 0},
    {"accept", with_listener, call_accept, connect_one, 1, 0},
    {"connect(full backlog)", with_full_listener, call_connect, accept_one, 1, 0},
    {"poll", with_pipe_to_read, call_poll, write_three, 1, 0},
    {"ppoll", with_pipe_to_read, call_ppoll, write_three, 1, 0},
    {"select", with_pipe_to_read, call_select, write_three, 1, 0},
    {"epoll_wait", with_epoll, call_epoll_wait, write_three, 1, 0},
    {"splice(pipe)", with_two_pipes, call_splice, write_three, 1, 0},
    {"wait4", with_child, call_wait4, write_three, 1, 0},
    {"waitid", with_child, call_waitid, write_three, 1, 0},
    {"flock", with_locked_file, call_flock, unlock_file, 0, 0},
    {"fcntl(F_SETLKW)", with_record_of_child, call_record, write_three, 1, 0},
    {"semop", with_semaphores, call_semop, raise_semaphore, 0, 0},
    {"semtimedop", with_semaphores, call_semtimedop, raise_semaphore, 0, 0},
    {"msgrcv", with_messages, call_msgrcv, send_message, 1, 0},
    {"msgsnd", with_full_messages, call_msgsnd, receive_message, 1, 0},
    {"mq_receive", with_posix_queue, call_mq_receive, send_posix, 1, 0},
    {"mq_send", with_full_posix_queue, call_mq_send, receive_posix, 1, 0},
    {"nanosleep", with_nothing, call_nanosleep, send_signal, 1, 0},
    {"open(FIFO)", with_fifo, call_open, open_fifo, 1, 0},
    {"sem_wait", with_semaphore, call_sem_wait, post, 1, 0},
    {"pause", with_nothing, call_pause, send_signal, 1, 0},
    {"sigsuspend", with_nothing, call_sigsuspend, send_signal, 1, 0},
    {"sigtimedwait", with_nothing, call_sigtimedwait, send_signal, 1, 0},
    {"io_uring_enter", with_ring, call_ring, write_three, 0, 0},
    {"system", with_pipe_for_shell, call_system, write_line, 1, 1},
};

#endif
