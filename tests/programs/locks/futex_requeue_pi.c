/*
 * FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI by raw calls: the first of the waiters is given the lock if it is
 * free, the others follow as it is unlocked; time limits before and after the move; what is refused. FUTEX_TRYLOCK_PI,
 * FUTEX_LOCK_PI2, and operations that the kernel does not have.
 */
#include "asleep.h"
#include <linux/futex.h>
#include <sys/syscall.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
enum { WAITERS = 4, PRIVATE = FUTEX_PRIVATE_FLAG };
static uint32_t condition, other_condition;
static _Atomic uint32_t lock, other_lock;
static char record[32];
static atomic_int length, flags;

static long futex(void *address, int operation, uint32_t value, const void *timeout, void *second, uint32_t third)
{
    return syscall(SYS_futex, address, operation, value, timeout, second, third);
}

static void told(const char *what)
{
    record[length] = 0;
    printf("%s: %s\n", what, record);
    length = 0;
}

static void unlock(void)
{
    uint32_t own = gettid();
    if (!atomic_compare_exchange_strong(&lock, &own, 0))
        CHECK(futex(&lock, FUTEX_UNLOCK_PI | flags, 0, NULL, NULL, 0) == 0, "unlock");
}

static void *waits(void *argument)
{
    will_sleep();
    CHECK(futex(&condition, FUTEX_WAIT_REQUEUE_PI | flags, 0, NULL, &lock, 0) == 0, "wait");
    CHECK((lock & FUTEX_TID_MASK) == (uint32_t)gettid(), "woken without the lock: %x", (uint32_t)lock);
    record[length++] = 'a' + AS_INTEGER(argument);
    sleep_ms(2);
    unlock();
    return NULL;
}

static void *waits_for_a_while(void *argument)
{
    clockid_t clock = AS_INTEGER(argument);
    struct timespec soon = deadline_in(clock, 100 * MILLISECOND);
    will_sleep();
    int realtime = clock == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0;
    FAILS(ETIMEDOUT, futex(&condition, FUTEX_WAIT_REQUEUE_PI | PRIVATE | realtime, 0, &soon, &lock, 0));
    CHECK(now_ns(clock) >= soon.tv_sec * SECOND + soon.tv_nsec, "too early");
    return NULL;
}

static void *waits_plainly(void *argument)
{
    will_sleep();
    CHECK(futex(&condition, FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0) == 0, "plain wait");
    return argument;
}

