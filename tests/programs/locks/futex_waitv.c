/*
 * futex_waitv waits for up to 128 futexes and tells which was woken, by a thread or by another process; several
 * waiters on overlapping sets; what is refused; time limits on both clocks; a signal, a cancellation and a fork while
 * one waits.
 */
#include "asleep.h"
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
enum { MOST = 128, SIZE_32 = 2, PRIVATE = FUTEX_PRIVATE_FLAG };
struct one {
    uint64_t value, address;
    uint32_t flags, reserved;
};
static uint32_t words[MOST + 1], *shared;

static long waitv(const struct one *list, unsigned count, unsigned flags, const struct timespec *limit, clockid_t clock)
{
    return syscall(SYS_futex_waitv, list, count, flags, limit, clock);
}

static void set(struct one *list, int first, int count)
{
    for (int n = 0; n < count; n++)
        list[n] = (struct one){words[first + n], (uintptr_t)&words[first + n], SIZE_32 | PRIVATE, 0};
}

static long wake(uint32_t *word, int count, int flag)
{
    return syscall(SYS_futex, word, FUTEX_WAKE | flag, count, NULL, NULL, 0);
}

/* Waits for as many words from the first as the argument says; which was woken. */
static void *waits(void *argument)
{
    struct one list[MOST];
    set(list, AS_INTEGER(argument) >> 8, AS_INTEGER(argument) & 0xff);
    will_sleep();
    return AS_POINTER(waitv(list, AS_INTEGER(argument) & 0xff, 0, NULL, 0));
}

static pthread_t waits_for(int first, int count)
{
    pthread_t thread = start(waits, AS_POINTER(first << 8 | count));
    until_asleep();
    return thread;
}

static void *waits_shared(void *argument)
{
    struct one list[3];
    set(list, 0, 1);
    for (int n = 1; n < 3; n++)
        list[n] = (struct one){0, (uintptr_t)&shared[n], SIZE_32, 0};
    will_sleep();
    long woken = waitv(list, 3, 0, NULL, 0);
    CHECK(woken >= 0, "futex_waitv");
    *(long *)argument = woken;
    return NULL;
}

static void handler(int number)
{
    (void)number;
}

static void *is_interrupted(void *argument)
{
    struct one list[2];
    set(list, 0, 2);
    will_sleep();
    FAILS(EINTR, waitv(list, 2, 0, NULL, 0));
    return argument;
}

/* Cancellation is noticed in the system call only if it may be at any time. */
static void *is_cancelled(void *argument)
{
    struct one list[2];
    set(list, 0, 2);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    will_sleep();
    waitv(list, 2, 0, NULL, 0);
    return argument;
}

static void refused(void)
{
    struct one list[MOST + 1], *none = NULL;
    struct timespec limit = {1, SECOND}, past = {0, 1};
    memset(list, 0, sizeof list);
    set(list, 0, MOST);
    FAILS(EINVAL, waitv(list, 0, 0, NULL, 0));
    FAILS(EINVAL, waitv(list, MOST + 1, 0, NULL, 0));
    FAILS(EINVAL, waitv(none, 1, 0, NULL, 0));
    FAILS(EINVAL, waitv(list, 1, 1, NULL, 0));
    FAILS(EFAULT, waitv((void *)8, 1, 0, NULL, 0));
    FAILS(EINVAL, waitv(list, 1, 0, &past, CLOCK_BOOTTIME));
    FAILS(EINVAL, waitv(list, 1, 0, &limit, CLOCK_MONOTONIC));
    FAILS(EFAULT, waitv(list, 1, 0, (void *)8, CLOCK_MONOTONIC));
    FAILS(ETIMEDOUT, waitv(list, MOST, 0, &past, CLOCK_MONOTONIC));
    FAILS(ETIMEDOUT, waitv(list, 1, 0, &past, CLOCK_REALTIME));
    list[5].value = 1;
    FAILS(EAGAIN, waitv(list, MOST, 0, NULL, 0));
    FAILS(EAGAIN, waitv(list, MOST, 0, &past, CLOCK_MONOTONIC));
    set(list, 0, MOST);
    list[3].flags = PRIVATE;
    FAILS(EINVAL, waitv(list, 4, 0, NULL, 0));
    list[3].flags = SIZE_32 | 0x40;
    FAILS(EINVAL, waitv(list, 4, 0, NULL, 0));
    set(list, 0, 4);
    list[3].reserved = 1;
    FAILS(EINVAL, waitv(list, 4, 0, NULL, 0));
    set(list, 0, 4);
    list[3].address++;
    FAILS(EINVAL, waitv(list, 4, 0, NULL, 0));
    set(list, 0, 4);
    list[3].address = 8;
    FAILS(EFAULT, waitv(list, 4, 0, NULL, 0));
    list[3].value = 1LL << 40;
    FAILS(EINVAL, waitv(list, 4, 0, NULL, 0));
}

