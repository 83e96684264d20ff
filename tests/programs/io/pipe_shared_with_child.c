/*
 * Another process holds the other ends: a child forked before there were threads, which makes threads of its own; one
 * forked among waiting threads; and this program run anew. Each answers from a second pipe, while in the parent one
 * thread writes, one reads and all others go on.
 */
#include "waiting.h"
#include <spawn.h>
#include <sys/wait.h>

enum { LINES = 2000, LENGTH = 300000 };
extern char **environ;
static int to_child[2], to_parent[2];

static void echo(int in, int out)
{
    char piece[5000];
    ssize_t got;
    while ((got = read(in, piece, sizeof piece)) > 0)
        COUNT(got, write(out, piece, got));
    CHECK(got == 0, "read gave %zd", got);
}

static void *echoes(void *argument)
{
    echo(to_child[0], to_parent[1]);
    return argument;
}

/* The child's part: ENDS of the parent are closed, a thread echoes if THREADED, main otherwise. */
static void child(int threaded)
{
    close(to_child[1]);
    close(to_parent[0]);
    if (threaded) {
        start_ticker();
        pthread_t thread = start(echoes, NULL);
        others_go_on();
        join(thread);
    } else
        echo(to_child[0], to_parent[1]);
    _exit(0);
}

static void *writes(void *bytes)
{
    for (int n = 0; n < LINES; n++) {
        char line[32];
        int length = snprintf(line, sizeof line, "line %d\n", n);
        COUNT(length, write(to_child[1], line, length));
    }
    others_go_on();
    COUNT(LENGTH, write(to_child[1], bytes, LENGTH));
    close(to_child[1]);
    return NULL;
}

static void *reads(void *argument)
{
    FILE *lines = fdopen(dup(to_parent[0]), "r");
    setvbuf(lines, NULL, _IONBF, 0);
    for (int n = 0; n < LINES; n++) {
        int number;
        CHECK(fscanf(lines, "line %d", &number) == 1 && number == n && fgetc(lines) == '\n', "line %d", n);
    }
    fclose(lines);
    read_slowly(to_parent[0], LENGTH, 2);
    char end;
    COUNT(0, read(to_parent[0], &end, 1));
    return argument;
}

static void talk_to(const char *name, pid_t process)
{
    CHECK(process > 0, "%s", name);
    close(to_child[0]);
    close(to_parent[1]);
    void *bytes = stream_of(LENGTH, 2);
    pthread_t writer = start(writes, bytes), reader = start(reads, NULL);
    join(writer);
    join(reader);
    close(to_parent[0]);
    int status;
    CHECK(waitpid(process, &status, 0) == process && status == 0, "%s: status %#x", name, status);
    printf("%s: all came back\n", name);
    free(bytes);
}

static pid_t forked(int threaded)
{
    fflush(stdout);
    pid_t process = fork();
    if (process == 0)
        child(threaded);
    return process;
}

int main(int count, char **arguments)
{
    if (count > 1) {
        echo(0, 1);
        return 0;
    }
    make_pipe(to_child);
    make_pipe(to_parent);
    pid_t early = forked(1);
    start_ticker();
    talk_to("forked before threads", early);

    make_pipe(to_child);
    make_pipe(to_parent);
    talk_to("forked among threads", forked(0));

    make_pipe(to_child);
    make_pipe(to_parent);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_child[0], 0);
    posix_spawn_file_actions_adddup2(&actions, to_parent[1], 1);
    for (int n = 0; n < 2; n++) {
        posix_spawn_file_actions_addclose(&actions, to_child[n]);
        posix_spawn_file_actions_addclose(&actions, to_parent[n]);
    }
    pid_t anew;
    char *again[] = {arguments[0], "echo", NULL};
    ZERO(posix_spawn(&anew, "/proc/self/exe", &actions, NULL, again, environ));
    posix_spawn_file_actions_destroy(&actions);
    talk_to("run anew", anew);
    return 0;
}
