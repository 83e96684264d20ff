/*
 * What calls on System V semaphores, System V messages and POSIX message queues are prepared with, and what lets them
 * go on.
 */
#ifndef QUEUE_SITUATIONS_H
#define QUEUE_SITUATIONS_H

#include "blocking_situations.h"
#include <mqueue.h>

static void with_semaphores(void)
{
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    CHECK(semaphores >= 0, "semget");
}

static void raise_semaphore(void)
{
    CHECK(semop(semaphores, &(struct sembuf){0, 1, 0}, 1) == 0, "semop");
}

static void with_messages(void)
{
    queue = msgget(IPC_PRIVATE, 0600);
    CHECK(queue >= 0, "msgget");
}

static void send_message(void)
{
    CHECK(msgsnd(queue, &(struct { long type; char text[8]; }){1, "message"}, 8, 0) == 0, "msgsnd");
}

static void with_full_messages(void)
{
    struct msqid_ds state;
    with_messages();
    CHECK(msgctl(queue, IPC_STAT, &state) == 0, "msgctl");
    state.msg_qbytes = 8;
    CHECK(msgctl(queue, IPC_SET, &state) == 0, "msgctl");
    send_message();
}

static void receive_message(void)
{
    CHECK(msgrcv(queue, large, 8, 0, 0) == 8, "msgrcv");
}

static void with_posix_queue(void)
{
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 16};
    char name[32];
    snprintf(name, sizeof name, "/calls-%d", getpid());
    near = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    CHECK(near >= 0 && mq_unlink(name) == 0, "mq_open");
}

static void send_posix(void)
{
    CHECK(mq_send(near, "message", 8, 0) == 0, "mq_send");
}

static void with_full_posix_queue(void)
{
    with_posix_queue();
    send_posix();
}

static void receive_posix(void)
{
    CHECK(mq_receive(near, large, 16, NULL) == 8, "mq_receive");
}

#endif
