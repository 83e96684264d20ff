/*
 * OpenMP, whose runtime waits by futex instructions of its own: parallel for with reductions and every schedule,
 * critical, atomic, single, sections, barriers, ordered, tasks with dependencies, locks, threadprivate, nesting.
 */
#include "../check.h"
#include <omp.h>

static int private_word;
#pragma omp threadprivate(private_word)

static long fibonacci(int n)
{
    long left, right;
    if (n < 2)
        return n;
#pragma omp task shared(left) if (n > 8)
    left = fibonacci(n - 1);
#pragma omp task shared(right) if (n > 8)
    right = fibonacci(n - 2);
#pragma omp taskwait
    return left + right;
}

int main(void)
{
    long sum = 0, in_critical = 0, in_atomic = 0, singles = 0, fib = 0, nested = 0;
    int width = 0, chain = 0;
    char order[17] = "";
#pragma omp parallel
    {
#pragma omp single
        width = omp_get_num_threads();
        private_word = omp_get_thread_num();
    }
    printf("%d threads\n", width);
#pragma omp parallel for reduction(+ : sum) schedule(static)
    for (int n = 0; n < 100000; n++)
        sum += n;
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 100)
    for (int n = 0; n < 100000; n++)
        sum += n;
#pragma omp parallel for reduction(+ : sum) schedule(guided)
    for (int n = 0; n < 100000; n++)
        sum += n;
    printf("sum %ld\n", sum);
#pragma omp parallel
    {
        CHECK(private_word == omp_get_thread_num(), "threadprivate word %d", private_word);
        for (int n = 0; n < 20; n++) {
#pragma omp critical
            {
                long seen = in_critical;
                if (n % 10 == 0)
                    usleep(100);
                in_critical = seen + 1;
            }
#pragma omp atomic
            in_atomic++;
#pragma omp barrier
#pragma omp single
            singles++;
        }
    }
    printf("critical %ld, atomic %ld, singles %ld\n", in_critical, in_atomic, singles);
#pragma omp parallel for ordered schedule(dynamic)
    for (int n = 0; n < 16; n++) {
        usleep((16 - n) * 50);
#pragma omp ordered
        order[n] = (char)('a' + n);
    }
    printf("ordered %s\n", order);
#pragma omp parallel
#pragma omp single
    {
        fib = fibonacci(20);
        for (int n = 0; n < 10; n++) {
#pragma omp task depend(inout : chain)
            {
                usleep(100);
                chain = chain * 2 + 1;
            }
        }
    }
    printf("fibonacci %ld, chain %d\n", fib, chain);
    omp_lock_t lock;
    omp_nest_lock_t nest;
    omp_init_lock(&lock);
    omp_init_nest_lock(&nest);
    long locked = 0;
#pragma omp parallel for
    for (int n = 0; n < 200; n++) {
        omp_set_lock(&lock);
        locked++;
        if (n % 50 == 0)
            usleep(100);
        omp_unset_lock(&lock);
        omp_set_nest_lock(&nest);
        omp_set_nest_lock(&nest);
        omp_unset_nest_lock(&nest);
        omp_unset_nest_lock(&nest);
    }
    printf("locked %ld\n", locked);
    omp_set_max_active_levels(2);
#pragma omp parallel num_threads(3)
#pragma omp parallel num_threads(3)
#pragma omp atomic
    nested++;
    printf("nested %ld\n", nested);
#pragma omp parallel sections reduction(+ : locked)
    {
#pragma omp section
        locked += 1;
#pragma omp section
        locked += 2;
    }
    printf("sections %ld\n", locked);
    return 0;
}
