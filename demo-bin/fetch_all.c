/*
 * A batch tool of the usual kind: it fetches N items (third argument, default 200) from the server HOST PORT, one at a
 * time, each over a connection of its own: look the host up, connect, send the request, read until the server closes.
 * Its server here is slow_server.py, which takes 100 ms for an answer, so N = 200 takes twenty seconds, all of it
 * waiting.
 *
 * Reports every fiftieth item and, at the end, how many have the right result and the time. Knows nothing of grivet.
 */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REPORTED = 50 };

static const char *host, *port;
static long *results;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A connection to the server, or -1. */
static int connected(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "fetch_all: %s: %s\n", host, gai_strerror(error));
        return -1;
    }
    int connection = -1;
    for (struct addrinfo *one = found; one != NULL && connection < 0; one = one->ai_next) {
        connection = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
        if (connection >= 0 && connect(connection, one->ai_addr, one->ai_addrlen) < 0) {
            close(connection);
            connection = -1;
        }
    }
    freeaddrinfo(found);
    if (connection < 0)
        fprintf(stderr, "fetch_all: no connection to %s port %s\n", host, port);
    return connection;
}

__attribute__((noinline)) static void fetch(long item)
{
    int connection = connected();
    if (connection < 0)
        return;
    char text[64];
    int length = snprintf(text, sizeof text, "%ld\n", item);
    if (write(connection, text, (size_t)length) == length) {
        size_t held = 0;
        ssize_t got;
        while (held < sizeof text - 1 && (got = read(connection, text + held, sizeof text - 1 - held)) > 0)
            held += (size_t)got;
        text[held] = '\0';
        results[item] = strtol(text, NULL, 10);
    }
    close(connection);
    if ((item + 1) % REPORTED == 0)
        printf("item %ld is here\n", item + 1);
}

__attribute__((noinline)) static void report(long wanted, double start)
{
    long right = 0;
    for (long item = 0; item < wanted; item++)
        right += results[item] == item * item + 1;
    printf("fetched %ld of %ld items in %.2f s\n", right, wanted, seconds_now() - start);
}

int main(int argc, char **argv)
{
    char *rest = "";
    long wanted = argc > 3 ? strtol(argv[3], &rest, 10) : 200;
    if (argc < 3 || argc > 4 || *rest != '\0' || wanted < 1) {
        fprintf(stderr, "usage: fetch_all HOST PORT [N]\n");
        return 2;
    }
    host = argv[1];
    port = argv[2];
    results = calloc((size_t)wanted, sizeof *results);
    if (results == NULL) {
        perror("fetch_all");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);         /* a server that is gone costs its item, not the batch */
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line appears when it is printed, in a pipe too */

    double start = seconds_now();
    for (long item = 0; item < wanted; item++)
        fetch(item);
    report(wanted, start);
    free(results);
    return 0;
}
