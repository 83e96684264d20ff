/*
 * Makes as many threads as argument 1 says, with stacks of as many bytes as argument 2 says (the default size if
 * missing). All are alive at once and asleep on a semaphore, then on a timer (argument 3, in milliseconds), then
 * joined; each returns its number. Prints how many there were and the sum, and to stderr the time each part took.
 */
#include "../check.h"
#include <semaphore.h>

static sem_t release;
static long alive, most, sleep_milliseconds;

static void *body(void *argument)
{
    long now = __atomic_add_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    if (now > most)
        most = now;
    while (sem_wait(&release) != 0) {
    }
    sleep_ms(sleep_milliseconds);
    __atomic_sub_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    return argument;
}

int main(int argument_count, char **arguments)
{
    CHECK(argument_count >= 2, "usage: many_threads COUNT [STACK-BYTES [SLEEP-MILLISECONDS]]");
    long count = atol(arguments[1]);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (argument_count > 2 && atol(arguments[2]) > 0)
        ZERO(pthread_attr_setstacksize(&attributes, (size_t)atol(arguments[2])));
    sleep_milliseconds = argument_count > 3 ? atol(arguments[3]) : 100;
    sem_init(&release, 0, 0);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    int64_t begun = now_ns(CLOCK_MONOTONIC);
    for (long n = 0; n < count; n++) {
        int result = pthread_create(&threads[n], &attributes, body, (void *)n);
        CHECK(result == 0, "thread %ld of %ld: %s", n + 1, count, strerror(result));
    }
    int64_t made = now_ns(CLOCK_MONOTONIC);
    while (__atomic_load_n(&alive, __ATOMIC_SEQ_CST) < count)
        sched_yield();
    for (long n = 0; n < count; n++)
        sem_post(&release);
    long sum = 0;
    for (long n = 0; n < count; n++) {
        void *value;
        ZERO(pthread_join(threads[n], &value));
        sum += (long)value;
    }
    int64_t joined = now_ns(CLOCK_MONOTONIC);
    CHECK(most == count, "%ld alive at once", most);
    CHECK(sum == count * (count - 1) / 2, "sum %ld", sum);
    fprintf(stderr, "made in %ld ms; begun, slept and joined in %ld ms\n", (long)((made - begun) / MILLISECOND),
            (long)((joined - made) / MILLISECOND));
    printf("%ld threads at once, sum %ld\n", count, sum);
    return 0;
}
