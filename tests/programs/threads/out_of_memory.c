/*
 * When address space is out, pthread_create returns EAGAIN and nothing else happens: the threads made so far are
 * well, and when they have ended as many can be made again.
 */
#include "../check.h"
#include <semaphore.h>
#include <sys/resource.h>

enum { MOST = 100000 };
static pthread_t threads[MOST];
static sem_t release;

static void *body(void *argument)
{
    while (sem_wait(&release) != 0) {
    }
    return argument;
}

static int make_as_many_as_possible(void)
{
    int count = 0;
    int result;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 4 << 20);
    while ((result = pthread_create(&threads[count], &attributes, body, AS_POINTER(count))) == 0)
        CHECK(++count < MOST, "no limit in sight");
    CHECK(result == EAGAIN, "pthread_create gave %s", strerror(result));
    for (int n = 0; n < count; n++)
        sem_post(&release);
    for (int n = 0; n < count; n++)
        CHECK(AS_INTEGER(join(threads[n])) == n, "thread %d", n);
    return count;
}

int main(void)
{
    sem_init(&release, 0, 0);
    join(start(body, (sem_post(&release), NULL)));
    struct rlimit limit = {2UL << 30, 2UL << 30};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
    int first = make_as_many_as_possible();
    int second = make_as_many_as_possible();
    CHECK(first > 50, "only %d threads of 4 MiB in 2 GiB", first);
    CHECK(second * 10 >= first * 7, "%d threads at first, then %d", first, second);
    puts("EAGAIN when memory was out, and again as many threads afterwards");
    return 0;
}
