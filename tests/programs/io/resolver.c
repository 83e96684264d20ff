/*
 * The resolver, asked by twenty threads at once: localhost, numeric addresses and services, and names of addresses.
 */
#include "waiting.h"
#include <netdb.h>

enum { THREADS = 20, ROUNDS = 10 };

static void look_up(const char *host, const char *service, int flags, int port)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = flags}, *found;
    int result = getaddrinfo(host, service, &hints, &found);
    CHECK(result == 0, "%s: %s", host, gai_strerror(result));
    struct sockaddr_in *address = (struct sockaddr_in *)found->ai_addr;
    CHECK(ntohl(address->sin_addr.s_addr) == INADDR_LOOPBACK, "%s: %s", host, inet_ntoa(address->sin_addr));
    CHECK(ntohs(address->sin_port) == port, "port %d", ntohs(address->sin_port));
    freeaddrinfo(found);
}

static void *resolves(void *argument)
{
    for (int round = 0; round < ROUNDS; round++) {
        look_up("localhost", "1234", 0, 1234);
        look_up("127.0.0.1", "80", AI_NUMERICHOST | AI_NUMERICSERV, 80);
        struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found;
        CHECK(getaddrinfo("not a number", NULL, &hints, &found) == EAI_NONAME, "a name is no number");
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_port = htons(99), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        char host[NI_MAXHOST], service[NI_MAXSERV];
        CHECK(getnameinfo((struct sockaddr *)&address, sizeof address, host, sizeof host, service, sizeof service,
                          NI_NUMERICHOST | NI_NUMERICSERV) == 0, "getnameinfo");
        CHECK(strcmp(host, "127.0.0.1") == 0 && strcmp(service, "99") == 0, "%s %s", host, service);
    }
    return argument;
}

int main(void)
{
    start_ticker();
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(resolves, NULL);
    resolves(NULL);
    others_go_on();
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    printf("%d threads resolved\n", THREADS);
    return 0;
}
