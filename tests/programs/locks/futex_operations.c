/*
 * The futex call itself, through syscall(): WAIT, WAIT_BITSET, WAKE, WAKE_BITSET, REQUEUE, CMP_REQUEUE and WAKE_OP,
 * counts returned, EAGAIN, ETIMEDOUT on relative and absolute times of both clocks, EINVAL, EFAULT, first waiter
 * first woken; private and shared.
 */
#include "../check.h"
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static int private_flag;
static uint32_t words[8];

static long futex(void *word, int operation, uint32_t value, const void *timeout_or_value2, void *word2, uint32_t value3)
{
    return syscall(SYS_futex, word, operation | private_flag, value, timeout_or_value2, word2, value3);
}

static int order[64], woken;

struct waiter {
    uint32_t *word;
    uint32_t mask;
    int number;
};

static int waiting;

static void *waits(void *argument)
{
    struct waiter *waiter = argument;
    __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
    long result = waiter->mask ? futex(waiter->word, FUTEX_WAIT_BITSET, 0, NULL, NULL, waiter->mask)
                               : futex(waiter->word, FUTEX_WAIT, 0, NULL, NULL, 0);
    CHECK(result == 0, "wait gave %ld", result);
    order[__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST)] = waiter->number;
    return NULL;
}

static struct waiter waiters[64];
static pthread_t threads[64];

/* Starts COUNT waiters numbered from FIRST on WORD, one after the other, and lets each go to sleep. */
static void start_waiters(uint32_t *word, uint32_t mask, int first, int count)
{
    for (int n = first; n < first + count; n++) {
        waiters[n] = (struct waiter){word, mask, n};
        int before = waiting;
        threads[n] = start(waits, &waiters[n]);
        while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) == before)
            sched_yield();
        sleep_ms(10);
    }
}

static void join_waiters(int first, int count)
{
    for (int n = first; n < first + count; n++)
        join(threads[n]);
}

static void wait_until_woken(int count)
{
    while (__atomic_load_n(&woken, __ATOMIC_SEQ_CST) < count)
        sched_yield();
    sleep_ms(3);
    CHECK(woken == count, "%d woken, expected %d", woken, count);
}

