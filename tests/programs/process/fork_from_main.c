/*
 * fork from main while other threads sleep, wait and hold locks: the child has one thread, the others do not wake
 * there, their stacks' contents are there, and it may make threads of its own; the parent's go on unharmed.
 */
#include "../check.h"
#include <semaphore.h>
#include <sys/wait.h>

static sem_t release;
static int woken;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *sleeps(void *argument)
{
    sleep_ms(100);
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return argument;
}

static void *waits(void *argument)
{
    while (sem_wait(&release) != 0) {
    }
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return argument;
}

static void *holds(void *argument)
{
    pthread_mutex_lock(&held);
    sleep_ms(150);
    pthread_mutex_unlock(&held);
    return argument;
}

static int child(int generation)
{
    pthread_t threads[20];
    woken = 0;
    sleep_ms(200);
    CHECK(woken == 0, "%d of the parent's threads woke in the child", woken);
    GIVES(EBUSY, pthread_mutex_trylock(&held));
    sem_init(&release, 0, 0);
    for (int n = 0; n < 20; n++)
        threads[n] = start(n % 2 ? sleeps : waits, AS_POINTER(n));
    for (int n = 0; n < 10; n++)
        sem_post(&release);
    for (int n = 0; n < 20; n++)
        CHECK(AS_INTEGER(join(threads[n])) == n, "the child's thread %d", n);
    CHECK(woken == 20, "%d woken", woken);
    if (generation < 2) {
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(child(generation + 1));
        int status;
        CHECK(waitpid(grandchild, &status, 0) == grandchild, "waitpid");
        return WEXITSTATUS(status) + 1;
    }
    return 10;
}

int main(void)
{
    pthread_t threads[41];
    sem_init(&release, 0, 0);
    threads[40] = start(holds, NULL);
    for (int n = 0; n < 40; n++)
        threads[n] = start(n % 2 ? sleeps : waits, AS_POINTER(n));
    sleep_ms(20);
    pid_t process = fork();
    CHECK(process >= 0, "fork");
    if (process == 0)
        _exit(child(1));
    for (int n = 0; n < 20; n++)
        sem_post(&release);
    for (int n = 0; n < 41; n++)
        join(threads[n]);
    CHECK(woken == 40, "%d woken in the parent", woken);
    int status;
    CHECK(waitpid(process, &status, 0) == process && WIFEXITED(status), "status %#x", status);
    printf("parent: %d woken; child: %d\n", woken, WEXITSTATUS(status));
    return 0;
}
