/* Two threads hand the turn to each other through a connected pair of stream sockets, with blocking reads and writes of one byte.
 * Arguments: rounds, and the kind of socket: "unix", or "tcp" for a connection on 127.0.0.1.
 * Prints nanoseconds a round (a round is there and back: two hand-overs). */
#include "byte_ping_pong.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void failed(int status, const char *what)
{
    check(status < 0 ? errno : 0, what, 0);
}

/* Both sides of a connection that this process has with itself. */
static void tcp_pair(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    failed(listener, "socket");
    failed(bind(listener, (struct sockaddr *)&address, size), "bind");
    failed(listen(listener, 1), "listen");
    failed(getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
    failed(pair[0] = socket(AF_INET, SOCK_STREAM, 0), "socket");
    failed(connect(pair[0], (struct sockaddr *)&address, size), "connect");
    failed(pair[1] = accept(listener, NULL, NULL), "accept");
    close(listener);
    for (int side = 0; side < 2; side++)
        failed(setsockopt(pair[side], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), "setsockopt");
}

int main(int argc, char **argv)
{
    long rounds = number_argument(argc, argv, 1, "rounds");
    int pair[2];
    if (argc == 3 && strcmp(argv[2], "tcp") == 0) {
        tcp_pair(pair);
    } else if (argc == 3 && strcmp(argv[2], "unix") == 0) {
        failed(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    } else {
        fprintf(stderr, "%s: argument 2 must be unix or tcp\n", argv[0]);
        return 2;
    }
    printf("%.1f\n", nanoseconds_a_round(rounds, (struct end){pair[0], pair[0]}, (struct end){pair[1], pair[1]}));
    return 0;
}
