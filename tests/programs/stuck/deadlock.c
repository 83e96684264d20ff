/*
 * A deadlock for ever: two threads take two mutexes crosswise, the main thread joins them. Natively it hangs in
 * silence; whoever runs it must kill it.
 */
#include "../check.h"

static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static void *crosses(void *argument)
{
    int first = AS_INTEGER(argument);
    pthread_setname_np(pthread_self(), first ? "right" : "left");
    ZERO(pthread_mutex_lock(&locks[first]));
    sleep_ms(50);
    ZERO(pthread_mutex_lock(&locks[!first]));
    return NULL;
}

int main(void)
{
    pthread_t left = start(crosses, AS_POINTER(0));
    pthread_t right = start(crosses, AS_POINTER(1));
    puts("about to deadlock");
    fflush(stdout);
    join(left);
    join(right);
    return 1;
}
