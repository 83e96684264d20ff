/*
 * Threads that hand bytes to each other through pipes: two of them 10,000 times to and fro, then three tokens that
 * travel round a ring of fifty threads, of which main is one.
 */
#include "waiting.h"

enum { ROUNDS = 10000, RING = 50, TOKENS = 3, LAPS = 20 };
static int there[2], back[2], ring[RING][2];

static void *answers(void *argument)
{
    int value;
    for (int round = 0; round < ROUNDS; round++) {
        COUNT(sizeof value, read(there[0], &value, sizeof value));
        value = -value;
        COUNT(sizeof value, write(back[1], &value, sizeof value));
    }
    return argument;
}

struct token {
    int number, steps;
};

static void *passes_on(void *argument)
{
    int place = AS_INTEGER(argument), next = (place + 1) % RING;
    struct token token;
    for (int seen = 0; seen < TOKENS * LAPS; seen++) {
        COUNT(sizeof token, read(ring[place][0], &token, sizeof token));
        token.steps++;
        COUNT(sizeof token, write(ring[next][1], &token, sizeof token));
    }
    return NULL;
}

int main(void)
{
    start_ticker();
    make_pipe(there);
    make_pipe(back);
    pthread_t thread = start(answers, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        int value = round;
        COUNT(sizeof value, write(there[1], &value, sizeof value));
        COUNT(sizeof value, read(back[0], &value, sizeof value));
        CHECK(value == -round, "%d came back for %d", value, round);
    }
    join(thread);
    printf("%d rounds\n", ROUNDS);
    others_go_on();

    pthread_t threads[RING];
    for (int n = 0; n < RING; n++)
        make_pipe(ring[n]);
    for (int n = 1; n < RING; n++)
        threads[n] = start(passes_on, AS_POINTER(n));
    for (int n = 0; n < TOKENS; n++) {
        struct token token = {.number = n};
        COUNT(sizeof token, write(ring[n * RING / TOKENS][1], &token, sizeof token));
    }
    passes_on(AS_POINTER(0));
    for (int n = 1; n < RING; n++)
        join(threads[n]);
    int steps = 0;
    for (int n = 0; n < TOKENS; n++) {
        struct token token;
        COUNT(sizeof token, read(ring[n * RING / TOKENS][0], &token, sizeof token));
        steps += token.steps;
    }
    printf("%d tokens made %d steps\n", TOKENS, steps);
    return 0;
}
