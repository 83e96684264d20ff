/*
 * A thread waits 700 ms in a call that grivet leaves to the kernel (io_uring_enter with a registered ring descriptor),
 * and that would end with EINTR whatever signal came. The program has no signals, so it never sees that.
 */
#include "../check.h"
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static void *waits_for_nothing(void *argument)
{
    usleep(900000);
    return argument;
}

static long enter(unsigned ring, unsigned submit, unsigned completions, unsigned flags)
{
    return syscall(SYS_io_uring_enter, ring, submit, completions, flags | IORING_ENTER_REGISTERED_RING, NULL, 0);
}

int main(void)
{
    pthread_t other;
    ZERO(pthread_create(&other, NULL, waits_for_nothing, NULL));
    struct io_uring_params made = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &made);
    struct io_uring_rsrc_update registered = {.offset = -1U, .data = (uint64_t)ring};
    if (ring >= 0 && syscall(SYS_io_uring_register, ring, IORING_REGISTER_RING_FDS, &registered, 1) == 1) {
        char *queue = mmap(NULL, made.sq_off.array + made.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE,
            MAP_SHARED, ring, IORING_OFF_SQ_RING);
        struct io_uring_sqe *entry =
            mmap(NULL, made.sq_entries * sizeof *entry, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
        CHECK(queue != MAP_FAILED && entry != MAP_FAILED, "mmap");
        struct __kernel_timespec time = {.tv_nsec = 700 * MILLISECOND};
        *entry = (struct io_uring_sqe){.opcode = IORING_OP_TIMEOUT, .fd = -1, .addr = (uintptr_t)&time, .len = 1};
        ((unsigned *)(queue + made.sq_off.array))[0] = 0;
        __atomic_store_n((unsigned *)(queue + made.sq_off.tail), 1, __ATOMIC_RELEASE);
        CHECK(enter(registered.offset, 1, 0, 0) == 1, "the timeout was not taken");
        long result = enter(registered.offset, 0, 1, IORING_ENTER_GETEVENTS);
        CHECK(result == 0, "the wait gave %ld", result);
    } /* else the kernel has no such rings, or forbids them */
    ZERO(pthread_join(other, NULL));
    puts("done");
    return 0;
}
