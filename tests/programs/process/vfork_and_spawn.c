/*
 * vfork, posix_spawn, system and popen from main and from many threads at once: the command runs, its output and
 * status come back, and the caller's stack and the other threads are as they were.
 */
#include "../check.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int status_of(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "status %#x", status);
    return WEXITSTATUS(status);
}

static int by_vfork(const char *script)
{
    pid_t child = vfork();
    CHECK(child >= 0, "vfork");
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", script, NULL);
        _exit(127);
    }
    return status_of(child);
}

static int by_vfork_and_exit(int status)
{
    pid_t child = vfork();
    CHECK(child >= 0, "vfork");
    if (child == 0)
        _exit(status);
    return status_of(child);
}

static int by_spawn(const char *script)
{
    pid_t child;
    char *arguments[] = {"sh", "-c", (char *)script, NULL};
    ZERO(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ));
    return status_of(child);
}

static int by_popen(const char *script, const char *expected)
{
    char line[100] = "";
    FILE *stream = popen(script, "r");
    CHECK(stream != NULL, "popen");
    CHECK(fgets(line, sizeof line, stream) != NULL, "no line from %s", script);
    CHECK(strcmp(line, expected) == 0, "%s gave %s", script, line);
    return WEXITSTATUS(pclose(stream));
}

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    volatile int around[64];
    char script[64], expected[64];
    for (int n = 0; n < 64; n++)
        around[n] = me * 64 + n;
    snprintf(script, sizeof script, "exit %d", me + 1);
    CHECK(by_vfork(script) == me + 1, "vfork");
    CHECK(by_vfork_and_exit(me + 2) == me + 2, "vfork and _exit");
    usleep(500);
    CHECK(by_spawn(script) == me + 1, "posix_spawn");
    CHECK(WEXITSTATUS(system(script)) == me + 1, "system");
    snprintf(script, sizeof script, "echo thread %d; exit 3", me);
    snprintf(expected, sizeof expected, "thread %d\n", me);
    CHECK(by_popen(script, expected) == 3, "popen's status");
    pid_t missing;
    char *arguments[] = {"missing", NULL};
    GIVES(ENOENT, posix_spawn(&missing, "/no/such/program", NULL, NULL, arguments, environ));
    for (int n = 0; n < 64; n++)
        CHECK(around[n] == me * 64 + n, "the caller's stack changed");
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void)
{
    pthread_t threads[8];
    for (int n = 0; n < 8; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < 8; n++)
        join(threads[n]);
    body(AS_POINTER(50));
    puts("vfork, posix_spawn, system and popen from nine threads");
    return 0;
}
