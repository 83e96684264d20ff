/*
 * Every thread has a CPU-time clock of its own: CLOCK_THREAD_CPUTIME_ID, pthread_getcpuclockid() of any thread and
 * getrusage(RUSAGE_THREAD) show what a thread burned, not what others did; a new thread begins at nothing, an ended
 * one has no clock; all together have the process's time; another thread's clock can be slept on; a fork's child
 * begins anew.
 */
#include "../check.h"
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BURNED (60 * MILLISECOND)
enum { BUSY = 3 };
static sem_t burned, go_on;
static atomic_int stop;
static int64_t at_begin, at_end;

/* Burns NANOSECONDS of the process's time, all by itself. */
static void burn(int64_t nanoseconds)
{
    int64_t begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin < nanoseconds) {
    }
}

static clockid_t clock_of(pthread_t thread)
{
    clockid_t clock;
    ZERO(pthread_getcpuclockid(thread, &clock));
    return clock;
}

static int64_t raw_now(clockid_t clock)
{
    struct timespec time;
    CHECK(syscall(SYS_clock_gettime, clock, &time) == 0, "clock %d", clock);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static int64_t usage(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_THREAD, &usage) == 0, "getrusage");
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static void near(const char *what, int64_t seen, int64_t expected, int64_t tolerance)
{
    CHECK(seen >= expected - tolerance && seen <= expected + tolerance, "%s: %lld ns, expected about %lld", what,
          (long long)seen, (long long)expected);
}

static void *burns(void *argument)
{
    at_begin = now_ns(CLOCK_THREAD_CPUTIME_ID);
    burn(BURNED);
    at_end = now_ns(CLOCK_THREAD_CPUTIME_ID);
    near("raw", raw_now(CLOCK_THREAD_CPUTIME_ID), at_end, 2 * MILLISECOND);
    near("own clock by id", now_ns(clock_of(pthread_self())), at_end, 2 * MILLISECOND);
    near("usage", usage(), at_end, 10 * MILLISECOND);
    sem_post(&burned);
    while (sem_wait(&go_on) != 0) {
    }
    return argument;
}

static void *spins(void *argument)
{
    while (!stop) {
    }
    *(int64_t *)argument = now_ns(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static void *waits(void *argument)
{
    sem_wait(argument);
    return NULL;
}

int main(void)
{
    int64_t main_begin = now_ns(CLOCK_THREAD_CPUTIME_ID);
    burn(BURNED);
    near("main alone", now_ns(CLOCK_THREAD_CPUTIME_ID) - main_begin, BURNED, 20 * MILLISECOND);
    sem_init(&burned, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_t end_of_idle;
    sem_init(&end_of_idle, 0, 0);
    pthread_t idle = start(waits, &end_of_idle);
    sleep_ms(1);
    int64_t idle_before = now_ns(clock_of(idle)), main_before = now_ns(CLOCK_THREAD_CPUTIME_ID);

    pthread_t busy = start(burns, NULL);
    while (sem_wait(&burned) != 0) {
    }
    CHECK(at_begin < 5 * MILLISECOND, "a new thread's clock shows %lld ns", (long long)at_begin);
    near("burned", at_end - at_begin, BURNED, 20 * MILLISECOND);
    near("seen by main", now_ns(clock_of(busy)), at_end, 5 * MILLISECOND);
    near("seen by main, raw", raw_now(clock_of(busy)), at_end, 5 * MILLISECOND);
    near("idle thread", now_ns(clock_of(idle)), idle_before, 5 * MILLISECOND);
    near("waiting main", now_ns(CLOCK_THREAD_CPUTIME_ID), main_before, 5 * MILLISECOND);
    struct timespec resolution = {1, 1};
    CHECK(clock_getres(CLOCK_THREAD_CPUTIME_ID, &resolution) == 0 && resolution.tv_sec == 0, "getres");
    printf("resolution %ld ns", resolution.tv_nsec);
    CHECK(clock_getres(clock_of(busy), &resolution) == 0 && resolution.tv_sec == 0, "getres");
    printf(", of another %ld ns\n", resolution.tv_nsec);
    FAILS(EFAULT, syscall(SYS_clock_gettime, clock_of(busy), (void *)8));
    FAILS(EINVAL, syscall(SYS_clock_settime, CLOCK_THREAD_CPUTIME_ID, &resolution));

    clockid_t ended = clock_of(busy);
    sem_post(&go_on);
    join(busy);
    sleep_ms(5);
    FAILS(EINVAL, clock_gettime(ended, &resolution));
    FAILS(EINVAL, clock_getres(ended, &resolution));
    GIVES(EINVAL, clock_nanosleep(ended, 0, &(struct timespec){0, 1000}, NULL));

    /* Three that compute side by side: each has its part, and together all there was. */
    int64_t all_before = now_ns(CLOCK_PROCESS_CPUTIME_ID), sum = 0, times[BUSY];
    int64_t main_in_between = now_ns(CLOCK_THREAD_CPUTIME_ID);
    pthread_t threads[BUSY];
    for (int n = 0; n < BUSY; n++)
        threads[n] = start(spins, &times[n]);
    clockid_t slept_on = clock_of(threads[1]);
    struct timespec some = timespec_of(30 * MILLISECOND);
    ZERO(clock_nanosleep(slept_on, 0, &some, NULL));
    int64_t there = now_ns(slept_on);
    CHECK(there >= 30 * MILLISECOND, "woke at %lld ns of its clock", (long long)there);
    some = timespec_of(there + 20 * MILLISECOND);
    ZERO(clock_nanosleep(slept_on, TIMER_ABSTIME, &some, NULL));
    CHECK(now_ns(slept_on) >= there + 20 * MILLISECOND, "woke at %lld ns", (long long)now_ns(slept_on));
    stop = 1;
    for (int n = 0; n < BUSY; n++) {
        join(threads[n]);
        CHECK(times[n] > 5 * MILLISECOND, "thread %d had %lld ns", n, (long long)times[n]);
        sum += times[n];
    }
    int64_t all = now_ns(CLOCK_PROCESS_CPUTIME_ID) - all_before;
    sum += now_ns(CLOCK_THREAD_CPUTIME_ID) - main_in_between;
    CHECK(sum > all * 7 / 10 && sum < all * 11 / 10 + 5 * MILLISECOND, "threads %lld, process %lld ns",
          (long long)sum, (long long)all);
    GIVES(EINVAL, clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &some, NULL));
    GIVES(EINVAL, clock_nanosleep(clock_of(pthread_self()), 0, &some, NULL));
    near("idle thread at last", now_ns(clock_of(idle)), idle_before, 5 * MILLISECOND);

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int64_t begin = now_ns(CLOCK_THREAD_CPUTIME_ID);
        CHECK(begin < 20 * MILLISECOND, "the child's clock shows %lld ns", (long long)begin);
        burn(20 * MILLISECOND);
        near("child", now_ns(CLOCK_THREAD_CPUTIME_ID) - begin, 20 * MILLISECOND, 10 * MILLISECOND);
        stop = 0;
        int64_t time;
        pthread_t thread = start(spins, &time);
        sleep_ms(30);
        stop = 1;
        join(thread);
        CHECK(time > 5 * MILLISECOND, "a thread of the child had %lld ns", (long long)time);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "child's status %#x", status);
    sem_post(&end_of_idle);
    join(idle);
    puts("each has its own time");
    return 0;
}
