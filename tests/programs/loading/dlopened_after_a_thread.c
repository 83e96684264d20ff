/* Makes a thread, then loads the library that it is given, and says whether that is to be had. The thread goes on afterwards. */
#include "../check.h"
#include <dlfcn.h>
#include <semaphore.h>

static sem_t go_on;

static void *waits(void *argument)
{
    while (sem_wait(&go_on) != 0) {
    }
    return argument;
}

int main(int count, char **arguments)
{
    CHECK(count == 2, "usage: dlopened_after_a_thread LIBRARY");
    sem_init(&go_on, 0, 0);
    pthread_t thread = start(waits, NULL);
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (library) {
        int (*answer)(void) = (int (*)(void))dlsym(library, "answer");
        printf("loaded: %d\n", answer());
    } else {
        puts(strstr(dlerror(), "failed to map segment") ? "not loaded" : "another error");
    }
    sem_post(&go_on);
    join(thread);
    return 0;
}
