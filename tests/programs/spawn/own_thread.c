/*
 * Each call is a thread of its own: it sees fresh thread-local words, keeps its errno across waits, and has
 * its own pthread_self and thread id. Natively all calls share the caller's, so the program counts what it
 * saw.
 */
#include "../check.h"

enum { CALLS = 20 };
static __thread int word = 1234;
static pthread_t threads[CALLS];
static pid_t ids[CALLS];
static int fresh;
static int kept;

__attribute__((noinline, noclone)) static void task(int number)
{
    threads[number] = pthread_self();
    ids[number] = gettid();
    fresh += word == 1234;
    word = number;
    errno = number + 1;
    sleep_ms(5);
    kept += word == number && errno == number + 1;
}

__attribute__((noinline, noclone)) static void report(void)
{
    int same_threads = 0, same_ids = 0;
    for (int a = 0; a < CALLS; a++)
        for (int b = 0; b < a; b++) {
            same_threads += pthread_equal(threads[a], threads[b]) != 0;
            same_ids += ids[a] == ids[b];
        }
    printf("fresh %d, kept %d, pairs with the same thread %d, with the same id %d\n", fresh, kept, same_threads, same_ids);
}

int main(void)
{
    errno = 99;
    for (int number = 0; number < CALLS; number++)
        task(number);
    report();
    printf("caller's word %d, errno %d\n", word, errno);
    return 0;
}
