/* Loads a server on 127.0.0.1: many connections, each of which has one request under way at any time, from one thread with epoll. It is never
 * preloaded, so the same client measures a server natively and under grivet.
 *
 * Arguments: port, connections, requests to measure; then, for other servers than an echo server (which gets 64 bytes), the file
 * with the request and the bytes of an answer. Each connection first makes one exchange by itself; "connected" is printed, and a line on stdin
 * awaited: what the server holds now can be measured meanwhile. Then come a tenth of the requests to warm up and, without a pause, those
 * that count. Prints, a name and a figure on each line: requests a second, the median and the 99th percentile of the nanoseconds from request to
 * answer, the share of the time in which this client used its core (near 1, the client is the limit, not the server), and how
 * many requests were answered since "connected". The last answer that counts ends the program: it does not wait for what is still under way, so that a
 * connection that has lost a packet does not set the time of all. */
#include "measure.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHOED = 64, LARGEST_REQUEST = 4096, LARGEST_ANSWER = 65536, EVENTS = 256 };

struct connection {
    int socket;
    long missing;      /* bytes of the answer still to come */
    long long sent_at; /* ns */
};

static char request[LARGEST_REQUEST];
static long request_size = ECHOED, answer_size = ECHOED;

static void failed(long status, const char *what)
{
    check(status < 0 ? errno : 0, what, 0);
}

static void read_request(const char *file)
{
    FILE *stream = fopen(file, "r");
    check(stream == NULL ? errno : 0, file, 0);
    request_size = (long)fread(request, 1, sizeof request, stream);
    fclose(stream);
}

static void send_request(struct connection *connection, long long now)
{
    connection->missing = answer_size;
    connection->sent_at = now;
    long sent = write(connection->socket, request, (size_t)request_size);
    failed(sent, "write");
    check(sent == request_size ? 0 : EMSGSIZE, "write", sent);
}

/* Takes what has come; 1 when the answer is complete. */
static int receive_answer(struct connection *connection)
{
    static char discarded[LARGEST_ANSWER];
    long got = read(connection->socket, discarded, sizeof discarded);
    failed(got, "read");
    check(got == 0 ? ECONNRESET : 0, "the server closed a connection", 0);
    connection->missing -= got;
    check(connection->missing < 0 ? EPROTO : 0, "a longer answer than expected", -connection->missing);
    return connection->missing == 0;
}

static void connect_to(struct connection *connection, long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    failed(connection->socket = socket(AF_INET, SOCK_STREAM, 0), "socket");
    failed(connect(connection->socket, (struct sockaddr *)&address, sizeof address), "connect");
    failed(setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), "setsockopt");
    send_request(connection, 0);
    while (!receive_answer(connection))
        ;
}

static long long processor_time_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int by_size(const void *left, const void *right)
{
    long long a = *(const long long *)left, b = *(const long long *)right;
    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    long port = number_argument(argc, argv, 1, "port");
    long connections = number_argument(argc, argv, 2, "connections");
    long measured = number_argument(argc, argv, 3, "requests");
    if (argc > 4) {
        read_request(argv[4]);
        answer_size = number_argument(argc, argv, 5, "bytes of an answer");
        check(answer_size > LARGEST_ANSWER ? EMSGSIZE : 0, "bytes of an answer", answer_size);
    }
    long warm_up = measured / 10 > connections ? measured / 10 : connections;
    long total = warm_up + measured;

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    struct connection *all = calloc((size_t)connections, sizeof *all);
    long long *latencies = calloc((size_t)measured, sizeof *latencies);
    check(all == NULL || latencies == NULL ? ENOMEM : 0, "calloc", 0);
    int poller = epoll_create1(0);
    failed(poller, "epoll_create1");
    for (long number = 0; number < connections; number++) {
        connect_to(&all[number], port);
        /* Edge-triggered costs the client least, and a read takes all that has come: answers are shorter than the buffer. */
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &all[number]};
        failed(epoll_ctl(poller, EPOLL_CTL_ADD, all[number].socket, &event), "epoll_ctl");
    }
    puts("connected");
    fflush(stdout);
    getchar();

    long answered = 0;
    long long start = 0, used = 0;
    for (long number = 0; number < connections; number++)
        send_request(&all[number], now_ns());
    while (answered < total) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        failed(ready, "epoll_wait");
        for (int number = 0; number < ready && answered < total; number++) {
            struct connection *connection = events[number].data.ptr;
            if (!receive_answer(connection))
                continue;
            long long now = now_ns();
            if (answered >= warm_up)
                latencies[answered - warm_up] = now - connection->sent_at;
            if (++answered == warm_up) {
                start = now;
                used = processor_time_ns();
            }
            send_request(connection, now);
        }
    }
    double elapsed = (double)(now_ns() - start);
    used = processor_time_ns() - used;
    qsort(latencies, (size_t)measured, sizeof *latencies, by_size);
    printf("rate %.0f\n", (double)measured / elapsed * 1e9);
    printf("p50 %lld\np99 %lld\n", latencies[measured / 2], latencies[measured * 99 / 100]);
    printf("client %.2f\nanswered %ld\n", (double)used / elapsed, total);
    return 0;
}
