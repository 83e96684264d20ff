/*
 * Timers while there are several threads. CPU time: setitimer's SIGVTALRM and SIGPROF and a timer on the process's
 * CPU time come to the thread that computes. A periodic timer for one thread that has its signal blocked leaves one
 * signal with the number of those it stands for, and timer_getoverrun tells the same; one for main comes to main, one
 * for a thread that is gone comes to nobody. SIGEV_THREAD runs its function again and again, SIGEV_NONE only counts.
 */
#include "../check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile int stop, by_computing, by_others;
static __thread int is_computing;
static sem_t called, ready;
static int tid;

static void counts(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    (void)context;
    if (is_computing)
        by_computing++;
    else
        by_others++;
}

static void *computes(void *argument)
{
    is_computing = 1;
    volatile double sum = 1;
    while (by_computing + by_others < 5 && !stop)
        for (int n = 0; n < 10000; n++)
            sum = sum * 1.000001 + 0.5;
    return argument;
}

static void install(int number)
{
    struct sigaction action = {.sa_sigaction = counts, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(number, &action, NULL) == 0, "sigaction");
    by_computing = by_others = 0;
}

static void cpu_time(const char *name, int which, int number)
{
    struct itimerval timer = {{0, 5000}, {0, 5000}}, none = {{0, 0}, {0, 0}};
    install(number);
    CHECK(setitimer(which, &timer, NULL) == 0, "setitimer");
    join(start(computes, NULL));
    CHECK(setitimer(which, &none, NULL) == 0, "setitimer");
    CHECK(by_others == 0, "%d came to others", by_others);
    printf("%s: to the thread that computes\n", name);
}

static timer_t make(clockid_t clock, struct sigevent event, long first, long interval)
{
    timer_t timer;
    struct itimerspec time = {timespec_of(interval), timespec_of(first)};
    CHECK(timer_create(clock, &event, &timer) == 0, "timer_create");
    CHECK(timer_settime(timer, 0, &time, NULL) == 0, "timer_settime");
    return timer;
}

static struct sigevent for_thread(int number, int thread)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number, .sigev_value.sival_int = 9};
    event.sigev_notify_thread_id = thread;
    return event;
}

static void *has_it_blocked(void *argument)
{
    int number = AS_INTEGER(argument);
    sigset_t set, pending;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, number);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    timer_t timer = make(CLOCK_MONOTONIC, for_thread(number, gettid()), MILLISECOND, MILLISECOND);
    sleep_ms(60);
    sigpending(&pending);
    CHECK(sigismember(&pending, number), "not pending");
    CHECK(sigwaitinfo(&set, &info) == number, "sigwaitinfo");
    CHECK(info.si_code == SI_TIMER && info.si_value.sival_int == 9, "code %d", info.si_code);
    CHECK(info.si_overrun >= 20, "it stands for %d others", info.si_overrun);
    CHECK(timer_getoverrun(timer) == info.si_overrun, "%d and %d", timer_getoverrun(timer), info.si_overrun);
    struct itimerspec none = {{0, 0}, {0, 0}};
    ZERO(timer_settime(timer, 0, &none, NULL));
    /* One more may have come since; two have not. */
    struct timespec now = {0, 0};
    int more = 0;
    while (sigtimedwait(&set, &info, &now) == number)
        more++;
    CHECK(more <= 1, "%d more", more);
    ZERO(timer_delete(timer));
    return argument;
}

static void *tells_id(void *argument)
{
    tid = gettid();
    return argument;
}

static void notify(union sigval value)
{
    CHECK(value.sival_int == 3, "value %d", value.sival_int);
    sem_post(&called);
}

static void *sleeps(void *argument)
{
    while (!stop)
        usleep(1000);
    return argument;
}

int main(void)
{
    sem_init(&called, 0, 0);
    sem_init(&ready, 0, 0);
    pthread_t sleeper = start(sleeps, NULL);
    cpu_time("virtual time", ITIMER_VIRTUAL, SIGVTALRM);
    cpu_time("profiling", ITIMER_PROF, SIGPROF);

    join(start(has_it_blocked, AS_POINTER(SIGRTMIN + 1)));
    join(start(has_it_blocked, AS_POINTER(SIGUSR1)));
    puts("one pending, and how many it stands for");

    install(SIGUSR2);
    timer_t timer = make(CLOCK_MONOTONIC, for_thread(SIGUSR2, gettid()), MILLISECOND, 0);
    pthread_t other = start(computes, NULL);
    while (by_others == 0)
        usleep(1000);
    stop = 1;
    join(other);
    stop = 0;
    CHECK(by_computing == 0, "came to another thread");
    ZERO(timer_delete(timer));
    puts("one for main");

    install(SIGUSR2);
    other = start(sleeps, NULL);
    join(start(tells_id, NULL));
    timer = make(CLOCK_MONOTONIC, for_thread(SIGUSR2, gettid()), 50 * MILLISECOND, 0);
    ZERO(timer_delete(timer));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
    timer = make(CLOCK_MONOTONIC, for_thread(SIGUSR2, gettid()), MILLISECOND, 0);
    sleep_ms(20);
    CHECK(by_others == 0, "another thread had main's");
    ZERO(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
    CHECK(by_others == 1, "main had %d", by_others);
    ZERO(timer_delete(timer));
    puts("blocked by main, left to main");

    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify, .sigev_value.sival_int = 3};
    timer = make(CLOCK_REALTIME, event, MILLISECOND, 3 * MILLISECOND);
    for (int n = 0; n < 10; n++)
        while (sem_wait(&called) != 0) {
        }
    ZERO(timer_delete(timer));
    puts("a function, ten times");

    struct sigevent nothing = {.sigev_notify = SIGEV_NONE};
    struct itimerspec left;
    timer = make(CLOCK_MONOTONIC, nothing, 60 * SECOND, 0);
    CHECK(timer_gettime(timer, &left) == 0 && left.it_value.tv_sec >= 58, "%ld s left", (long)left.it_value.tv_sec);
    ZERO(timer_delete(timer));
    puts("none");
    stop = 1;
    join(sleeper);
    join(other);
    return 0;
}
