/*
 * pthread_kill runs the handler in the thread it names, on that thread's stack, whatever it is doing: asleep (EINTR),
 * waiting for a semaphore (EINTR), waiting for a mutex (goes on waiting), running. raise() hits the caller. Signal 0 checks.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>

static __thread volatile sig_atomic_t handled;
static __thread char *stack_place;
static sem_t never, ready;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static volatile int stop;

static void handler(int number)
{
    char here;
    int saved = errno;
    handled += number == SIGUSR1 ? 1 : 100;
    CHECK(labs(&here - stack_place) < 1 << 20, "the handler runs on another stack");
    errno = saved;
}

static void begin(void)
{
    stack_place = __builtin_frame_address(0);
    sem_post(&ready);
}

static void *sleeps(void *argument)
{
    (void)argument;
    struct timespec time = {600, 0}, left = {0, 0};
    begin();
    FAILS(EINTR, nanosleep(&time, &left));
    CHECK(left.tv_sec >= 500, "%ld s left", (long)left.tv_sec);
    return AS_POINTER(handled);
}

static void *waits_for_semaphore(void *argument)
{
    (void)argument;
    begin();
    FAILS(EINTR, sem_wait(&never));
    return AS_POINTER(handled);
}

static void *waits_for_mutex(void *argument)
{
    (void)argument;
    begin();
    ZERO(pthread_mutex_lock(&held));
    ZERO(pthread_mutex_unlock(&held));
    return AS_POINTER(handled);
}

static void *yields(void *argument)
{
    (void)argument;
    begin();
    while (!stop)
        sched_yield();
    return AS_POINTER(handled);
}

static void *raises(void *argument)
{
    (void)argument;
    begin();
    CHECK(raise(SIGUSR1) == 0 && handled == 1, "handled %d", handled);
    CHECK(raise(SIGUSR2) == 0 && handled == 101, "handled %d", handled);
    ZERO(pthread_kill(pthread_self(), SIGUSR1));
    CHECK(handled == 102, "handled %d", handled);
    return AS_POINTER(handled);
}

static void try(const char *name, void *(*body)(void *))
{
    stop = 0;
    ZERO(pthread_mutex_lock(&held));
    pthread_t thread = start(body, NULL);
    while (sem_wait(&ready) != 0) {
    }
    if (body != raises) {
        sleep_ms(20);
        ZERO(pthread_kill(thread, 0));
        ZERO(pthread_kill(thread, SIGUSR1));
        sleep_ms(20);
    }
    stop = 1;
    ZERO(pthread_mutex_unlock(&held));
    printf("%s: handled %d\n", name, AS_INTEGER(join(thread)));
    CHECK(handled == 0, "main handled %d", handled);
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sem_init(&never, 0, 0);
    sem_init(&ready, 0, 0);
    try("asleep", sleeps);
    try("at a semaphore", waits_for_semaphore);
    try("at a mutex", waits_for_mutex);
    try("yielding", yields);
    try("raising", raises);
    stack_place = __builtin_frame_address(0);
    raise(SIGUSR2);
    printf("main: handled %d\n", handled);
    return 0;
}
