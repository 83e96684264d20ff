/*
 * mq_notify asks to be told, once, of a message that finds nobody waiting for it. A thread in mq_receive is somebody,
 * whether it began to wait before or after that; so is one that waits in mq_send for room. Such waits end at their limit
 * and by signals as any other.
 */
#include "../check.h"
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

enum { LENGTH = 8, MOST = 3 };
static mqd_t queue;
static sem_t begun;
static volatile sig_atomic_t told, interruptions;

static void count_told(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    if (info->si_code == SI_MESGQ)
        told++;
}

static void count_interruption(int signal)
{
    (void)signal;
    interruptions++;
}

static void handle(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(signal, &action, NULL) == 0, "sigaction");
}

static mqd_t make_queue(int room)
{
    char name[32];
    struct mq_attr attributes = {.mq_maxmsg = room, .mq_msgsize = LENGTH};
    snprintf(name, sizeof name, "/grivet-test-%d", (int)getpid());
    mqd_t made = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    CHECK(made >= 0, "mq_open");
    mq_unlink(name);
    return made;
}

static void ask(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    CHECK(mq_notify(queue, &event) == 0, "mq_notify");
}

static void send(void)
{
    CHECK(mq_send(queue, "m", 1, 0) == 0, "mq_send");
}

static void *receives(void *argument)
{
    char text[LENGTH];
    sem_post(&begun);
    CHECK(mq_receive(queue, text, sizeof text, NULL) == 1, "mq_receive");
    return argument;
}

static void *sends(void *argument)
{
    sem_post(&begun);
    send();
    return argument;
}

static void *receives_until_limit(void *argument)
{
    char text[LENGTH];
    struct timespec limit = deadline_in(CLOCK_REALTIME, AS_INTEGER(argument) * MILLISECOND);
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    sem_post(&begun);
    FAILS(ETIMEDOUT, mq_timedreceive(queue, text, sizeof text, NULL, &limit));
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= (AS_INTEGER(argument) - 1) * MILLISECOND, "too early");
    return NULL;
}

static void *is_interrupted(void *argument)
{
    char text[LENGTH];
    sem_post(&begun);
    FAILS(EINTR, mq_receive(queue, text, sizeof text, NULL));
    return argument;
}

/* Starts BODY in a thread that most probably waits when this returns. */
static pthread_t waiting(void *(*body)(void *), int argument)
{
    pthread_t thread = start(body, AS_POINTER(argument));
    sem_wait(&begun);
    sleep_ms(30);
    return thread;
}

static void is_restarted_until_limit(void)
{
    pthread_t thread = waiting(receives_until_limit, 150);
    ZERO(pthread_kill(thread, SIGUSR2));
    join(thread);
}

static void told_so_far(int expected)
{
    sleep_ms(5);
    CHECK(told == expected, "told %d times, not %d", (int)told, expected);
}

static void empty_queue(void)
{
    receives(NULL);
    sem_wait(&begun);
}

int main(void)
{
    sem_init(&begun, 0, 0);
    struct sigaction action = {.sa_sigaction = count_told, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    queue = make_queue(4);
    join(start(sends, NULL));
    empty_queue();
    sem_wait(&begun);

    pthread_t other = start(receives_until_limit, AS_POINTER(1200));
    sem_wait(&begun);

    /* The other thread waits before anybody asks; then it has got the message, and nobody is told. */
    ask();
    join(other);
    told_so_far(0);
    pthread_t thread = waiting(receives, 0);
    send();
    join(thread);
    told_so_far(0);

    /* Nobody waits: told, once. */
    send();
    told_so_far(1);
    empty_queue();
    send();
    told_so_far(1);
    empty_queue();

    /* Asked for while several wait, and a message sent at once. */
    pthread_t several[MOST];
    for (int i = 0; i < MOST; i++)
        several[i] = waiting(receives, i);
    ask();
    for (int i = 0; i < MOST; i++)
        send();
    told_so_far(1);
    for (int i = 0; i < MOST; i++)
        join(several[i]);
    send();
    told_so_far(2);
    empty_queue();

    /* A child sends, and asks for itself in vain. */
    ask();
    thread = waiting(receives, 0);
    pid_t child = fork();
    if (child == 0) {
        struct sigevent event = {.sigev_notify = SIGEV_NONE};
        FAILS(EBUSY, mq_notify(queue, &event));
        send();
        _exit(0);
    }
    join(thread);
    int status;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    CHECK(status == 0, "child's status %d", status);
    told_so_far(2);

    /* Handlers interrupt the wait, and it goes on if they say so. */
    handle(SIGUSR2, count_interruption, 0);
    thread = waiting(is_interrupted, 0);
    ZERO(pthread_kill(thread, SIGUSR2));
    join(thread);
    handle(SIGUSR2, count_interruption, SA_RESTART);
    thread = waiting(receives, 0);
    ZERO(pthread_kill(thread, SIGUSR2));
    sleep_ms(20);
    send();
    join(thread);
    is_restarted_until_limit();
    CHECK(interruptions == 3, "%d interruptions", (int)interruptions);
    told_so_far(2);
    send();
    told_so_far(3);
    empty_queue();
    is_restarted_until_limit();
    CHECK(interruptions == 4, "%d interruptions", (int)interruptions);
    mq_close(queue);

    /* A sender waits for room: its message follows at once, and the queue was never empty. */
    queue = make_queue(1);
    send();
    thread = waiting(sends, 0);
    ask();
    empty_queue();
    join(thread);
    told_so_far(3);
    empty_queue();
    send();
    told_so_far(4);
    puts("done");
    return 0;
}
