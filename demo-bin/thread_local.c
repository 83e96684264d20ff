/*
 * Two threads, each of which serves a request and keeps what belongs to it where threaded programs do: the request in
 * a thread-local variable, the reason of a failed call in errno, which is one as well. Both wait before they look.
 *
 * Exit status 0 if each thread found its own, 1 if one found the other's. Knows nothing of grivet.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MICROSECONDS = 200000 };

static _Thread_local const char *current_request;

static void no_such_file(void)
{
    if (open("/no/such/file", O_RDONLY) != -1)
        errno = 0;
}

static void no_such_descriptor(void)
{
    if (close(-1) != -1)
        errno = 0;
}

struct request {
    const char *name;
    void (*fail)(void);
    int reason; /* what errno is afterwards */
};

static void *serve(void *argument)
{
    const struct request *request = argument;
    current_request = request->name;
    request->fail();
    usleep(WAIT_MICROSECONDS);
    int reason = errno;

    bool right = true;
    printf("%s: my request is %s\n", request->name, current_request);
    if (strcmp(current_request, request->name) != 0) {
        printf("%s: that is not mine\n", request->name);
        right = false;
    }
    printf("%s: errno says: %s\n", request->name, strerror(reason));
    if (reason != request->reason) {
        printf("%s: that is not mine, which was: %s\n", request->name, strerror(request->reason));
        right = false;
    }
    return right ? argument : NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */

    static struct request requests[] = {
        {"A", no_such_file, ENOENT},
        {"B", no_such_descriptor, EBADF},
    };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, serve, &requests[i]) != 0)
            return 1;
    bool right = true;
    for (int i = 0; i < 2; i++) {
        void *result;
        pthread_join(threads[i], &result);
        right = result != NULL && right;
    }
    puts(right ? "each thread had its own" : "a thread had another's");
    return right ? 0 : 1;
}
