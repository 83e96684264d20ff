/*
 * Ways to end while calls are running or from within one. The first argument names the way; each call says
 * when it has finished, and an exit handler says how many have.
 */
#include "../check.h"
#include <setjmp.h>
#include <signal.h>

static const char *way;
static jmp_buf target;
static int finished;

static void *volatile nowhere = NULL;

static int is_way(const char *name)
{
    return strcmp(way, name) == 0;
}

static void at_exit(void)
{
    printf("%d finished\n", finished);
}

__attribute__((noinline, noclone)) static void task(int number)
{
    jmp_buf own;
    sleep_ms(10 * number);
    if (number == 2) {
        fflush(stdout);
        if (is_way("exit in a call"))
            exit(5);
        if (is_way("_exit in a call"))
            _exit(6);
        if (is_way("abort"))
            abort();
        if (is_way("segmentation fault"))
            *(volatile int *)nowhere = 1;
        if (is_way("kill"))
            kill(getpid(), SIGTERM);
        if (is_way("longjmp"))
            longjmp(target, 1);
        if (is_way("siglongjmp"))
            siglongjmp(*(sigjmp_buf *)&target, 1);
        if (is_way("longjmp within") && setjmp(own) == 0)
            longjmp(own, 1);
        if (is_way("pthread_exit in a call"))
            pthread_exit(NULL);
    }
    printf("%d\n", number);
    finished++;
}

int main(int count, char **arguments)
{
    CHECK(count == 2, "%d arguments", count);
    way = arguments[1];
    atexit(at_exit);
    if (setjmp(target) != 0) {
        puts("main again");
        return 7;
    }
    for (int number = 1; number <= 3; number++)
        task(number);
    if (is_way("exit"))
        exit(3);
    if (is_way("_exit")) {
        sleep_ms(15);
        fflush(stdout);
        _exit(4);
    }
    if (is_way("pthread_exit"))
        pthread_exit(NULL);
    return 0;
}
