/*
 * For a debugger: four threads wait, each for something else and in functions of its own with variables to look at, while main
 * waits for a line on its standard input. Then all but the one that sleeps are let go, and what they return is added up.
 */
#include "../check.h"
#include <sys/prctl.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static int ends[2], is_told;
static __thread int of_thread;

__attribute__((noinline)) static int takes_lock(int wanted)
{
    int twice = wanted * 2;
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
    return twice + of_thread - wanted;
}

static void *locks(void *argument)
{
    int wanted = AS_INTEGER(argument);
    of_thread = wanted;
    return AS_POINTER(takes_lock(wanted));
}

__attribute__((noinline)) static int reads_pipe(int wanted)
{
    char byte = 0;
    int thrice = wanted * 3;
    CHECK(read(ends[0], &byte, 1) == 1, "pipe");
    return thrice + byte;
}

static void *reads(void *argument)
{
    int wanted = AS_INTEGER(argument);
    of_thread = wanted;
    return AS_POINTER(reads_pipe(wanted));
}

__attribute__((noinline)) static int awaits_word(int wanted)
{
    int fourfold = wanted * 4;
    pthread_mutex_lock(&guard);
    while (!is_told)
        pthread_cond_wait(&told, &guard);
    pthread_mutex_unlock(&guard);
    return fourfold;
}

static void *awaits(void *argument)
{
    int wanted = AS_INTEGER(argument);
    of_thread = wanted;
    return AS_POINTER(awaits_word(wanted));
}

static void *sleeps(void *argument)
{
    int nights = AS_INTEGER(argument);
    of_thread = nights;
    sleep(nights * 1000);
    return NULL;
}

static pthread_t named(void *(*body)(void *), int number, const char *name)
{
    pthread_t thread = start(body, AS_POINTER(number));
    ZERO(pthread_setname_np(thread, name));
    return thread;
}

__attribute__((noinline)) static int awaits_line(int number)
{
    char line[16];
    int rest = number + 1;
    CHECK(fgets(line, sizeof line, stdin) != NULL, "no line");
    return rest;
}

int main(void)
{
    int sum = 0;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    CHECK(pipe(ends) == 0, "pipe");
    pthread_mutex_lock(&held);
    pthread_t threads[] = { named(locks, 10, "locker"), named(reads, 20, "reader"), named(awaits, 30, "waiter") };
    named(sleeps, 40, "sleeper");
    puts("parked");
    fflush(stdout);
    sum += awaits_line(100);
    pthread_mutex_unlock(&held);
    CHECK(write(ends[1], "", 1) == 1, "pipe");
    pthread_mutex_lock(&guard);
    is_told = 1;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&guard);
    for (int n = 0; n < 3; n++)
        sum += AS_INTEGER(join(threads[n]));
    printf("sum %d\n", sum);
    return 0;
}
