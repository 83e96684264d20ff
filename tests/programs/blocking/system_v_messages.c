/*
 * System V message queues: threads wait for messages of their own type, for the least type and for any but one; a
 * sender waits while the queue is full; a message that is too long is refused or cut; removing the queue ends all
 * waits.
 */
#include "../check.h"
#include <semaphore.h>
#include <sys/msg.h>

enum { RECEIVERS = 20, LENGTH = 100 };
static int queue;
static sem_t begun;

struct message {
    long type;
    char text[LENGTH];
};

static int send(long type, const char *text, int flags)
{
    struct message message = {.type = type};
    strcpy(message.text, text);
    return msgsnd(queue, &message, strlen(text) + 1, flags);
}

/* Receives into MESSAGE and returns the length. */
static ssize_t receive(struct message *message, long type, int flags)
{
    memset(message, 0, sizeof *message);
    return msgrcv(queue, message, LENGTH, type, flags);
}

/* Starts BODY in a thread that most probably waits when this returns. */
static pthread_t waiting(void *(*body)(void *), int argument)
{
    pthread_t thread = start(body, AS_POINTER(argument));
    sem_wait(&begun);
    sleep_ms(5);
    return thread;
}

static void *receives(void *argument)
{
    struct message message;
    sem_post(&begun);
    ssize_t length = receive(&message, AS_INTEGER(argument), 0);
    CHECK(length > 0, "msgrcv gave %zd", length);
    return AS_POINTER(message.type * 1000 + atoi(message.text));
}

static void *receives_another_type(void *argument)
{
    struct message message;
    sem_post(&begun);
    CHECK(receive(&message, AS_INTEGER(argument), MSG_EXCEPT) > 0, "msgrcv");
    return AS_POINTER(message.type);
}

static void types(void)
{
    pthread_t threads[RECEIVERS];
    for (int n = 0; n < RECEIVERS; n++)
        threads[n] = waiting(receives, n + 1);
    for (int n = RECEIVERS - 1; n >= 0; n--) {
        char text[8];
        snprintf(text, sizeof text, "%d", 100 + n);
        CHECK(send(n + 1, text, 0) == 0, "msgsnd");
        printf("%d received %d\n", n, AS_INTEGER(join(threads[n])));
    }

    pthread_t least = waiting(receives, -3);
    CHECK(send(5, "5", 0) == 0 && send(4, "4", 0) == 0 && send(3, "3", 0) == 0, "msgsnd");
    printf("the least received %d\n", AS_INTEGER(join(least)));
    printf("the first received %d\n", AS_INTEGER(join(waiting(receives, 0))));
    pthread_t another = waiting(receives_another_type, 4);
    CHECK(send(6, "6", 0) == 0, "msgsnd");
    printf("another than 4 received %d\n", AS_INTEGER(join(another)));
    printf("left was %d\n", AS_INTEGER(join(waiting(receives, 0))));
}

static void lengths(void)
{
    struct message message;
    struct msqid_ds state;
    FAILS(ENOMSG, receive(&message, 0, IPC_NOWAIT));
    CHECK(send(1, "twelve chars", 0) == 0, "msgsnd");
    FAILS(E2BIG, msgrcv(queue, &message, 4, 0, 0));
    CHECK(msgrcv(queue, &message, 6, 0, MSG_NOERROR) == 6 && memcmp(message.text, "twelve", 6) == 0, "MSG_NOERROR");
    FAILS(ENOMSG, receive(&message, 0, IPC_NOWAIT));
    FAILS(EINVAL, send(0, "no type", 0));
    CHECK(msgctl(queue, IPC_STAT, &state) == 0, "msgctl");
    state.msg_qbytes = 64;
    CHECK(msgctl(queue, IPC_SET, &state) == 0, "msgctl");
    FAILS(EAGAIN, (memset(&message, 1, sizeof message), msgsnd(queue, &message, LENGTH, IPC_NOWAIT)));
    puts("lengths kept");
}

static const char *const thirty_letters = "abcdefghijklmnopqrstuvwxyzabcd";

static void *sends(void *argument)
{
    sem_post(&begun);
    CHECK(send(AS_INTEGER(argument), thirty_letters, 0) == 0, "msgsnd");
    return argument;
}

/* The queue takes 64 bytes, which is two of these messages. */
static void full(void)
{
    struct message message;
    CHECK(send(1, thirty_letters, 0) == 0 && send(2, thirty_letters, 0) == 0, "msgsnd");
    FAILS(EAGAIN, send(3, thirty_letters, IPC_NOWAIT));
    pthread_t sender = waiting(sends, 3);
    for (int n = 1; n <= 3; n++) {
        CHECK(receive(&message, 0, 0) == 31 && message.type == n, "type %ld", message.type);
        if (n == 1)
            join(sender);
    }
    puts("the sender waited for room");
}

static void *receiver_finds_queue_removed(void *argument)
{
    struct message message;
    sem_post(&begun);
    FAILS(EIDRM, receive(&message, AS_INTEGER(argument), 0));
    return AS_POINTER(1);
}

static void *sender_finds_queue_removed(void *argument)
{
    sem_post(&begun);
    FAILS(EIDRM, send(AS_INTEGER(argument), thirty_letters, 0));
    return AS_POINTER(1);
}

int main(void)
{
    pthread_t threads[2 * RECEIVERS];
    int removed = 0;
    sem_init(&begun, 0, 0);
    queue = msgget(IPC_PRIVATE, 0600);
    CHECK(queue >= 0, "msgget");
    types();
    lengths();
    full();
    CHECK(send(1, thirty_letters, 0) == 0 && send(1, thirty_letters, 0) == 0, "msgsnd");
    for (int n = 0; n < 2 * RECEIVERS; n++)
        threads[n] = waiting(n % 2 ? receiver_finds_queue_removed : sender_finds_queue_removed, 100 + n);
    sleep_ms(100);
    CHECK(msgctl(queue, IPC_RMID, NULL) == 0, "IPC_RMID");
    for (int n = 0; n < 2 * RECEIVERS; n++)
        removed += AS_INTEGER(join(threads[n]));
    printf("%d threads found the queue removed\n", removed);
    FAILS(EINVAL, send(1, "gone", 0));
    return 0;
}
