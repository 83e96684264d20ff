/*
 * Waits that look like being stuck and are not: all threads wait for a lock in memory shared with another process,
 * which lets them go; and all wait with a time limit. Ends with status 0 after about a second and a half.
 */
#include "../check.h"
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>

static sem_t *shared, local;

static void *waits(void *argument)
{
    while (sem_wait(shared) != 0) {
    }
    return argument;
}

static void *waits_with_limit(void *argument)
{
    struct timespec deadline = deadline_in(CLOCK_REALTIME, 700 * MILLISECOND);
    while (sem_timedwait(&local, &deadline) != 0 && errno == EINTR) {
    }
    CHECK(errno == ETIMEDOUT, "sem_timedwait");
    return argument;
}

int main(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(sem_init(shared, 1, 0) == 0, "sem_init");
    sem_init(&local, 0, 0);
    pid_t child = fork();
    if (child == 0) {
        sleep_ms(800);
        for (int n = 0; n < 4; n++)
            sem_post(shared);
        _exit(0);
    }
    pthread_t threads[4];
    for (int n = 0; n < 4; n++)
        threads[n] = start(waits, NULL);
    for (int n = 0; n < 4; n++)
        join(threads[n]);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "status %#x", status);
    for (int n = 0; n < 4; n++)
        threads[n] = start(waits_with_limit, NULL);
    for (int n = 0; n < 4; n++)
        join(threads[n]);
    puts("nobody was stuck");
    return 0;
}
