/*
 * fork from threads: in the child the forking thread is the only one, with its stack, thread-local words, name,
 * pthread_self and return value; its id becomes the process's; it makes threads of its own; it may return from its
 * thread function (status 0) or call exit, pthread_exit or _exit.
 */
#include "../check.h"
#include <sys/syscall.h>
#include <sys/wait.h>

static __thread int word;

static void *in_child(void *argument)
{
    CHECK(word == 0, "word %d in the child's new thread", word);
    sleep_ms(5);
    return AS_POINTER(AS_INTEGER(argument) + 1);
}

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    char name[16];
    int local = me * 1000;
    word = me;
    snprintf(name, sizeof name, "forker %d", me);
    pthread_setname_np(pthread_self(), name);
    pthread_t self = pthread_self();
    usleep(1000);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        char now[16];
        CHECK(word == me && local == me * 1000 && pthread_equal(self, pthread_self()), "the child's thread is another");
        CHECK(gettid() == getpid() && syscall(SYS_gettid) == getpid(), "tid %d, pid %d", gettid(), getpid());
        pthread_getname_np(pthread_self(), now, sizeof now);
        CHECK(strcmp(name, now) == 0, "name %s became %s", name, now);
        usleep(2000);
        int sum = 0;
        for (int n = 0; n < 5; n++)
            sum += AS_INTEGER(join(start(in_child, AS_POINTER(n))));
        CHECK(sum == 15, "sum %d", sum);
        switch (me % 4) {
        case 0: return NULL;
        case 1: exit(me);
        case 2: pthread_exit(NULL);
        default: _exit(me);
        }
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "status %#x of child %d", status, me);
    CHECK(WEXITSTATUS(status) == (me % 2 ? me : 0), "status %d of child %d", WEXITSTATUS(status), me);
    CHECK(word == me && pthread_equal(self, pthread_self()), "the parent's thread");
    return AS_POINTER(1);
}

int main(void)
{
    pthread_t threads[12];
    int count = 0;
    for (int n = 0; n < 12; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < 12; n++)
        count += AS_INTEGER(join(threads[n]));
    printf("%d threads forked\n", count);
    return 0;
}
