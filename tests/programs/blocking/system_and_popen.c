/*
 * Ten threads run a command each, by system() and by popen(), for reading and for writing. Every command says that it
 * has begun and then waits until main, which hears from all ten, lets them go on: they run at the same time or not at
 * all. Each thread gets its own command's output and status.
 */
#include "../check.h"
#include <fcntl.h>
#include <sys/wait.h>

enum { THREADS = 10 };

/* What the commands say they have begun with, and what lets them go on; one digit, as the shell wants it. */
enum { BEGUN = 7, GO_ON = 8 };
static int begun, go_on;

static void *by_system(void *argument)
{
    char command[80];
    snprintf(command, sizeof command, "printf x >&%d; read line <&%d; exit %d", BEGUN, GO_ON, AS_INTEGER(argument));
    int status = system(command);
    CHECK(WIFEXITED(status), "status %#x", status);
    return AS_POINTER(WEXITSTATUS(status));
}

static void *reads(void *argument)
{
    char command[80], line[16] = "";
    int me = AS_INTEGER(argument);
    snprintf(command, sizeof command, "printf x >&%d; read line <&%d; echo %d; exit 1", BEGUN, GO_ON, me);
    FILE *output = popen(command, "re");
    CHECK(output != NULL && fgets(line, sizeof line, output) != NULL && atoi(line) == me, "line %s", line);
    CHECK(fgets(line, sizeof line, output) == NULL && feof(output), "more lines");
    int status = pclose(output);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %#x", status);
    return AS_POINTER(me);
}

static void *writes(void *argument)
{
    char command[80];
    snprintf(command, sizeof command, "printf x >&%d; read line <&%d; read status; exit $status", BEGUN, GO_ON);
    FILE *input = popen(command, "we");
    CHECK(input != NULL && fprintf(input, "%d\n", AS_INTEGER(argument)) > 0, "popen");
    int status = pclose(input);
    CHECK(WIFEXITED(status), "status %#x", status);
    return AS_POINTER(WEXITSTATUS(status));
}

static void try(const char *name, void *(*body)(void *))
{
    pthread_t threads[THREADS];
    char byte;
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n + 20));
    for (int n = 0; n < THREADS; n++)
        CHECK(read(begun, &byte, 1) == 1, "read");
    for (int n = 0; n < THREADS; n++)
        CHECK(write(go_on, "\n", 1) == 1, "write");
    printf("%s:", name);
    for (int n = 0; n < THREADS; n++)
        printf(" %d", AS_INTEGER(join(threads[n])));
    puts("");
}

int main(void)
{
    int to_main[2], from_main[2];
    CHECK(pipe2(to_main, O_CLOEXEC) == 0 && pipe2(from_main, O_CLOEXEC) == 0, "pipe2");
    /* The commands' ends go where the shell can name them; main's go out of the way first. */
    begun = fcntl(to_main[0], F_DUPFD_CLOEXEC, 20);
    go_on = fcntl(from_main[1], F_DUPFD_CLOEXEC, 20);
    int write_end = fcntl(to_main[1], F_DUPFD_CLOEXEC, 20), read_end = fcntl(from_main[0], F_DUPFD_CLOEXEC, 20);
    CHECK(dup2(write_end, BEGUN) == BEGUN && dup2(read_end, GO_ON) == GO_ON, "dup2");
    try("system", by_system);
    try("popen for reading", reads);
    try("popen for writing", writes);
    return 0;
}
