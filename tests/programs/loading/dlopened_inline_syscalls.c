/*
 * A library with `syscall` instructions of its own, loaded by dlopen (argument 1) after threads exist: its futex lock
 * and its sleeps let other threads run, its gettid agrees with libc's.
 */
#include "../check.h"
#include <dlfcn.h>
#include <sys/syscall.h>

enum { THREADS = 10, ROUNDS = 20 };
static void (*plugin_lock)(uint32_t *), (*plugin_unlock)(uint32_t *), (*plugin_sleep_us)(long);
static int (*plugin_thread_id)(void);
static uint32_t word;
static int inside;
static long count;

static void *nothing(void *argument)
{
    return argument;
}

static void *body(void *argument)
{
    for (int round = 0; round < ROUNDS; round++) {
        plugin_lock(&word);
        CHECK(inside++ == 0, "%d others inside", inside - 1);
        plugin_sleep_us(200);
        count++;
        inside--;
        plugin_unlock(&word);
    }
    CHECK(plugin_thread_id() == gettid(), "%d is not %d", plugin_thread_id(), gettid());
    return argument;
}

int main(int argument_count, char **arguments)
{
    CHECK(argument_count == 2, "usage: dlopened_inline_syscalls LIBRARY");
    join(start(nothing, NULL));
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL, "%s", dlerror());
    plugin_lock = (void (*)(uint32_t *))dlsym(library, "plugin_lock");
    plugin_unlock = (void (*)(uint32_t *))dlsym(library, "plugin_unlock");
    plugin_sleep_us = (void (*)(long))dlsym(library, "plugin_sleep_us");
    plugin_thread_id = (int (*)(void))dlsym(library, "plugin_thread_id");
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, NULL);
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    printf("%ld times, one at a time\n", count);
    return 0;
}
