/*
 * Two threads take two mutexes crosswise and wait for each other for ever; the main thread waits for its input to end.
 */
#include "waits.h"

static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static void *crosses(void *argument)
{
    int first = AS_INTEGER(argument);
    ZERO(pthread_setname_np(pthread_self(), first ? "right" : "left"));
    ZERO(pthread_mutex_lock(&locks[first]));
    sleep_ms(30);
    ZERO(pthread_mutex_lock(&locks[!first]));
    return NULL;
}

int main(void)
{
    start(crosses, AS_POINTER(0));
    start(crosses, AS_POINTER(1));
    sleep_ms(100);
    be_looked_at();
    puts("unharmed");
    return 0;
}