int main(void)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_t threads[4];
    threads[0] = waits_for(0, MOST);
    refused();
    printf("woken %ld, ", wake(&words[77], 1, PRIVATE));
    printf("it was %d; ", AS_INTEGER(join(threads[0])));
    printf("again %ld %ld\n", wake(&words[77], 1, PRIVATE), wake(&words[0], 1, PRIVATE));

    /* Four sets that share words 2 and 3: 0-3, 1-3, 2-4, 3-4. */
    for (int n = 0; n < 4; n++)
        threads[n] = waits_for(n, n < 2 ? 4 - n : 5 - n);
    /* Whoever is woken leaves the other words when it runs. */
    printf("word 2 wakes %ld", wake(&words[2], 2, PRIVATE));
    sleep_ms(50);
    printf(", then %ld", wake(&words[2], 9, PRIVATE));
    sleep_ms(50);
    printf(", word 0 %ld, word 3 %ld\n", wake(&words[0], 9, PRIVATE), wake(&words[3], 9, PRIVATE));
    for (int n = 0; n < 4; n++)
        printf("%d%c", AS_INTEGER(join(threads[n])), n < 3 ? ' ' : '\n');

    threads[0] = waits_for(1, 2);
    long moved = syscall(SYS_futex, &words[2], FUTEX_REQUEUE | PRIVATE, 0, (void *)9L, &words[9], 0);
    printf("moved %ld, ", moved);
    printf("woken there %ld, ", wake(&words[9], 1, PRIVATE));
    printf("index %d\n", AS_INTEGER(join(threads[0])));

    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    struct one list[2];
    set(list, 0, 2);
    for (int n = 0; n < 2; n++) {
        int64_t begin = now_ns(clocks[n]);
        struct timespec limit = timespec_of(begin + 20 * MILLISECOND);
        FAILS(ETIMEDOUT, waitv(list, 2, 0, &limit, clocks[n]));
        CHECK(now_ns(clocks[n]) - begin >= 20 * MILLISECOND, "too early");
    }

    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    threads[0] = start(is_interrupted, NULL);
    until_asleep();
    ZERO(pthread_kill(threads[0], SIGUSR1));
    join(threads[0]);
    threads[0] = start(is_cancelled, NULL);
    until_asleep();
    ZERO(pthread_cancel(threads[0]));
    CHECK(join(threads[0]) == PTHREAD_CANCELED, "not cancelled");
    printf("behind both nobody waits: %ld\n", wake(&words[0], 9, PRIVATE));

    /* A fork while threads wait: in the child nobody does; it wakes the parent's through shared memory. */
    long index = -1;
    threads[0] = start(waits_shared, &index);
    until_asleep();
    threads[1] = waits_for(0, 1);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        printf("in the child wakes %ld, ", wake(&words[0], 9, PRIVATE));
        threads[2] = waits_for(3, 2);
        printf("then %ld, ", wake(&words[4], 9, PRIVATE));
        printf("index %d, ", AS_INTEGER(join(threads[2])));
        shared[2] = 1;
        printf("the parent's %ld\n", wake(&shared[2], 1, 0));
        fflush(stdout);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "child's status %#x", status);
    join(threads[0]);
    printf("index %ld\n", index);
    printf("the other waits still: %ld\n", wake(&words[0], 9, PRIVATE));
    join(threads[1]);
    return 0;
}
