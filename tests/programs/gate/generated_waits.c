/*
 * A thread waits in a system call that it makes by code generated at run time, for something that another thread does
 * 50 ms later, or for a time; others go on meanwhile. The argument says what: futex (woken by a call of libc's), both
 * (woken by generated code, too), wake (woken by generated code alone, which nobody can see), pipe, poll, sleep.
 */
#include "../check.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { TIMES = 5 };

typedef long call(long, long, long, long, long, long);

/* `mov $NUMBER, %eax; mov %rcx, %r10; syscall; ret` in memory of its own. */
static call *generate(int number)
{
    unsigned char code[] = {0xb8, number & 0xff, number >> 8, 0, 0, 0x49, 0x89, 0xca, 0x0f, 0x05, 0xc3};
    void *page = mmap(NULL, sizeof code, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED, "mmap");
    memcpy(page, code, sizeof code);
    CHECK(mprotect(page, sizeof code, PROT_READ | PROT_EXEC) == 0, "mprotect");
    return (call *)page;
}

static uint32_t word;
static int ends[2];
static call *generated_wake;

static void pause_ms(int ms)
{
    usleep((useconds_t)ms * 1000);
}

static void *changes_and_wakes(void *argument)
{
    for (uint32_t n = 1; n <= TIMES; n++) {
        pause_ms(50);
        __atomic_store_n(&word, n, __ATOMIC_SEQ_CST);
        if (generated_wake != NULL)
            generated_wake((long)&word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
        else
            syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) != 0x1000 + n)
            pause_ms(1);
    }
    return argument;
}

static void *wakes_once(void *argument)
{
    pause_ms(50);
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    generated_wake((long)&word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    return argument;
}

static void waits_at_futex(void)
{
    call *futex = generate(SYS_futex);
    for (uint32_t n = 1; n <= TIMES; n++) {
        uint32_t seen = n == 1 ? 0 : 0x1000 + n - 1;
        while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == seen) {
            long result = futex((long)&word, FUTEX_WAIT_PRIVATE, seen, 0, 0, 0);
            CHECK(result == 0 || result == -EAGAIN || result == -EINTR, "futex gave %ld", result);
        }
        __atomic_store_n(&word, 0x1000 + n, __ATOMIC_SEQ_CST);
    }
}

static void *writes(void *argument)
{
    for (int n = 0; n < TIMES; n++) {
        pause_ms(50);
        CHECK(write(ends[1], "x", 1) == 1, "write");
    }
    return argument;
}

static void reads(int polls)
{
    call *waiting_read = generate(SYS_read), *waiting_poll = generate(SYS_poll);
    for (int n = 0; n < TIMES; n++) {
        struct pollfd file = {.fd = ends[0], .events = POLLIN};
        char letter = 0;
        if (polls) {
            long ready = waiting_poll((long)&file, 1, -1, 0, 0, 0);
            CHECK(ready == 1 && file.revents == POLLIN, "poll gave %ld", ready);
        }
        long length = waiting_read(ends[0], (long)&letter, 1, 0, 0, 0);
        CHECK(length == 1 && letter == 'x', "read gave %ld", length);
    }
}

static int ticks;

static void *ticks_until(void *flag)
{
    while (!__atomic_load_n((int *)flag, __ATOMIC_SEQ_CST)) {
        pause_ms(10);
        ticks++;
    }
    return NULL;
}

static void sleeps(void)
{
    static int done;
    pthread_t ticker;
    struct timespec time = {.tv_nsec = 400 * MILLISECOND}, before, after;
    call *nanosleep_call = generate(SYS_nanosleep);
    ZERO(pthread_create(&ticker, NULL, ticks_until, &done));
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK(nanosleep_call((long)&time, 0, 0, 0, 0, 0) == 0, "nanosleep");
    clock_gettime(CLOCK_MONOTONIC, &after);
    int counted = ticks;
    __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
    ZERO(pthread_join(ticker, NULL));
    int64_t took = (after.tv_sec - before.tv_sec) * SECOND + after.tv_nsec - before.tv_nsec;
    CHECK(took >= 400 * MILLISECOND && took < 700 * MILLISECOND, "slept for %lld ms", (long long)(took / MILLISECOND));
    CHECK(counted >= 15, "%d ticks meanwhile", counted);
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    pthread_t other;
    CHECK(pipe(ends) == 0, "pipe");
    if (strcmp(what, "sleep") == 0) {
        sleeps();
    } else if (strcmp(what, "pipe") == 0 || strcmp(what, "poll") == 0) {
        ZERO(pthread_create(&other, NULL, writes, NULL));
        reads(strcmp(what, "poll") == 0);
        ZERO(pthread_join(other, NULL));
    } else if (strcmp(what, "wake") == 0) {
        generated_wake = generate(SYS_futex);
        ZERO(pthread_create(&other, NULL, wakes_once, NULL));
        while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0)
            syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        ZERO(pthread_join(other, NULL));
    } else {
        if (strcmp(what, "both") == 0)
            generated_wake = generate(SYS_futex);
        ZERO(pthread_create(&other, NULL, changes_and_wakes, NULL));
        waits_at_futex();
        ZERO(pthread_join(other, NULL));
    }
    puts("done");
    return 0;
}
