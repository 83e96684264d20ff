/*
 * POSIX semaphores, unnamed and named: a count bounds how many are inside, every post lets one in, trywait is
 * EAGAIN, timedwait and clockwait time out on both clocks and never early, EOVERFLOW at SEM_VALUE_MAX.
 */
#include "../check.h"
#include <fcntl.h>
#include <limits.h>
#include <semaphore.h>

enum { THREADS = 30, ROOM = 4 };
static sem_t room, ping, pong;
static int inside, most;

static void *enters(void *argument)
{
    for (int round = 0; round < 10; round++) {
        while (sem_wait(&room) != 0) {
        }
        int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        CHECK(now <= ROOM, "%d inside", now);
        if (now > most)
            most = now;
        usleep(200);
        __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        sem_post(&room);
    }
    return argument;
}

static void *answers(void *argument)
{
    for (int round = 0; round < 20000; round++) {
        while (sem_wait(&ping) != 0) {
        }
        sem_post(&pong);
    }
    return argument;
}

static void *posts_named(void *argument)
{
    sem_t *named = sem_open(argument, 0);
    CHECK(named != SEM_FAILED, "sem_open of an existing one");
    sleep_ms(20);
    for (int n = 0; n < 5; n++)
        sem_post(named);
    sem_close(named);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    CHECK(sem_init(&room, 0, ROOM) == 0, "sem_init");
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(enters, NULL);
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    CHECK(most > 1, "never two inside");

    int value;
    sem_getvalue(&room, &value);
    CHECK(value == ROOM, "value %d", value);
    for (int n = 0; n < ROOM; n++)
        CHECK(sem_trywait(&room) == 0, "sem_trywait");
    FAILS(EAGAIN, sem_trywait(&room));
    struct timespec soon = deadline_in(CLOCK_REALTIME, 5 * MILLISECOND);
    FAILS(ETIMEDOUT, sem_timedwait(&room, &soon));
    CHECK(now_ns(CLOCK_REALTIME) >= soon.tv_sec * SECOND + soon.tv_nsec, "too early");
    soon = deadline_in(CLOCK_MONOTONIC, 5 * MILLISECOND);
    FAILS(ETIMEDOUT, sem_clockwait(&room, CLOCK_MONOTONIC, &soon));
    CHECK(now_ns(CLOCK_MONOTONIC) >= soon.tv_sec * SECOND + soon.tv_nsec, "too early");
    soon.tv_nsec = SECOND;
    FAILS(EINVAL, sem_timedwait(&room, &soon));
    sem_t full;
    sem_init(&full, 0, SEM_VALUE_MAX);
    FAILS(EOVERFLOW, sem_post(&full));

    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    pthread_t answerer = start(answers, NULL);
    for (int round = 0; round < 20000; round++) {
        sem_post(&ping);
        while (sem_wait(&pong) != 0) {
        }
    }
    join(answerer);
    puts("20000 rounds of ping-pong");

    char name[64];
    snprintf(name, sizeof name, "/grivet-test-%d", getpid());
    sem_t *named = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
    CHECK(named != SEM_FAILED, "sem_open");
    pthread_t poster = start(posts_named, name);
    for (int n = 0; n < 5; n++)
        while (sem_wait(named) != 0) {
        }
    join(poster);
    sem_close(named);
    sem_unlink(name);
    puts("named semaphore");
    return 0;
}
