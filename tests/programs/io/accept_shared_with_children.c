/*
 * A listener shared by processes: the parent and three children forked from it, with five threads each, wait in accept
 * on it; whichever process is faster gets the connection, and those that saw it come and were too late wait on without
 * stopping their other threads.
 */
#include "waiting.h"
#include <sys/wait.h>

enum { CHILDREN = 3, ACCEPTORS = 5, CONNECTIONS = 200 };
static int listening;

static void *accepts(void *argument)
{
    for (;;) {
        int descriptor = accept(listening, NULL, NULL);
        if (descriptor < 0) {
            CHECK(errno == EINVAL, "accept");
            return argument;
        }
        /* Threads that sleep show that accept stopped only its own. */
        others_go_on();
        COUNT(1, send(descriptor, "s", 1, 0));
        close(descriptor);
    }
}

static void serve(void)
{
    start_ticker();
    pthread_t threads[ACCEPTORS];
    for (int n = 0; n < ACCEPTORS; n++)
        threads[n] = start(accepts, NULL);
    for (int n = 0; n < ACCEPTORS; n++)
        join(threads[n]);
}

static void *connects(void *address)
{
    for (int n = 0; n < CONNECTIONS / 4; n++) {
        int descriptor = connected_to(address);
        char letter;
        COUNT(1, recv(descriptor, &letter, 1, 0));
        COUNT(0, recv(descriptor, &letter, 1, 0));
        close(descriptor);
    }
    return NULL;
}

static void *connects_and_ends(void *address)
{
    pthread_t threads[3];
    for (int n = 0; n < 3; n++)
        threads[n] = start(connects, address);
    connects(address);
    for (int n = 0; n < 3; n++)
        join(threads[n]);
    CHECK(shutdown(listening, SHUT_RD) == 0, "shutdown");
    return NULL;
}

int main(void)
{
    struct sockaddr_in address;
    listening = listener(&address, CONNECTIONS);
    pid_t children[CHILDREN];
    for (int n = 0; n < CHILDREN; n++) {
        children[n] = fork();
        CHECK(children[n] >= 0, "fork");
        if (children[n] == 0) {
            serve();
            _exit(0);
        }
    }
    pthread_t clients = start(connects_and_ends, &address);
    serve();
    join(clients);
    for (int n = 0; n < CHILDREN; n++) {
        int status;
        CHECK(waitpid(children[n], &status, 0) == children[n] && status == 0, "status %#x", status);
    }
    printf("%d processes served %d connections\n", CHILDREN + 1, CONNECTIONS);
    return 0;
}
