/*
 * pthread_getattr_np tells the truth about a running thread: its stack's address and size (a local variable lies
 * within), guard size and detach state, for main and for threads; memory near the stack's low end can be used.
 */
#include "../check.h"
#include <sys/resource.h>

static void look(const char *who, size_t expected_size)
{
    pthread_attr_t attributes;
    void *low;
    size_t size, guard;
    int state;
    ZERO(pthread_getattr_np(pthread_self(), &attributes));
    ZERO(pthread_attr_getstack(&attributes, &low, &size));
    ZERO(pthread_attr_getguardsize(&attributes, &guard));
    ZERO(pthread_attr_getdetachstate(&attributes, &state));
    pthread_attr_destroy(&attributes);
    char *here = (char *)__builtin_frame_address(0);
    CHECK(here > (char *)low && here < (char *)low + size, "%s: %p is not in %p + %zu", who, (void *)here, low, size);
    if (expected_size)
        CHECK(size == expected_size, "%s: size %zu, expected %zu", who, size, expected_size);
    printf("%s: local variable within the stack, guard %zu, %s\n", who, guard,
           state == PTHREAD_CREATE_DETACHED ? "detached" : "joinable");
}

static void *body(void *argument)
{
    look("thread", (size_t)AS_INTEGER(argument));
    return NULL;
}

static void *touches_all(void *argument)
{
    (void)argument;
    pthread_attr_t attributes;
    void *low;
    size_t size;
    ZERO(pthread_getattr_np(pthread_self(), &attributes));
    ZERO(pthread_attr_getstack(&attributes, &low, &size));
    size_t guard;
    ZERO(pthread_attr_getguardsize(&attributes, &guard));
    pthread_attr_destroy(&attributes);
    for (char *place = (char *)low + guard; place < (char *)__builtin_frame_address(0) - 4096; place += 4096)
        *(volatile char *)place = 1;
    puts("thread: the stack can be used down to its guard");
    return NULL;
}

int main(void)
{
    pthread_attr_t attributes;
    size_t size;
    look("main", 0);
    pthread_attr_init(&attributes);
    pthread_attr_getstacksize(&attributes, &size);
    join(start(body, AS_POINTER(size)));
    pthread_t thread;
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    pthread_attr_setguardsize(&attributes, 3 * 4096);
    ZERO(pthread_create(&thread, &attributes, body, AS_POINTER(256 * 1024)));
    join(thread);
    ZERO(pthread_create(&thread, &attributes, touches_all, NULL));
    join(thread);
    look("main", 0);
    return 0;
}
