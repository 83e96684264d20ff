/*
 * A shared library for dlopen: locks, condition variable, thread-local words and threads of its own, used by
 * loading/dlopened_library.c. Built with -shared.
 */
#include "../check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static __thread int word = 5;
static int turn;

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    CHECK(word == 5, "word %d", word);
    for (int round = 0; round < 20; round++) {
        pthread_mutex_lock(&lock);
        while (turn % 4 != me)
            pthread_cond_wait(&condition, &lock);
        turn++;
        word += me;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&lock);
        if (round % 5 == 0)
            usleep(100);
    }
    return AS_POINTER(word);
}

int plugin_run(void)
{
    pthread_t threads[4];
    int sum = 0;
    turn = 0;
    for (int n = 0; n < 4; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < 4; n++)
        sum += AS_INTEGER(join(threads[n]));
    return sum;
}

int plugin_word(int value)
{
    int old = word;
    word = value;
    return old;
}