static void *locks_pi2(void *argument)
{
    struct timespec soon = deadline_in(CLOCK_MONOTONIC, 10 * MILLISECOND);
    FAILS(EAGAIN, futex(&lock, FUTEX_TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    FAILS(ETIMEDOUT, futex(&lock, FUTEX_LOCK_PI2 | PRIVATE, 0, &soon, NULL, 0));
    soon = deadline_in(CLOCK_REALTIME, 10 * MILLISECOND);
    FAILS(ETIMEDOUT, futex(&lock, FUTEX_LOCK_PI2 | PRIVATE | FUTEX_CLOCK_REALTIME, 0, &soon, NULL, 0));
    soon = deadline_in(CLOCK_REALTIME, 10 * MILLISECOND);
    FAILS(ETIMEDOUT, futex(&lock, FUTEX_LOCK_PI | PRIVATE, 0, &soon, NULL, 0));
    FAILS(EPERM, futex(&lock, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    will_sleep();
    CHECK(futex(&lock, FUTEX_LOCK_PI2 | PRIVATE, 0, NULL, NULL, 0) == 0, "lock");
    record[length++] = 'L';
    unlock();
    return argument;
}

static void take(void)
{
    uint32_t nobody = 0;
    if (!atomic_compare_exchange_strong(&lock, &nobody, gettid()))
        CHECK(futex(&lock, FUTEX_LOCK_PI | flags, 0, NULL, NULL, 0) == 0, "lock");
}

static long move(long most, uint32_t expected)
{
    return futex(&condition, FUTEX_CMP_REQUEUE_PI | flags, 1, (void *)most, &lock, expected);
}

static void round_of(const char *what, int holds_lock)
{
    pthread_t threads[WAITERS];
    for (int n = 0; n < WAITERS; n++) {
        threads[n] = start(waits, AS_POINTER(n));
        until_asleep();
    }
    if (holds_lock)
        take();
    FAILS(EAGAIN, move(WAITERS, 7));
    FAILS(EINVAL, futex(&condition, FUTEX_CMP_REQUEUE_PI | flags, 2, (void *)2L, &lock, 0));
    FAILS(EINVAL, futex(&condition, FUTEX_CMP_REQUEUE_PI | flags, 1, (void *)2L, &other_lock, 0));
    printf("moved %ld", move(1, 0));
    sleep_ms(10);
    printf(" and %ld", move(WAITERS, 0));
    printf(" and %ld\n", move(WAITERS, 0));
    if (holds_lock) {
        CHECK(length == 0, "woken while the lock is held");
        unlock();
    }
    for (int n = 0; n < WAITERS; n++)
        join(threads[n]);
    CHECK((lock & FUTEX_TID_MASK) == 0, "lock %x", (uint32_t)lock);
    lock = 0;
    told(what);
}

int main(void)
{
    flags = PRIVATE;
    round_of("the lock was free", 0);
    round_of("the lock was held", 1);
    flags = 0;
    round_of("shared, free", 0);
    round_of("shared, held", 1);
    flags = PRIVATE;

    join(start(waits_for_a_while, AS_POINTER(CLOCK_MONOTONIC)));
    join(start(waits_for_a_while, AS_POINTER(CLOCK_REALTIME)));
    asleep_tid = 0;
    pthread_t waiter = start(waits_for_a_while, AS_POINTER(CLOCK_MONOTONIC));
    until_asleep();
    take();
    printf("moved %ld", move(WAITERS, 0));
    join(waiter);
    unlock();
    printf(", lock %s behind a time-out\n", lock == 0 ? "free" : "not free");

    FAILS(EAGAIN, futex(&condition, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 1, NULL, &lock, 0));
    FAILS(EINVAL, futex(&condition, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, NULL, &condition, 0));
    FAILS(EINVAL, futex(&condition, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, NULL, (char *)&lock + 1, 0));
    FAILS(EINVAL, futex((char *)&condition + 2, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, NULL, &lock, 0));
    FAILS(EINVAL, futex(&condition, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, (void *)1L, &condition, 0));
    FAILS(EINVAL, futex(&condition, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, (void *)-1L, &lock, 0));
    struct timespec wrong = {0, SECOND};
    FAILS(EINVAL, futex(&condition, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, &wrong, &lock, 0));
    FAILS(EFAULT, futex(&condition, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, (void *)8, &lock, 0));
    FAILS(EFAULT, futex((void *)8, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, NULL, &lock, 0));
    waiter = start(waits_plainly, NULL);
    until_asleep();
    FAILS(EINVAL, move(1, 0));
    CHECK(futex(&condition, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0) == 1, "the plain waiter is gone");
    join(waiter);
    CHECK(futex(&other_condition, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, (void *)5L, &lock, 0) == 0, "none to move");

    CHECK(futex(&lock, FUTEX_TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0) == 0, "try");
    CHECK((lock & FUTEX_TID_MASK) == (uint32_t)getpid(), "lock %x", (uint32_t)lock);
    FAILS(EDEADLK, futex(&lock, FUTEX_TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    FAILS(EDEADLK, futex(&lock, FUTEX_LOCK_PI2 | PRIVATE, 0, NULL, NULL, 0));
    waiter = start(locks_pi2, NULL);
    until_asleep();
    unlock();
    join(waiter);
    told("LOCK_PI2");
    lock = 0x3ffffff0;
    FAILS(ESRCH, futex(&lock, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));

    static const int without_clock[] = {FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_LOCK_PI,
                                        FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAKE_BITSET, FUTEX_CMP_REQUEUE_PI};
    for (unsigned n = 0; n < sizeof without_clock / sizeof *without_clock; n++)
        FAILS(ENOSYS, futex(&lock, without_clock[n] | PRIVATE | FUTEX_CLOCK_REALTIME, 0, NULL, &condition, 0));
    FAILS(ENOSYS, futex(&lock, FUTEX_FD, 0, NULL, NULL, 0));
    FAILS(ENOSYS, futex(&lock, 14, 0, NULL, NULL, 0));
    FAILS(ENOSYS, futex(&lock, FUTEX_FD | PRIVATE, 0, NULL, NULL, 0));
    puts("refused what is wrong");
    return 0;
}
