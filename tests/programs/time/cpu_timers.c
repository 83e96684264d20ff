/*
 * Timers on the CPU clock of one thread (timer_create with CLOCK_THREAD_CPUTIME_ID, or the clock of pthread_getcpuclockid)
 * count what that thread burns, whatever others burn meanwhile: they expire when it has had its time, not earlier. To the
 * process, to one thread (the counted one or another), by a function, or to nobody; once or again and again; at a span or a
 * point in time; with the number of those that a blocked signal stands for. What timer_gettime and timer_settime tell
 * of them; wrong arguments; the clock of a thread that has ended; a fork's child has none.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* The kernel looks at these timers at its ticks, and misses some when processors are busy. */
#define LATE SECOND

static atomic_int stop, seen, seen_value, seen_by;
static atomic_llong seen_at;
static __thread clockid_t watched = CLOCK_THREAD_CPUTIME_ID;
static sem_t called;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    seen_at = now_ns(watched);
    seen_by = gettid();
    seen_value = info->si_value.sival_int;
    CHECK(info->si_code == SI_TIMER, "code %d", info->si_code);
    seen += 1 + info->si_overrun;
}

static void *burns_beside(void *argument)
{
    while (!stop) {
    }
    return argument;
}

static int64_t own_time(void)
{
    return now_ns(CLOCK_THREAD_CPUTIME_ID);
}

static struct sigevent event_of(int notify, int number, int value)
{
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = number, .sigev_value.sival_int = value};
    if (notify == SIGEV_THREAD_ID)
        event.sigev_notify_thread_id = gettid();
    return event;
}

static timer_t make(clockid_t clock, struct sigevent event)
{
    timer_t timer;
    CHECK(timer_create(clock, &event, &timer) == 0, "timer_create");
    return timer;
}

static void set(timer_t timer, int flags, int64_t first, int64_t interval)
{
    struct itimerspec time = {timespec_of(interval), timespec_of(first)};
    CHECK(timer_settime(timer, flags, &time, NULL) == 0, "timer_settime");
}

static void expired_at(const char *what, int64_t expected)
{
    CHECK(seen == 1, "%s: %d signals", what, seen);
    CHECK(seen_at >= expected && seen_at < expected + LATE, "%s: at %lld ns instead of %lld", what, (long long)seen_at,
          (long long)expected);
    seen = 0;
    printf("%s: in time\n", what);
}

static void burn_until_seen(int count)
{
    int64_t begin = own_time();
    while (seen < count)
        CHECK(own_time() - begin < 2 * SECOND, "%d signals", seen);
}

static void *once(void *argument)
{
    timer_t timer = make(CLOCK_THREAD_CPUTIME_ID, event_of(SIGEV_THREAD_ID, SIGUSR1, 5));
    int64_t begin = own_time();
    set(timer, 0, 50 * MILLISECOND, 0);
    burn_until_seen(1);
    CHECK(seen_by == gettid() && seen_value == 5, "by %d, value %d", seen_by, seen_value);
    expired_at("a span", begin + 50 * MILLISECOND);
    begin = own_time();
    set(timer, TIMER_ABSTIME, begin + 40 * MILLISECOND, 0);
    burn_until_seen(1);
    expired_at("a point in time", begin + 40 * MILLISECOND);
    set(timer, TIMER_ABSTIME, begin, 0);
    burn_until_seen(1);
    expired_at("a point in the past", begin + 40 * MILLISECOND);
    begin = own_time();
    set(timer, 0, 20 * MILLISECOND, 20 * MILLISECOND);
    burn_until_seen(5);
    CHECK(own_time() - begin >= 100 * MILLISECOND, "five times after %lld ns", (long long)(own_time() - begin));
    set(timer, 0, 0, 0);
    seen = 0;
    int64_t end = own_time() + 50 * MILLISECOND;
    while (own_time() < end) {
    }
    CHECK(seen == 0, "%d signals of a timer that is stopped", seen);
    ZERO(timer_delete(timer));
    puts("again and again, until it is stopped");
    return argument;
}

