/*
 * A thread sleeps by a `syscall` instruction in code that the program generates at run time, as a just-in-time compiler
 * could, while another thread counts ticks. Natively they wait at the same time.
 *
 * Nobody who reads the program's files can know of that instruction. Prints each tick with the seconds since the start.
 * Knows nothing of grivet.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { TICKS = 4, TICK_MICROSECONDS = 100000 };

static struct timespec start;

static double seconds_since_start(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
}

typedef long sleeper(const struct timespec *time, struct timespec *left);

/* `mov $SYS_nanosleep, %eax; syscall; ret` in memory of its own: the arguments are in the right registers already. */
static sleeper *generate(void)
{
    static const unsigned char code[] = {0xb8, SYS_nanosleep, 0, 0, 0, 0x0f, 0x05, 0xc3};
    void *page = mmap(NULL, sizeof code, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return NULL;
    memcpy(page, code, sizeof code);
    return mprotect(page, sizeof code, PROT_READ | PROT_EXEC) == 0 ? (sleeper *)page : NULL;
}

static void *sleep_by_generated_code(void *code)
{
    struct timespec half_a_second = {.tv_nsec = 500000000};
    ((sleeper *)code)(&half_a_second, NULL);
    printf("[%.1f s] the generated code has slept\n", seconds_since_start());
    return NULL;
}

static void *tick(void *argument)
{
    for (int i = 1; i <= TICKS; i++) {
        usleep(TICK_MICROSECONDS);
        printf("[%.1f s] tick %d\n", seconds_since_start(), i);
    }
    return argument;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */
    clock_gettime(CLOCK_MONOTONIC, &start);

    sleeper *code = generate();
    pthread_t threads[2];
    if (code == NULL || pthread_create(&threads[0], NULL, tick, NULL) != 0 ||
        pthread_create(&threads[1], NULL, sleep_by_generated_code, (void *)code) != 0)
        return 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
