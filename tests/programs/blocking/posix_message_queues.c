/*
 * POSIX message queues: receivers wait for messages and get each once, the most urgent first; a sender waits while the
 * queue is full; waits end at their limit; a queue opened with O_NONBLOCK does not wait; poll knows queues.
 */
#include "../check.h"
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>

enum { THREADS = 10, LENGTH = 16, ROOM = 4 };
static mqd_t queue, nonblocking;
static sem_t begun;

/* Starts BODY in a thread that most probably waits when this returns. */
static pthread_t waiting(void *(*body)(void *), int argument)
{
    pthread_t thread = start(body, AS_POINTER(argument));
    sem_wait(&begun);
    sleep_ms(5);
    return thread;
}

static void send(int number, unsigned priority)
{
    char text[LENGTH];
    snprintf(text, sizeof text, "%d", number);
    CHECK(mq_send(queue, text, strlen(text) + 1, priority) == 0, "mq_send");
}

static int receive(void)
{
    char text[LENGTH];
    unsigned priority;
    ssize_t length = mq_receive(queue, text, sizeof text, &priority);
    CHECK(length > 0 && strlen(text) + 1 == (size_t)length, "mq_receive gave %zd", length);
    return atoi(text);
}

static void *receives(void *argument)
{
    (void)argument;
    sem_post(&begun);
    return AS_POINTER(receive());
}

static void *receives_in_time(void *argument)
{
    char text[LENGTH];
    struct timespec limit = deadline_in(CLOCK_REALTIME, 600 * SECOND);
    (void)argument;
    sem_post(&begun);
    CHECK(mq_timedreceive(queue, text, sizeof text, NULL, &limit) > 0, "mq_timedreceive");
    return AS_POINTER(atoi(text));
}

static void *sends(void *argument)
{
    sem_post(&begun);
    send(AS_INTEGER(argument), 0);
    return NULL;
}

static void *polls(void *argument)
{
    struct pollfd descriptor = {queue, (short)AS_INTEGER(argument), 0};
    sem_post(&begun);
    CHECK(poll(&descriptor, 1, -1) == 1, "poll");
    return AS_POINTER(descriptor.revents);
}

static void receivers(void)
{
    pthread_t threads[THREADS];
    int sum = 0;
    for (int n = 0; n < THREADS; n++)
        threads[n] = waiting(n % 2 ? receives : receives_in_time, 0);
    for (int n = 0; n < THREADS; n++)
        send(1 << n, 0);
    for (int n = 0; n < THREADS; n++)
        sum += AS_INTEGER(join(threads[n]));
    printf("received by %d threads: %#x\n", THREADS, sum);
    send(1, 1);
    send(2, 9);
    send(3, 5);
    send(4, 9);
    printf("by urgency: %d", receive());
    for (int n = 0; n < 3; n++)
        printf(" %d", receive());
    puts("");
}

static void senders(void)
{
    pthread_t threads[THREADS];
    int sum = 0;
    for (int n = 0; n < ROOM; n++)
        send(1, 0);
    for (int n = 0; n < THREADS; n++)
        threads[n] = waiting(sends, 10);
    for (int n = 0; n < ROOM + THREADS; n++)
        sum += receive();
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    printf("sent by %d threads: %d\n", THREADS, sum);
}

static void limits(void)
{
    char text[LENGTH + 1] = "";
    struct timespec soon = deadline_in(CLOCK_REALTIME, 10 * MILLISECOND), past = {1, 0}, invalid = {1, -1};
    FAILS(EAGAIN, mq_receive(nonblocking, text, sizeof text, NULL));
    FAILS(ETIMEDOUT, mq_timedreceive(queue, text, sizeof text, NULL, &soon));
    FAILS(ETIMEDOUT, mq_timedreceive(queue, text, sizeof text, NULL, &past));
    FAILS(EINVAL, mq_timedreceive(queue, text, sizeof text, NULL, &invalid));
    FAILS(EMSGSIZE, mq_receive(queue, text, LENGTH - 1, NULL));
    FAILS(EMSGSIZE, mq_send(queue, text, LENGTH + 1, 0));
    for (int n = 0; n < ROOM; n++)
        send(n, 0);
    soon = deadline_in(CLOCK_REALTIME, 10 * MILLISECOND);
    FAILS(EAGAIN, mq_send(nonblocking, text, 1, 0));
    FAILS(ETIMEDOUT, mq_timedsend(queue, text, 1, 0, &soon));
    FAILS(ETIMEDOUT, mq_timedsend(queue, text, 1, 0, &past));
    puts("limits kept");

    pthread_t writer = waiting(polls, POLLOUT);
    receive();
    printf("room: %d", AS_INTEGER(join(writer)) == POLLOUT);
    for (int n = 1; n < ROOM; n++)
        receive();
    pthread_t reader = waiting(polls, POLLIN);
    send(0, 0);
    printf(", message: %d\n", AS_INTEGER(join(reader)) == POLLIN);
}

int main(void)
{
    char name[32];
    struct mq_attr attributes = {.mq_maxmsg = ROOM, .mq_msgsize = LENGTH};
    sem_init(&begun, 0, 0);
    snprintf(name, sizeof name, "/queue-%d", getpid());
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    nonblocking = mq_open(name, O_RDWR | O_NONBLOCK);
    CHECK(queue != -1 && nonblocking != -1 && mq_unlink(name) == 0, "mq_open");
    receivers();
    senders();
    limits();
    return 0;
}
