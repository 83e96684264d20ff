/* What the ping-pongs through file descriptors share: two threads, each with an end to read one byte from and one to write it to. */
#ifndef BYTE_PING_PONG_H
#define BYTE_PING_PONG_H

#include "measure.h"
#include <pthread.h>
#include <unistd.h>

struct end {
    int from, to;
};

static struct end ping_pong_server, ping_pong_answerer;
static long ping_pong_rounds, ping_pong_warm_up;
static double ping_pong_figure;

static inline void receive_turn(struct end end)
{
    char byte;
    check(read(end.from, &byte, 1) == 1 ? 0 : errno ? errno : EPIPE, "read", 0);
}

static inline void hand_turn_over(struct end end)
{
    check(write(end.to, "", 1) == 1 ? 0 : errno, "write", 0);
}

static void *ping_pong_serve(void *unused)
{
    long long start = 0;
    for (long round = -ping_pong_warm_up; round < ping_pong_rounds; round++) {
        if (round == 0)
            start = now_ns();
        hand_turn_over(ping_pong_server);
        receive_turn(ping_pong_server);
    }
    ping_pong_figure = (double)(now_ns() - start) / ping_pong_rounds;
    return unused;
}

static void *ping_pong_answer(void *unused)
{
    for (long round = -ping_pong_warm_up; round < ping_pong_rounds; round++) {
        receive_turn(ping_pong_answerer);
        hand_turn_over(ping_pong_answerer);
    }
    return unused;
}

/* Plays `rounds` after a tenth of them to warm up. */
static inline double nanoseconds_a_round(long rounds, struct end server, struct end answerer)
{
    pthread_t serving, answering;
    ping_pong_server = server;
    ping_pong_answerer = answerer;
    ping_pong_rounds = rounds;
    ping_pong_warm_up = rounds / 10 + 1;
    check(pthread_create(&answering, NULL, ping_pong_answer, NULL), "pthread_create", 0);
    check(pthread_create(&serving, NULL, ping_pong_serve, NULL), "pthread_create", 1);
    pthread_join(serving, NULL);
    pthread_join(answering, NULL);
    return ping_pong_figure;
}

#endif
