/* Two threads hand the turn to each other through one mutex and one condition variable each way.
 * Argument: rounds. Prints nanoseconds a round (a round is there and back: two hand-overs). */
#include "measure.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed[2] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER};
static int turn;
static long rounds, warm_up;
static double figure;

static void take_and_pass(int mine)
{
    pthread_mutex_lock(&lock);
    while (turn != mine)
        pthread_cond_wait(&changed[mine], &lock);
    turn = 1 - mine;
    pthread_cond_signal(&changed[1 - mine]);
    pthread_mutex_unlock(&lock);
}

static void *serve(void *unused)
{
    long long start = 0;
    for (long round = -warm_up; round < rounds; round++) {
        if (round == 0)
            start = now_ns();
        take_and_pass(0);
    }
    figure = (double)(now_ns() - start) / rounds;
    return unused;
}

static void *answer(void *unused)
{
    for (long round = -warm_up; round < rounds; round++)
        take_and_pass(1);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t server, answerer;
    rounds = number_argument(argc, argv, 1, "rounds");
    warm_up = rounds / 10 + 1;
    check(pthread_create(&answerer, NULL, answer, NULL), "pthread_create", 0);
    check(pthread_create(&server, NULL, serve, NULL), "pthread_create", 1);
    pthread_join(server, NULL);
    pthread_join(answerer, NULL);
    printf("%.1f\n", figure);
    return 0;
}
