/*
 * pthread_exit in main ends only the main thread: the others go on, may join it, and the process ends with
 * status 0, having run its atexit handlers, when the last of them does.
 */
#include "../check.h"

static pthread_t main_thread;
static pthread_key_t key;

static void says_key(void *value)
{
    printf("main's key destructor: %s\n", (char *)value);
}

static void says_goodbye(void)
{
    puts("atexit handler");
}

static void *joins_main(void *argument)
{
    (void)argument;
    void *value;
    ZERO(pthread_join(main_thread, &value));
    printf("main exited with %d\n", AS_INTEGER(value));
    sleep_ms(30);
    puts("the last thread ends");
    return NULL;
}

int main(void)
{
    main_thread = pthread_self();
    atexit(says_goodbye);
    ZERO(pthread_key_create(&key, says_key));
    ZERO(pthread_setspecific(key, "set"));
    pthread_detach(start(joins_main, NULL));
    sleep_ms(10);
    pthread_exit(AS_POINTER(42));
}