static void *blocked(void *argument)
{
    sigset_t set_of;
    siginfo_t info;
    sigemptyset(&set_of);
    sigaddset(&set_of, SIGUSR2);
    ZERO(pthread_sigmask(SIG_BLOCK, &set_of, NULL));
    timer_t timer = make(CLOCK_THREAD_CPUTIME_ID, event_of(SIGEV_THREAD_ID, SIGUSR2, 6));
    set(timer, 0, 5 * MILLISECOND, 5 * MILLISECOND);
    int64_t begin = own_time();
    sigset_t pending;
    do {
        sigpending(&pending);
        CHECK(own_time() - begin < 2 * SECOND, "not pending");
    } while (!sigismember(&pending, SIGUSR2) || own_time() - begin < 100 * MILLISECOND);
    CHECK(sigwaitinfo(&set_of, &info) == SIGUSR2, "sigwaitinfo");
    CHECK(info.si_overrun >= 10, "it stands for %d others", info.si_overrun);
    CHECK(timer_getoverrun(timer) == info.si_overrun, "%d and %d", timer_getoverrun(timer), info.si_overrun);
    ZERO(timer_delete(timer));
    puts("one pending, and how many it stands for");
    return argument;
}

static void notify(union sigval value)
{
    CHECK(value.sival_int == 7, "value %d", value.sival_int);
    sem_post(&called);
}

static void *others(void *argument)
{
    timer_t timer = make(CLOCK_THREAD_CPUTIME_ID, event_of(SIGEV_SIGNAL, SIGUSR1, 8));
    set(timer, 0, 30 * MILLISECOND, 0);
    int64_t begin = own_time();
    burn_until_seen(1);
    CHECK(own_time() - begin >= 30 * MILLISECOND - MILLISECOND, "early: %lld", (long long)(own_time() - begin));
    CHECK(seen_value == 8, "value %d", seen_value);
    seen = 0;
    ZERO(timer_delete(timer));
    puts("to the process");

    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify, .sigev_value.sival_int = 7};
    timer = make(CLOCK_THREAD_CPUTIME_ID, event);
    begin = own_time();
    set(timer, 0, 20 * MILLISECOND, 20 * MILLISECOND);
    for (int n = 0; n < 3; n++)
        while (sem_trywait(&called) != 0)
            CHECK(own_time() - begin < SECOND, "%d calls", n);
    CHECK(own_time() - begin >= 60 * MILLISECOND, "three calls after %lld ns", (long long)(own_time() - begin));
    ZERO(timer_delete(timer));
    puts("a function");
    return argument;
}

