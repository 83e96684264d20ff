/*
 * A shared library for dlopen that makes its system calls by instructions of its own: a futex lock and a sleep,
 * used by loading/dlopened_inline_syscalls.c. Built with -shared.
 */
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

static long call(long number, long a, long b, long c, long d)
{
    long result;
    register long fourth __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
    return result;
}

/* 0 free, 1 held, 2 held and waited for: the mutex of Drepper's "Futexes Are Tricky". */
void plugin_lock(uint32_t *word)
{
    uint32_t seen = 0;
    if (__atomic_compare_exchange_n(word, &seen, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
        call(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, 2, 0);
}

void plugin_unlock(uint32_t *word)
{
    if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
        call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0);
}

void plugin_sleep_us(long microseconds)
{
    struct timespec time = {0, microseconds * 1000};
    call(SYS_nanosleep, (long)&time, 0, 0, 0);
}

int plugin_thread_id(void)
{
    return (int)call(SYS_gettid, 0, 0, 0, 0);
}
