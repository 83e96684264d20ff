/*
 * Threads that the program makes by clone(2) itself, without thread-local storage, next to those of pthread_create: they run
 * while those run, sleep, read and write, have ids that the kernel knows, and wait for and wake futexes shared with
 * the others, in both directions. A signal sent to the process while such a thread runs is handled
 * once; one sent to that thread is handled in it. The process ends though such a thread is asleep.
 */
#include "../check.h"
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

enum { STACK = 64 << 10, ROUNDS = 200, BARE = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM };

/* What a bare thread may use of the C library: nothing that touches errno or a lock. It writes what went wrong. */
struct bare {
    uint32_t done, turn, go;
    int to[2], from[2];
    volatile int wrong, rounds;
    volatile pid_t id;
};

static volatile pid_t handled_in;
static volatile sig_atomic_t handled;

static long call(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

static void handler(int number)
{
    (void)number;
    handled_in = (pid_t)call(SYS_gettid, 0, 0, 0, 0);
    __atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
}

static long futex(uint32_t *word, int operation, uint32_t value)
{
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static int starts_bare(int (*body)(void *), struct bare *bare)
{
    char *stack = malloc(STACK);
    int thread = clone(body, stack + STACK, BARE, bare);
    CHECK(thread > 0, "clone");
    return thread;
}

static void finish(struct bare *bare)
{
    uint32_t seen;
    while ((seen = __atomic_load_n(&bare->done, __ATOMIC_SEQ_CST)) == 0)
        futex(&bare->done, FUTEX_WAIT, 0);
    CHECK(!bare->wrong, "in line %d of a bare thread", bare->wrong);
}

static void end(struct bare *bare)
{
    __atomic_store_n(&bare->done, 1, __ATOMIC_SEQ_CST);
    call(SYS_futex, (long)&bare->done, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1 << 30, 0);
}

#define BARE_CHECK(condition) \
    do {                      \
        if (!(condition))     \
            bare->wrong = __LINE__; \
    } while (0)

/* Through the C library's own sites: read, write, nanosleep, gettid. */
static int reads_and_writes(void *argument)
{
    struct bare *bare = argument;
    struct timespec time = {0, 5 * MILLISECOND};
    char byte;
    bare->id = (pid_t)syscall(SYS_gettid);
    BARE_CHECK(bare->id != getpid());
    for (int n = 0; n < ROUNDS; n++) {
        BARE_CHECK(read(bare->to[0], &byte, 1) == 1 && byte == (char)n);
        BARE_CHECK(write(bare->from[1], &byte, 1) == 1);
    }
    BARE_CHECK(nanosleep(&time, NULL) == 0);
    end(bare);
    return 0;
}

/* Takes turns with a thread of pthread_create: odd values of `turn` are its. */
static int takes_turns(void *argument)
{
    struct bare *bare = argument;
    for (uint32_t n = 1; n < 2 * ROUNDS; n += 2) {
        uint32_t now;
        while ((now = __atomic_load_n(&bare->turn, __ATOMIC_SEQ_CST)) != n)
            syscall(SYS_futex, &bare->turn, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, now, NULL, NULL, 0);
        __atomic_store_n(&bare->turn, n + 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &bare->turn, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
    }
    end(bare);
    return 0;
}

static int spins(void *argument)
{
    struct bare *bare = argument;
    bare->id = (pid_t)call(SYS_gettid, 0, 0, 0, 0);
    while (!__atomic_load_n(&bare->go, __ATOMIC_SEQ_CST))
        bare->rounds++;
    end(bare);
    return 0;
}

static int sleeps(void *argument)
{
    struct timespec time = {600, 0};
    (void)argument;
    call(SYS_nanosleep, (long)&time, 0, 0, 0);
    return 0;
}

static void *echoes(void *argument)
{
    struct bare *bare = argument;
    for (int n = 0; n < ROUNDS; n++) {
        char byte = (char)n;
        CHECK(write(bare->to[1], &byte, 1) == 1, "write");
        CHECK(read(bare->from[0], &byte, 1) == 1 && byte == (char)n, "read");
    }
    return NULL;
}

static void *takes_other_turns(void *argument)
{
    struct bare *bare = argument;
    for (uint32_t n = 0; n < 2 * ROUNDS; n += 2) {
        uint32_t now;
        while ((now = __atomic_load_n(&bare->turn, __ATOMIC_SEQ_CST)) != n)
            futex(&bare->turn, FUTEX_WAIT, now);
        __atomic_store_n(&bare->turn, n + 1, __ATOMIC_SEQ_CST);
        futex(&bare->turn, FUTEX_WAKE, 1);
    }
    return NULL;
}

static void *computes(void *argument)
{
    struct bare *bare = argument;
    for (volatile unsigned n = 0; bare->rounds < 1000; n++) {
    }
    return NULL;
}

int main(void)
{
    static struct bare files, turns, busy, late;
    struct sigaction action = {.sa_handler = handler};
    sigset_t user;
    pthread_t threads[3];
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    /* Before the first bare thread, so that there are others. */
    join(start(computes, &(struct bare){.rounds = 1000}));
    CHECK(pipe(files.to) == 0 && pipe(files.from) == 0, "pipe");
    threads[0] = start(echoes, &files);
    threads[1] = start(takes_other_turns, &turns);
    threads[2] = start(computes, &busy);
    sleep_ms(5);
    int reader = starts_bare(reads_and_writes, &files);
    starts_bare(takes_turns, &turns);
    int spinner = starts_bare(spins, &busy);
    for (int n = 0; n < 3; n++)
        join(threads[n]);
    finish(&files);
    finish(&turns);
    CHECK(files.id == reader, "id %d, made %d", files.id, reader);
    puts("read and wrote, took turns");

    CHECK(kill(getpid(), SIGUSR1) == 0, "kill");
    while (handled < 1)
        sleep_ms(1);
    CHECK(handled == 1 && handled_in == getpid(), "handled %d, in %d", handled, handled_in);
    /* Blocked everywhere but in the bare thread, which has main's mask of before. */
    sigemptyset(&user);
    sigaddset(&user, SIGUSR1);
    ZERO(pthread_sigmask(SIG_BLOCK, &user, NULL));
    CHECK(tgkill(getpid(), spinner, SIGUSR1) == 0, "tgkill");
    while (handled < 2)
        sleep_ms(1);
    CHECK(handled_in == spinner, "handled in %d, spinner %d", handled_in, spinner);
    CHECK(kill(getpid(), SIGUSR1) == 0, "kill");
    while (handled < 3)
        sleep_ms(1);
    CHECK(handled_in == spinner, "handled in %d, spinner %d", handled_in, spinner);
    __atomic_store_n(&busy.go, 1, __ATOMIC_SEQ_CST);
    finish(&busy);
    puts("handled signals");
    starts_bare(sleeps, &late);
    return 0;
}
