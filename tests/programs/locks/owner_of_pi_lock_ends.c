/*
 * A thread ends with a priority-inheritance lock (FUTEX_LOCK_PI by raw calls, no robust list): the lock goes to the one
 * of its waiters that has waited longest, and its word says that an owner died; the others follow as it is unlocked. With
 * two such locks each goes to a waiter of its own. If nobody waits, whoever comes later is told that there is no such
 * thread (of a private one). A plain wake-up, or move, at a word where threads wait for such a lock is refused.
 */
#include "asleep.h"
#include <limits.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/syscall.h>

enum { WAITERS = 3 };
static _Atomic uint32_t lock, other_lock, alone;
static uint32_t condition, elsewhere;
static atomic_int flags, length;
static char record[16];
static sem_t taken, go_on;

static long futex(void *address, int operation, uint32_t value, void *second, void *third, uint32_t fourth)
{
    return syscall(SYS_futex, address, operation | flags, value, second, third, fourth);
}

static void *ends_with_them(void *argument)
{
    CHECK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0, "lock");
    CHECK(futex(&other_lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0, "lock");
    CHECK(futex(&alone, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0, "lock");
    sem_post(&taken);
    while (sem_wait(&go_on) != 0) {
    }
    return argument;
}

static void *waits(void *argument)
{
    _Atomic uint32_t *word = AS_INTEGER(argument) < WAITERS ? &lock : &other_lock;
    will_sleep();
    CHECK(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0, "lock");
    record[length++] = 'a' + AS_INTEGER(argument);
    uint32_t seen = *word;
    CHECK((seen & FUTEX_TID_MASK) == (uint32_t)gettid(), "the word is %x", seen);
    CHECK(((seen & FUTEX_OWNER_DIED) != 0) == (AS_INTEGER(argument) % WAITERS == 0), "the word is %x", seen);
    CHECK(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0, "unlock");
    return NULL;
}

static void *waits_to_be_moved(void *argument)
{
    will_sleep();
    CHECK(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &lock, 0) == 0, "wait");
    CHECK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0 || lock == 0, "unlock");
    return argument;
}

static void refused(void *address)
{
    FAILS(EINVAL, futex(address, FUTEX_WAKE, 1, NULL, NULL, 0));
    FAILS(EINVAL, futex(address, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
    FAILS(EINVAL, futex(address, FUTEX_WAKE_BITSET, 1, NULL, NULL, 1));
    FAILS(EINVAL, futex(address, FUTEX_REQUEUE, 0, (void *)1L, &elsewhere, 0));
    FAILS(EINVAL, futex(address, FUTEX_WAKE_OP, 1, (void *)1L, &elsewhere, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0)));
    FAILS(EINVAL, futex(&elsewhere, FUTEX_WAKE_OP, 1, (void *)1L, address, FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_NE, 77)));
}

static void all(const char *what)
{
    pthread_t owner = start(ends_with_them, NULL), threads[WAITERS + 1];
    while (sem_wait(&taken) != 0) {
    }
    for (int n = 0; n <= WAITERS; n++) {
        threads[n] = start(waits, AS_POINTER(n));
        until_asleep();
    }
    refused(&lock);
    sem_post(&go_on);
    join(owner);
    for (int n = 0; n <= WAITERS; n++)
        join(threads[n]);
    record[length] = 0;
    length = 0;
    /* The two locks' order is the kernel's own. */
    char first[WAITERS + 1] = "", *end = first;
    for (char *at = record; *at; at++)
        if (*at < 'a' + WAITERS)
            *end++ = *at;
    printf("%s: %s, %d in all, words %x and %x\n", what, first, (int)strlen(record), (uint32_t)lock,
           (uint32_t)other_lock);
    if (flags == FUTEX_PRIVATE_FLAG)
        FAILS(ESRCH, futex(&alone, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    CHECK((alone & FUTEX_OWNER_DIED) == 0, "the word is %x", (uint32_t)alone);
    lock = other_lock = alone = 0;

    pthread_t moved = start(waits_to_be_moved, NULL);
    until_asleep();
    refused(&condition);
    CHECK(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)0L, &lock, 0) == 1, "move");
    join(moved);
    lock = 0;
}

int main(void)
{
    sem_init(&taken, 0, 0);
    sem_init(&go_on, 0, 0);
    flags = FUTEX_PRIVATE_FLAG;
    all("private");
    flags = 0;
    all("shared");
    return 0;
}
