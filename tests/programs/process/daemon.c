/*
 * daemon() after threads were made, in a process that has joined them: the daemon, a new process without a
 * terminal, makes threads of its own and reports through a pipe; it and the first process end properly.
 */
#include "../check.h"
#include <sys/wait.h>

static void *doubles(void *argument)
{
    sleep_ms(20);
    return AS_POINTER(AS_INTEGER(argument) * 2);
}

static int sum_in_threads(void)
{
    pthread_t threads[10];
    int sum = 0;
    for (int n = 0; n < 10; n++)
        threads[n] = start(doubles, AS_POINTER(n));
    for (int n = 0; n < 10; n++)
        sum += AS_INTEGER(join(threads[n]));
    return sum;
}

int main(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0, "pipe");
    printf("before: %d\n", sum_in_threads());
    fflush(stdout);
    pid_t starter = fork();
    CHECK(starter >= 0, "fork");
    if (starter == 0) {
        close(ends[0]);
        pid_t before = getpid();
        CHECK(daemon(0, 0) == 0, "daemon");
        char line[64];
        int length = snprintf(line, sizeof line, "daemon: %d, new process %d, leader of its session %d\n",
                              sum_in_threads(), getpid() != before, getsid(0) == getpid());
        if (write(ends[1], line, (size_t)length) != length)
            _exit(1);
        exit(0);
    }
    close(ends[1]);
    int status;
    CHECK(waitpid(starter, &status, 0) == starter && status == 0, "status %#x", status);
    char line[64] = "";
    ssize_t length = read(ends[0], line, sizeof line - 1);
    CHECK(length > 0, "nothing from the daemon");
    fputs(line, stdout);
    CHECK(read(ends[0], line, 1) == 0, "the daemon still holds the pipe");
    printf("after: %d\n", sum_in_threads());
    return 0;
}
