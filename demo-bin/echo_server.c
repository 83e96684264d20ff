/*
 * An echo server of the oldest kind: one thread a connection, blocking reads and writes, and nothing else. Listens on
 * 127.0.0.1 and the given port (0, the default, is any free one) and prints "listening on 127.0.0.1:PORT".
 *
 * Ten thousand clients are ten thousand threads, so each has a small stack. SIGTERM and SIGINT end the server with
 * status 0. Knows nothing of grivet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024, BUFFER_SIZE = 1024 };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Writes all of `text`; 0 when the client is gone. */
static int write_all(int connection, const char *text, ssize_t length)
{
    for (ssize_t count; length > 0; text += count, length -= count) {
        count = write(connection, text, (size_t)length);
        if (count < 0)
            return 0;
    }
    return 1;
}

static void *serve(void *argument)
{
    int connection = (int)(intptr_t)argument;
    char buffer[BUFFER_SIZE];
    ssize_t length;
    do
        length = read(connection, buffer, sizeof buffer);
    while (length > 0 && write_all(connection, buffer, length));
    close(connection);
    return NULL;
}

static void end(int signal)
{
    (void)signal;
    _exit(0);
}

/* As many connections as the system lets this process have; the usual limit is 1,024 files. */
static void raise_limit_of_files(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int listening_socket(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0)
        fail("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, size) < 0)
        fail("bind");
    if (listen(listener, SOMAXCONN) < 0)
        fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int argc, char **argv)
{
    char *rest = "";
    long port = argc > 1 ? strtol(argv[1], &rest, 10) : 0;
    if (argc > 2 || *rest != '\0' || port < 0 || port > 65535) {
        fprintf(stderr, "usage: echo_server [PORT]\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a client that is gone ends its thread, by write's error, not the server */
    raise_limit_of_files();
    int listener = listening_socket((uint16_t)port);

    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) {
            if (errno == ECONNABORTED)
                continue;
            fail("accept");
        }
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        pthread_t thread;
        int error = pthread_create(&thread, &attributes, serve, (void *)(intptr_t)connection);
        if (error != 0) {
            fprintf(stderr, "pthread_create: %s\n", strerror(error));
            close(connection);
        }
    }
}
