/*
 * As many threads as the argument says, 5000 by default, wait in the same function on one condition variable.
 */
#include "waits.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int is_over, ended;

__attribute__((noinline)) static void waits_like_all_others(void)
{
    ZERO(pthread_mutex_lock(&mutex));
    while (!is_over)
        ZERO(pthread_cond_wait(&condition, &mutex));
    ended++;
    ZERO(pthread_mutex_unlock(&mutex));
}

static void *body(void *nothing)
{
    waits_like_all_others();
    return nothing;
}

int main(int count, char **arguments)
{
    int threads = count > 1 ? atoi(arguments[1]) : 5000;
    pthread_t *all = calloc(threads, sizeof *all);
    pthread_attr_t attributes;
    ZERO(pthread_attr_init(&attributes));
    ZERO(pthread_attr_setstacksize(&attributes, 1 << 16));
    for (int i = 0; i < threads; i++)
        ZERO(pthread_create(&all[i], &attributes, body, NULL));
    sleep_ms(50);
    be_looked_at();
    ZERO(pthread_mutex_lock(&mutex));
    is_over = 1;
    ZERO(pthread_cond_broadcast(&condition));
    ZERO(pthread_mutex_unlock(&mutex));
    for (int i = 0; i < threads; i++)
        join(all[i]);
    printf("%d ended\n", ended);
    free(all);
    return 0;
}
