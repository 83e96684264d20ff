/*
 * Cancellation and pthread_exit unwind C++ frames: destructors run, innermost first, through functions that wait in
 * calls of every kind, among them those that have just been interrupted by a handler; catch (...) sees the unwinding and
 * must let it go on; thread_local objects are destroyed, then keys. Asynchronous cancellation of a computing thread,
 * and pthread_exit in a handler that interrupted a call, unwind the interrupted frames too. Exceptions thrown
 * meanwhile in other threads are not disturbed.
 */
#include "../check.h"
#include <atomic>
#include <cxxabi.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <string>
#include <sys/file.h>
#include <sys/syscall.h>

static std::string order;
static sem_t begun, never;
static int ends[2], locked, waiting;
static pthread_key_t key;
static std::atomic<bool> stop;

struct Noted {
    char mark;
    explicit Noted(char mark) : mark(mark) {}
    ~Noted() { order += mark; }
};

static thread_local Noted own('t');

static void point_read() { char byte; (void)!read(ends[0], &byte, 1); }
static void point_poll() { pollfd file = {ends[0], POLLIN, 0}; poll(&file, 1, -1); }
static void point_sleep() { sleep(60); }
static void point_semaphore() { sem_wait(&never); }
static void point_record()
{
    struct flock whole = {};
    whole.l_type = F_WRLCK;
    fcntl(waiting, F_SETLKW, &whole);
}
static void point_pause() { pause(); }
static void point_condition()
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    struct Guard {
        Guard() { pthread_mutex_lock(&lock); }
        ~Guard() { pthread_mutex_unlock(&lock); order += 'g'; }
    } guard;
    for (;;)
        pthread_cond_wait(&condition, &lock);
}

static void inner(void (*point)())
{
    Noted first('1'), second('2');
    sem_post(&begun);
    point();
    order += '!';
}

static void *body(void *argument)
{
    own.mark = 't';
    pthread_setspecific(key, &key);
    Noted outermost('o');
    try {
        Noted middle('m');
        inner(reinterpret_cast<void (*)()>(argument));
    } catch (abi::__forced_unwind &) {
        order += 'f';
        throw;
    } catch (...) {
        order += '?';
    }
    order += '!';
    return nullptr;
}

static void wait_begun()
{
    while (sem_wait(&begun) != 0) {
    }
}

static void show(const char *name, void *value)
{
    printf("%s: %s %s\n", name, value == PTHREAD_CANCELED ? "cancelled" : value == &never ? "ended" : "went on",
           order.c_str());
    order.clear();
}

static void handler(int) {}

static void cancel(const char *name, void (*point)(), bool interrupt)
{
    pthread_t thread = start(body, reinterpret_cast<void *>(point));
    wait_begun();
    sleep_ms(10);
    if (interrupt) {
        ZERO(pthread_kill(thread, SIGUSR1));
        sleep_ms(5);
    }
    ZERO(pthread_cancel(thread));
    show(name, join(thread));
}

static void endless()
{
    static volatile long turns;
    for (;;)
        turns = turns + 1;
}

/* Called like this, for the compiler believes that the loop itself cannot be left by unwinding. */
static void (*volatile endless_loop)() = endless;

static void *computes(void *)
{
    int old;
    Noted outermost('o');
    own.mark = 't';
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    sem_post(&begun);
    endless_loop();
    return nullptr;
}

static void ends_thread(int) { pthread_exit(&never); }

static void *ends_inside(void *)
{
    Noted outermost('o');
    own.mark = 't';
    try {
        Noted middle('m');
        sem_post(&begun);
        point_read();
    } catch (...) {
        order += 'c';
        throw;
    }
    return nullptr;
}

static void *exits(void *argument)
{
    Noted outermost('o');
    own.mark = 't';
    Noted deeper('d');
    pthread_exit(argument);
}

static void *throws(void *)
{
    long caught = 0;
    while (!stop) {
        try {
            usleep(50);
            throw std::string("thrown");
        } catch (std::string &thrown) {
            caught += thrown == "thrown";
        }
    }
    return reinterpret_cast<void *>(caught);
}

int main()
{
    char name[] = "/tmp/unwinding-XXXXXX";
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(SIGUSR1, &action, nullptr) == 0, "sigaction");
    sem_init(&begun, 0, 0);
    sem_init(&never, 0, 0);
    CHECK(pipe(ends) == 0, "pipe");
    ZERO(pthread_key_create(&key, [](void *) { order += 'k'; }));
    waiting = mkstemp(name);
    int gate[2];
    char byte;
    CHECK(pipe(gate) == 0, "pipe");
    pid_t holder = fork();
    if (holder == 0) {
        locked = open(name, O_RDWR);
        struct flock whole = {};
        whole.l_type = F_WRLCK;
        CHECK(fcntl(locked, F_SETLK, &whole) == 0 && write(gate[1], "x", 1) == 1, "locked");
        for (;;)
            pause();
    }
    CHECK(read(gate[0], &byte, 1) == 1, "read");
    unlink(name);
    pthread_t thrower = start(throws, nullptr);
    cancel("read", point_read, false);
    cancel("read, interrupted before", point_read, true);
    cancel("poll", point_poll, false);
    cancel("sleep", point_sleep, false);
    cancel("sem_wait", point_semaphore, false);
    cancel("sem_wait, interrupted before", point_semaphore, true);
    cancel("F_SETLKW", point_record, false);
    cancel("F_SETLKW, interrupted before", point_record, true);
    cancel("pthread_cond_wait", point_condition, false);
    cancel("pthread_cond_wait, interrupted before", point_condition, true);
    cancel("pause", point_pause, false);

    pthread_t thread = start(computes, nullptr);
    wait_begun();
    sleep_ms(30);
    ZERO(pthread_cancel(thread));
    show("computing, asynchronous", join(thread));

    action.sa_handler = ends_thread;
    CHECK(sigaction(SIGUSR2, &action, nullptr) == 0, "sigaction");
    thread = start(ends_inside, nullptr);
    wait_begun();
    sleep_ms(10);
    ZERO(pthread_kill(thread, SIGUSR2));
    show("pthread_exit in a handler", join(thread));
    show("pthread_exit, deeper", join(start(exits, &never)));
    stop = true;
    CHECK(join(thrower) != nullptr, "nothing caught");
    kill(holder, SIGKILL);
    return 0;
}
