/*
 * A thousand threads, each waiting for its own pipe, are woken in an order that has nothing to do with that of their
 * descriptors; each gets its own bytes, and while some are woken all others wait on.
 */
#include "waiting.h"
#include <sys/resource.h>

enum { THREADS = 1000, ROUNDS = 3 };
static int pipes[THREADS][2], order[THREADS];
static int woken;

static void *reads(void *argument)
{
    int own = AS_INTEGER(argument), number;
    for (int round = 0; round < ROUNDS; round++) {
        COUNT(sizeof number, read(pipes[own][0], &number, sizeof number));
        CHECK(number == own * ROUNDS + round, "%d got %d", own, number);
        __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void shuffle(void)
{
    static uint64_t state = 12345;
    for (int n = 0; n < THREADS; n++)
        order[n] = n;
    for (int n = THREADS - 1; n > 0; n--) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        int other = (state >> 33) % (n + 1), number = order[n];
        order[n] = order[other];
        order[other] = number;
    }
}

int main(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max > 2 * THREADS + 100, "too few descriptors");
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    start_ticker();
    static pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        make_pipe(pipes[n]);
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(reads, AS_POINTER(n));
    others_go_on();
    CHECK(woken == 0, "%d woke without a byte", woken);
    for (int round = 0; round < ROUNDS; round++) {
        shuffle();
        for (int n = 0; n < THREADS; n++) {
            int number = order[n] * ROUNDS + round;
            COUNT(sizeof number, write(pipes[order[n]][1], &number, sizeof number));
            if (n % 100 == 50) {
                while (__atomic_load_n(&woken, __ATOMIC_SEQ_CST) <= round * THREADS + n)
                    sleep_ms(1);
                others_go_on();
                CHECK(woken == round * THREADS + n + 1, "%d woken by %d writes", woken, round * THREADS + n + 1);
            }
        }
    }
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    printf("%d threads were woken %d times\n", THREADS, woken);
    return 0;
}