static void *asks(void *argument)
{
    struct itimerspec time, before, wrong = {{0, 0}, {0, SECOND}};
    timer_t timer = make(CLOCK_THREAD_CPUTIME_ID, event_of(SIGEV_NONE, 0, 0));
    CHECK(timer_gettime(timer, &time) == 0 && time.it_value.tv_sec + time.it_value.tv_nsec == 0, "it is set");
    set(timer, 0, 10 * SECOND, 3 * SECOND);
    sleep_ms(30);
    CHECK(timer_gettime(timer, &time) == 0, "timer_gettime");
    CHECK(time.it_value.tv_sec == 9 && time.it_value.tv_nsec > SECOND - 20 * MILLISECOND, "%ld.%09ld s left",
          (long)time.it_value.tv_sec, time.it_value.tv_nsec);
    CHECK(time.it_interval.tv_sec == 3, "interval %ld", (long)time.it_interval.tv_sec);
    time = (struct itimerspec){{0, 10 * MILLISECOND}, {0, 10 * MILLISECOND}};
    CHECK(timer_settime(timer, 0, &time, &before) == 0, "timer_settime");
    CHECK(before.it_value.tv_sec == 9 && before.it_interval.tv_sec == 3, "before: %ld", (long)before.it_value.tv_sec);
    int64_t end = own_time() + 35 * MILLISECOND;
    while (own_time() < end) {
    }
    CHECK(timer_gettime(timer, &time) == 0, "timer_gettime");
    CHECK(time.it_value.tv_nsec > 0 && time.it_value.tv_nsec <= 10 * MILLISECOND, "%ld ns left", time.it_value.tv_nsec);
    set(timer, TIMER_ABSTIME, 1, 0);
    CHECK(timer_gettime(timer, &time) == 0 && time.it_value.tv_nsec == 0, "%ld ns left", time.it_value.tv_nsec);
    CHECK(timer_getoverrun(timer) == 0, "overrun %d", timer_getoverrun(timer));
    FAILS(EINVAL, timer_settime(timer, 0, &wrong, NULL));
    FAILS(EINVAL, timer_settime(timer, 0, NULL, NULL));
    FAILS(EFAULT, syscall(SYS_timer_settime, (int)(intptr_t)timer, 0, (void *)8, NULL));
    FAILS(EFAULT, syscall(SYS_timer_gettime, (int)(intptr_t)timer, (void *)8));
    ZERO(timer_delete(timer));
    FAILS(EINVAL, syscall(SYS_timer_gettime, (int)(intptr_t)timer, &time));
    struct sigevent event = event_of(77, SIGUSR1, 0);
    FAILS(EINVAL, syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &event, &timer));
    event = event_of(SIGEV_SIGNAL, 65, 0);
    FAILS(EINVAL, syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &event, &timer));
    event = event_of(SIGEV_THREAD_ID, SIGUSR1, 0);
    event.sigev_notify_thread_id = 1;
    FAILS(EINVAL, syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &event, &timer));
    puts("what it tells");
    return argument;
}

static void *burns_when_told(void *argument)
{
    sem_wait(argument);
    burn_until_seen(1);
    return NULL;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
    sem_init(&called, 0, 0);
    pthread_t beside[2] = {start(burns_beside, NULL), start(burns_beside, NULL)};
    join(start(once, NULL));
    join(start(blocked, NULL));
    join(start(others, NULL));
    join(start(asks, NULL));

    sem_t go;
    sem_init(&go, 0, 0);
    pthread_t counted = start(burns_when_told, &go);
    ZERO(pthread_getcpuclockid(counted, &watched));
    timer_t timer = make(watched, event_of(SIGEV_THREAD_ID, SIGUSR1, 9));
    set(timer, TIMER_ABSTIME, 40 * MILLISECOND, 0);
    int64_t end = own_time() + 60 * MILLISECOND;
    while (own_time() < end) {
    }
    CHECK(seen == 0, "another thread's time was counted");
    sem_post(&go);
    while (seen == 0)
        usleep(1000);
    CHECK(seen_by == gettid(), "by %d", seen_by);
    printf("another's clock: %s\n", seen_at >= 40 * MILLISECOND ? "in time" : "early");
    join(counted);
    sleep_ms(5);
    struct itimerspec time = {{0, 0}, {1, 0}};
    FAILS(ESRCH, timer_settime(timer, 0, &time, NULL));
    CHECK(timer_gettime(timer, &time) == 0 && time.it_value.tv_sec + time.it_value.tv_nsec == 0, "it is set");
    ZERO(timer_delete(timer));
    stop = 1;
    join(beside[0]);
    join(beside[1]);

    timer = make(CLOCK_THREAD_CPUTIME_ID, event_of(SIGEV_SIGNAL, SIGUSR1, 1));
    watched = CLOCK_THREAD_CPUTIME_ID;
    seen = 0;
    set(timer, 0, 30 * MILLISECOND, 0);
    pid_t child = fork();
    if (child == 0) {
        FAILS(EINVAL, syscall(SYS_timer_gettime, (int)(intptr_t)timer, &time));
        for (end = own_time() + 60 * MILLISECOND; own_time() < end;) {
        }
        _exit(seen);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "status %x", status);
    burn_until_seen(1);
    puts("main alone");
    return 0;
}
