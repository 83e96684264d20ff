/* Two threads hand the turn to each other through two POSIX semaphores.
 * Argument: rounds. Prints nanoseconds a round (a round is there and back: two hand-overs). */
#include "measure.h"
#include <pthread.h>
#include <semaphore.h>

static sem_t ping, pong;
static long rounds, warm_up;
static double figure;

static void *serve(void *unused)
{
    long long start = 0;
    for (long round = -warm_up; round < rounds; round++) {
        if (round == 0)
            start = now_ns();
        sem_post(&ping);
        sem_wait(&pong);
    }
    figure = (double)(now_ns() - start) / rounds;
    return unused;
}

static void *answer(void *unused)
{
    for (long round = -warm_up; round < rounds; round++) {
        sem_wait(&ping);
        sem_post(&pong);
    }
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t server, answerer;
    rounds = number_argument(argc, argv, 1, "rounds");
    warm_up = rounds / 10 + 1;
    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    check(pthread_create(&answerer, NULL, answer, NULL), "pthread_create", 0);
    check(pthread_create(&server, NULL, serve, NULL), "pthread_create", 1);
    pthread_join(server, NULL);
    pthread_join(answerer, NULL);
    printf("%.1f\n", figure);
    return 0;
}
