/*
 * A library that arrives by dlopen (argument 1) after threads exist, from main and from a thread, works with them:
 * its locks, its threads, its thread-local words in threads old and new; it can be closed and opened again.
 */
#include "../check.h"
#include <dlfcn.h>
#include <semaphore.h>

static const char *path;
static sem_t opened, go_on;
static int (*run)(void);
static int (*word)(int);

static void *is_older_than_the_library(void *argument)
{
    sem_post(&opened);
    while (sem_wait(&go_on) != 0) {
    }
    CHECK(word(7) == 5, "thread-local word in an older thread");
    usleep(100);
    CHECK(word(8) == 7, "thread-local word in an older thread, later");
    return argument;
}

static void *opens(void *argument)
{
    void *library = dlopen(path, RTLD_NOW);
    CHECK(library != NULL, "%s", dlerror());
    run = (int (*)(void))dlsym(library, "plugin_run");
    word = (int (*)(int))dlsym(library, "plugin_word");
    CHECK(run && word, "%s", dlerror());
    printf("%d\n", run());
    (void)argument;
    return library;
}

int main(int count, char **arguments)
{
    CHECK(count == 2, "usage: dlopened_library LIBRARY");
    path = arguments[1];
    sem_init(&opened, 0, 0);
    sem_init(&go_on, 0, 0);
    pthread_t older = start(is_older_than_the_library, NULL);
    while (sem_wait(&opened) != 0) {
    }
    void *library = opens(NULL);
    CHECK(word(9) == 5, "main's word");
    sem_post(&go_on);
    join(older);
    CHECK(word(0) == 9, "main's word, later");
    dlclose(library);
    for (int round = 0; round < 5; round++)
        dlclose(join(start(opens, NULL)));
    return 0;
}
