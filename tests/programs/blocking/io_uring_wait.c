/*
 * io_uring without a library: threads wait, each on a ring of its own, for the completion of a read on a pipe that
 * main writes to afterwards; one waits for a time-out with a limit of time (EXT_ARG). Where the kernel does not offer
 * io_uring the program says so and ends well.
 */
#include "../check.h"
#include <linux/io_uring.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { THREADS = 6, ENTRIES = 4 };
static int pipes[THREADS][2];
static sem_t begun;

struct ring {
    int descriptor;
    unsigned *submission_tail, *submission_mask, *submission_array;
    unsigned *completion_head, *completion_tail, *completion_mask;
    struct io_uring_sqe *submissions;
    struct io_uring_cqe *completions;
};

static int setup(struct io_uring_params *parameters)
{
    return (int)syscall(SYS_io_uring_setup, ENTRIES, parameters);
}

static struct ring open_ring(void)
{
    struct io_uring_params parameters = {0};
    struct ring ring = {.descriptor = setup(&parameters)};
    CHECK(ring.descriptor >= 0 && parameters.features & IORING_FEAT_SINGLE_MMAP, "io_uring_setup");
    size_t length = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    size_t other = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    char *rings = mmap(NULL, length > other ? length : other, PROT_READ | PROT_WRITE, MAP_SHARED, ring.descriptor,
                       IORING_OFF_SQ_RING);
    ring.submissions = mmap(NULL, parameters.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
                            MAP_SHARED, ring.descriptor, IORING_OFF_SQES);
    CHECK(rings != MAP_FAILED && ring.submissions != MAP_FAILED, "mmap");
    ring.submission_tail = (unsigned *)(rings + parameters.sq_off.tail);
    ring.submission_mask = (unsigned *)(rings + parameters.sq_off.ring_mask);
    ring.submission_array = (unsigned *)(rings + parameters.sq_off.array);
    ring.completion_head = (unsigned *)(rings + parameters.cq_off.head);
    ring.completion_tail = (unsigned *)(rings + parameters.cq_off.tail);
    ring.completion_mask = (unsigned *)(rings + parameters.cq_off.ring_mask);
    ring.completions = (struct io_uring_cqe *)(rings + parameters.cq_off.cqes);
    return ring;
}

static void add(struct ring *ring, struct io_uring_sqe submission)
{
    unsigned tail = *ring->submission_tail, index = tail & *ring->submission_mask;
    ring->submissions[index] = submission;
    ring->submission_array[index] = index;
    __atomic_store_n(ring->submission_tail, tail + 1, __ATOMIC_RELEASE);
}

/* The result of the next completion, which must be there and be that of the submission with USER_DATA. */
static int take(struct ring *ring, unsigned user_data)
{
    unsigned head = *ring->completion_head;
    CHECK(head != __atomic_load_n(ring->completion_tail, __ATOMIC_ACQUIRE), "no completion");
    const struct io_uring_cqe *completion = &ring->completions[head & *ring->completion_mask];
    CHECK(completion->user_data == user_data, "user data %llu", completion->user_data);
    int result = completion->res;
    __atomic_store_n(ring->completion_head, head + 1, __ATOMIC_RELEASE);
    return result;
}

static long enter(struct ring *ring, unsigned submit, unsigned wait, unsigned flags, void *argument, size_t length)
{
    return syscall(SYS_io_uring_enter, ring->descriptor, submit, wait, flags, argument, length);
}

static void *nothing(void *argument)
{
    return argument;
}

/* Submits a read and waits for it in one call, or (odd threads) in two. */
static void *reads(void *argument)
{
    int me = AS_INTEGER(argument);
    char text[32] = "";
    struct ring ring = open_ring();
    add(&ring, (struct io_uring_sqe){.opcode = IORING_OP_READ, .fd = pipes[me][0], .addr = (uintptr_t)text,
                                     .len = sizeof text, .user_data = 100u + (unsigned)me});
    sem_post(&begun);
    if (me % 2) {
        CHECK(enter(&ring, 1, 0, 0, NULL, 0) == 1, "submitting");
        CHECK(enter(&ring, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 0, "waiting");
    } else {
        CHECK(enter(&ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1, "submitting and waiting");
    }
    int result = take(&ring, 100u + (unsigned)me);
    CHECK(result > 0 && atoi(text) == me, "result %d, text %s", result, text);
    return AS_POINTER(result);
}

/* Nothing completes, so that the wait ends at its own limit; then a time-out completes. */
static void *waits_with_limit(void *argument)
{
    struct ring ring = open_ring();
    struct __kernel_timespec soon = {.tv_nsec = 10 * MILLISECOND};
    struct io_uring_getevents_arg limit = {.ts = (uintptr_t)&soon};
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
    FAILS(ETIME, enter(&ring, 0, 1, flags, &limit, sizeof limit));
    add(&ring, (struct io_uring_sqe){.opcode = IORING_OP_TIMEOUT, .addr = (uintptr_t)&soon, .len = 1});
    CHECK(enter(&ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1, "a time-out");
    CHECK(take(&ring, 0) == -ETIME, "the time-out's result");
    return argument;
}

int main(void)
{
    pthread_t threads[THREADS];
    struct io_uring_params parameters = {0};
    sem_init(&begun, 0, 0);
    int possible = setup(&parameters);
    CHECK(possible >= 0 || errno == ENOSYS || errno == EPERM, "io_uring_setup");
    join(start(possible >= 0 ? waits_with_limit : nothing, NULL));
    if (possible < 0) {
        puts("no io_uring here");
        return 0;
    }
    puts("limits kept");
    for (int n = 0; n < THREADS; n++) {
        CHECK(pipe(pipes[n]) == 0, "pipe");
        threads[n] = start(reads, AS_POINTER(n));
    }
    for (int n = 0; n < THREADS; n++)
        sem_wait(&begun);
    sleep_ms(20);
    for (int n = THREADS - 1; n >= 0; n--) {
        char text[8];
        int length = snprintf(text, sizeof text, "%d", n);
        CHECK(write(pipes[n][1], text, (size_t)length) == length, "write");
        printf("thread %d read %d byte\n", n, AS_INTEGER(join(threads[n])));
    }
    return 0;
}
