/*
 * A client and a server that talk by libzmq, over TCP within one process. libzmq carries their messages in threads of
 * its own: a reaper, which takes closed sockets apart, and an I/O thread, both of which wait in `epoll_wait`.
 *
 * Prints what came back. Needs libzmq3-dev, so only `scripts/demo --all` builds it. Knows nothing of grivet.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

enum { REQUESTS = 3, SIZE = 32 };

/* Answers each request with what it holds. */
static void *serve(void *socket)
{
    for (int i = 0; i < REQUESTS; i++) {
        char request[SIZE];
        int length = zmq_recv(socket, request, sizeof request, 0);
        if (length == -1 || zmq_send(socket, request, (size_t)length, 0) == -1) {
            fprintf(stderr, "zmq_requests: server: %s\n", zmq_strerror(zmq_errno()));
            break;
        }
    }
    zmq_close(socket);
    return NULL;
}

static int ask(void *socket, int number)
{
    char request[SIZE], answer[SIZE] = "";
    int length = snprintf(request, sizeof request, "request %d", number);
    if (zmq_send(socket, request, (size_t)length, 0) == -1 || zmq_recv(socket, answer, sizeof answer - 1, 0) == -1) {
        fprintf(stderr, "zmq_requests: client: %s\n", zmq_strerror(zmq_errno()));
        return 1;
    }
    printf("%s came back\n", answer);
    return strcmp(request, answer) != 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */

    void *context = zmq_ctx_new();
    void *server = zmq_socket(context, ZMQ_REP), *client = zmq_socket(context, ZMQ_REQ);
    char endpoint[64];
    size_t size = sizeof endpoint;
    if (zmq_bind(server, "tcp://127.0.0.1:*") == -1 ||
        zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, endpoint, &size) == -1 || zmq_connect(client, endpoint) == -1) {
        fprintf(stderr, "zmq_requests: %s\n", zmq_strerror(zmq_errno()));
        return 1;
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, server) != 0)
        return 1;
    int wrong = 0;
    for (int number = 1; number <= REQUESTS; number++)
        wrong += ask(client, number);
    pthread_join(thread, NULL);
    zmq_close(client);
    zmq_ctx_term(context);
    return wrong == 0 ? 0 : 1;
}