static void errors_and_timeouts(void)
{
    struct timespec soon = {0, 3 * MILLISECOND};
    int64_t before = now_ns(CLOCK_MONOTONIC);
    FAILS(EAGAIN, futex(&words[0], FUTEX_WAIT, 1, NULL, NULL, 0));
    FAILS(EAGAIN, futex(&words[0], FUTEX_WAIT_BITSET, 1, NULL, NULL, 1));
    FAILS(ETIMEDOUT, futex(&words[0], FUTEX_WAIT, 0, &soon, NULL, 0));
    CHECK(now_ns(CLOCK_MONOTONIC) - before >= 3 * MILLISECOND, "too early");
    struct timespec monotonic = deadline_in(CLOCK_MONOTONIC, 3 * MILLISECOND);
    FAILS(ETIMEDOUT, futex(&words[0], FUTEX_WAIT_BITSET, 0, &monotonic, NULL, FUTEX_BITSET_MATCH_ANY));
    CHECK(now_ns(CLOCK_MONOTONIC) >= monotonic.tv_sec * SECOND + monotonic.tv_nsec, "too early");
    struct timespec real = deadline_in(CLOCK_REALTIME, 3 * MILLISECOND);
    FAILS(ETIMEDOUT, futex(&words[0], FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &real, NULL, FUTEX_BITSET_MATCH_ANY));
    CHECK(now_ns(CLOCK_REALTIME) >= real.tv_sec * SECOND + real.tv_nsec, "too early");
    struct timespec past = {1, 0};
    FAILS(ETIMEDOUT, futex(&words[0], FUTEX_WAIT_BITSET, 0, &past, NULL, FUTEX_BITSET_MATCH_ANY));
    FAILS(EINVAL, futex(&words[0], FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    FAILS(EINVAL, futex(&words[0], FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    FAILS(EINVAL, futex((char *)words + 2, FUTEX_WAIT, 0, NULL, NULL, 0));
    FAILS(EINVAL, futex((char *)words + 2, FUTEX_WAKE, 1, NULL, NULL, 0));
    struct timespec impossible = {0, SECOND};
    FAILS(EINVAL, futex(&words[0], FUTEX_WAIT, 0, &impossible, NULL, 0));
    struct timespec negative = {-1, 0};
    FAILS(EINVAL, futex(&words[0], FUTEX_WAIT, 0, &negative, NULL, 0));
    FAILS(EFAULT, futex((void *)4096, FUTEX_WAIT, 0, NULL, NULL, 0));
    FAILS(EFAULT, futex(&words[0], FUTEX_WAIT, 0, (void *)4096, NULL, 0));
    FAILS(ENOSYS, futex(&words[0], 99, 0, NULL, NULL, 0));
    FAILS(EINVAL, futex(&words[0], FUTEX_CMP_REQUEUE, (uint32_t)-1, AS_POINTER(1), &words[1], 0));
    CHECK(futex(&words[0], FUTEX_WAKE, 10, NULL, NULL, 0) == 0, "wake of nobody");
    puts("errors and timeouts");
}

static void wakes(void)
{
    woken = 0;
    start_waiters(&words[0], 0, 0, 5);
    CHECK(futex(&words[1], FUTEX_WAKE, 5, NULL, NULL, 0) == 0, "wake of another word");
    for (int n = 0; n < 3; n++) {
        CHECK(futex(&words[0], FUTEX_WAKE, 1, NULL, NULL, 0) == 1, "wake of one");
        wait_until_woken(n + 1);
        CHECK(order[n] == n, "waiter %d was woken as number %d", order[n], n);
    }
    CHECK(futex(&words[0], FUTEX_WAKE, 100, NULL, NULL, 0) == 2, "wake of the rest");
    join_waiters(0, 5);
    puts("wake: first come, first woken");

    woken = 0;
    start_waiters(&words[0], 1, 0, 2);
    start_waiters(&words[0], 2, 2, 2);
    start_waiters(&words[0], 6, 4, 2);
    CHECK(futex(&words[0], FUTEX_WAKE_BITSET, 100, NULL, NULL, 8) == 0, "mask 8");
    CHECK(futex(&words[0], FUTEX_WAKE_BITSET, 100, NULL, NULL, 4) == 2, "mask 4");
    join_waiters(4, 2);
    CHECK(futex(&words[0], FUTEX_WAKE_BITSET, 1, NULL, NULL, 3) == 1, "mask 3, one");
    join_waiters(0, 1);
    CHECK(futex(&words[0], FUTEX_WAKE, 100, NULL, NULL, 0) == 3, "all the rest");
    join_waiters(1, 3);
    puts("wake by mask");
}

static void requeues(void)
{
    woken = 0;
    start_waiters(&words[0], 0, 0, 6);
    FAILS(EAGAIN, futex(&words[0], FUTEX_CMP_REQUEUE, 1, AS_POINTER(2), &words[1], 5));
    long touched = futex(&words[0], FUTEX_CMP_REQUEUE, 1, AS_POINTER(2), &words[1], 0);
    CHECK(touched == 3, "CMP_REQUEUE gave %ld", touched);
    wait_until_woken(1);
    touched = futex(&words[0], FUTEX_REQUEUE, 0, AS_POINTER(2), &words[2], 0);
    CHECK(touched == 2, "REQUEUE gave %ld", touched);
    CHECK(futex(&words[1], FUTEX_WAKE, 100, NULL, NULL, 0) == 2, "wake of the requeued");
    wait_until_woken(3);
    CHECK(futex(&words[2], FUTEX_WAKE, 100, NULL, NULL, 0) == 2, "wake of those requeued next");
    wait_until_woken(5);
    CHECK(futex(&words[0], FUTEX_WAKE, 100, NULL, NULL, 0) == 1, "wake of the last");
    join_waiters(0, 6);
    puts("requeue");
}

static void wake_operations(void)
{
    static const struct {
        int operation, argument, comparison, against;
        uint32_t before, after;
        long woken;
    } cases[] = {
        {FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 3, 3, 7, 2},      {FUTEX_OP_ADD, 7, FUTEX_OP_CMP_NE, 3, 3, 10, 1},
        {FUTEX_OP_OR, 6, FUTEX_OP_CMP_LT, 3, 1, 7, 2},       {FUTEX_OP_ANDN, 6, FUTEX_OP_CMP_GT, 3, 7, 1, 2},
        {FUTEX_OP_XOR, 6, FUTEX_OP_CMP_LE, 3, 3, 5, 2},      {FUTEX_OP_SET, 0, FUTEX_OP_CMP_GE, 3, 2, 0, 1},
        {FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, FUTEX_OP_CMP_EQ, 0, 0, 16, 2},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        woken = 0;
        words[4] = 0;
        start_waiters(&words[3], 0, 0, 1);
        start_waiters(&words[4], 0, 1, 1);
        words[4] = cases[n].before;
        uint32_t operation = FUTEX_OP((unsigned)cases[n].operation, (unsigned)cases[n].argument,
                                      (unsigned)cases[n].comparison, (unsigned)cases[n].against);
        long result = futex(&words[3], FUTEX_WAKE_OP, 1, AS_POINTER(1), &words[4], operation);
        CHECK(result == cases[n].woken, "case %zu woke %ld", n, result);
        CHECK(words[4] == cases[n].after, "case %zu left %u", n, words[4]);
        if (result == 1)
            CHECK(futex(&words[4], FUTEX_WAKE, 1, NULL, NULL, 0) == 1, "the second waiter of case %zu", n);
        join_waiters(0, 2);
        words[4] = 0;
    }
    puts("wake with an operation");
}

static void *wakes_later(void *argument)
{
    sleep_ms(20);
    return AS_POINTER(futex(argument, FUTEX_WAKE, 1, NULL, NULL, 0));
}

static void woken_before_the_timeout(void)
{
    struct timespec late = {60, 0};
    pthread_t waker = start(wakes_later, &words[0]);
    CHECK(futex(&words[0], FUTEX_WAIT, 0, &late, NULL, 0) == 0, "timed wait");
    CHECK(AS_INTEGER(join(waker)) == 1, "the waker woke nobody");
    late = deadline_in(CLOCK_REALTIME, 60 * SECOND);
    waker = start(wakes_later, &words[0]);
    CHECK(futex(&words[0], FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &late, NULL, FUTEX_BITSET_MATCH_ANY) == 0, "timed wait");
    CHECK(AS_INTEGER(join(waker)) == 1, "the waker woke nobody");
    puts("woken before the timeout");
}

int main(void)
{
    for (int shared = 0; shared < 2; shared++) {
        private_flag = shared ? 0 : FUTEX_PRIVATE_FLAG;
        printf("%s:\n", shared ? "shared" : "private");
        errors_and_timeouts();
        wakes();
        requeues();
        wake_operations();
        woken_before_the_timeout();
    }
    return 0;
}
