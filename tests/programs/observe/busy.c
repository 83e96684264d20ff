/*
 * Never at rest until its input ends. The argument says how: `spin` computes in main; `malloc` allocates and frees without end in
 * two threads; `calls` makes system calls in two threads; `switches` passes a token between threads. A handler of signals
 * that stays where it is: `handler` waits in one. It counts what it did, so that a lost step shows.
 */
#include "waits.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>

static volatile int is_over;
static volatile unsigned long steps;
static sem_t turns[2], in_handler;

__attribute__((noinline)) static void spins_in_here(void)
{
    for (int i = 0; i < 1000; i++)
        steps++;
}

__attribute__((noinline)) static void allocates_in_here(void)
{
    void *blocks[100];
    for (int i = 0; i < 100; i++)
        CHECK((blocks[i] = malloc(16 + 997 * i)) != NULL, "malloc");
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
}

__attribute__((noinline)) static void calls_in_here(void)
{
    CHECK(getppid() > 0, "getppid");
    CHECK(lseek(0, 0, SEEK_CUR) == -1, "lseek of a pipe");
}

static void *allocates(void *nothing)
{
    while (!is_over)
        allocates_in_here();
    return nothing;
}

static void *calls(void *nothing)
{
    while (!is_over)
        calls_in_here();
    return nothing;
}

static void *takes_turns(void *argument)
{
    int own = AS_INTEGER(argument);
    while (!is_over) {
        sem_wait(&turns[own]);
        steps++;
        sem_post(&turns[!own]);
    }
    sem_post(&turns[!own]);
    return NULL;
}

static void handles(int number)
{
    (void)number;
    sem_wait(&in_handler);
}

__attribute__((noinline)) static void is_interrupted(void)
{
    raise(SIGUSR1);
    steps++;
}

static void *raises(void *nothing)
{
    is_interrupted();
    return nothing;
}

static void *sleeps(void *nothing)
{
    while (!is_over)
        sleep_ms(10);
    return nothing;
}

static int input_has_ended(void)
{
    struct pollfd input = {0, POLLIN, 0};
    return poll(&input, 1, 0) == 1;
}

int main(int count, char **arguments)
{
    const char *how = count > 1 ? arguments[1] : "spin";
    pthread_t threads[2];
    sem_init(&turns[0], 0, 1);
    sem_init(&turns[1], 0, 0);
    sem_init(&in_handler, 0, 0);
    signal(SIGUSR1, handles);
    void *(*body)(void *) = !strcmp(how, "malloc")     ? allocates
                            : !strcmp(how, "calls")    ? calls
                            : !strcmp(how, "switches") ? takes_turns
                            : !strcmp(how, "handler")  ? raises
                                                       : sleeps;
    for (int i = 0; i < 2; i++)
        threads[i] = start(body, AS_POINTER(i));
    puts("ready");
    fflush(stdout);
    if (!strcmp(how, "spin"))
        while (!input_has_ended())
            spins_in_here();
    else
        while (!input_has_ended())
            sleep_ms(5);
    is_over = 1;
    sem_post(&in_handler);
    sem_post(&in_handler);
    for (int i = 0; i < 2; i++)
        join(threads[i]);
    puts("unharmed");
    return 0;
}
