/*
 * A small threaded runtime whose channels belong to threads, as those of a Jupyter kernel do: a thread named "shell"
 * serves the shell channel, one named "control" the control channel. A message is received on the channel's own thread
 * or not at all: `receive` asserts that, as ipykernel did with
 *
 *     assert current_thread().name == SHELL_CHANNEL_THREAD_NAME
 *
 * which is what failed when gevent's monkey patching had turned the threads into coroutines.
 *
 * Exit status 0 when both channels were served, SIGABRT when the assertion fails. Knows nothing of grivet.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGES = 3, POLL_MICROSECONDS = 50000 };

struct channel {
    const char *thread_name;
    atomic_int sent; /* messages that the main thread has put into the channel */
    int received;
};

static bool current_thread_is(const char *name)
{
    char current[16];
    pthread_getname_np(pthread_self(), current, sizeof current);
    if (strcmp(current, name) == 0)
        return true;
    printf("the %s channel is served by a thread named %s\n", name, current);
    return false;
}

/* The number of the next message, once there is one. */
static int receive(struct channel *channel)
{
    while (atomic_load(&channel->sent) == channel->received)
        usleep(POLL_MICROSECONDS);
    assert(current_thread_is(channel->thread_name));
    return ++channel->received;
}

static void *serve(void *argument)
{
    struct channel *channel = argument;
    pthread_setname_np(pthread_self(), channel->thread_name);
    while (channel->received < MESSAGES)
        printf("%s: message %d\n", channel->thread_name, receive(channel));
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */

    static struct channel channels[] = {{.thread_name = "shell"}, {.thread_name = "control"}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, serve, &channels[i]) != 0)
            return 1;
    for (int message = 0; message < MESSAGES; message++) {
        usleep(2 * POLL_MICROSECONDS);
        for (int i = 0; i < 2; i++)
            atomic_fetch_add(&channels[i].sent, 1);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    puts("both channels served");
    return 0;
}
