/* TCP connections on 127.0.0.1 that this process has with itself, each in an epoll set as in the load client: what does the kernel hold for one?
 * Argument: connections. Prints bytes a connection, both of its ends: the growth of SUnreclaim (slabs that can't be taken back) in
 * /proc/meminfo, which is the whole system's, so nothing else should run. */
#include "measure.h"
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE = 64 };

static void failed(long status, const char *what, long done)
{
    check(status < 0 ? errno : 0, what, done);
}

static long slab_bytes(void)
{
    char line[256];
    long kibibytes = 0;
    FILE *figures = fopen("/proc/meminfo", "r");
    check(figures == NULL ? errno : 0, "open /proc/meminfo", 0);
    while (fgets(line, sizeof line, figures) != NULL && sscanf(line, "SUnreclaim: %ld", &kibibytes) != 1)
        ;
    fclose(figures);
    return kibibytes * 1024;
}

int main(int argc, char **argv)
{
    long connections = number_argument(argc, argv, 1, "connections");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int poller = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0);
    failed(poller, "epoll_create1", 0);
    failed(listener, "socket", 0);
    failed(bind(listener, (struct sockaddr *)&address, size), "bind", 0);
    failed(listen(listener, 1), "listen", 0);
    failed(getsockname(listener, (struct sockaddr *)&address, &size), "getsockname", 0);

    long before = slab_bytes();
    for (long made = 0; made < connections; made++) {
        char message[MESSAGE] = {0};
        int client = socket(AF_INET, SOCK_STREAM, 0), server;
        struct epoll_event event = {.events = EPOLLIN};
        failed(client, "socket", made);
        failed(connect(client, (struct sockaddr *)&address, size), "connect", made);
        failed(server = accept(listener, NULL, NULL), "accept", made);
        failed(epoll_ctl(poller, EPOLL_CTL_ADD, client, &event), "epoll_ctl", made);
        failed(write(client, message, sizeof message), "write", made);
        failed(read(server, message, sizeof message), "read", made);
        failed(write(server, message, sizeof message), "write", made);
        failed(read(client, message, sizeof message), "read", made);
    }
    printf("%.0f\n", (double)(slab_bytes() - before) / connections);
    return 0;
}
