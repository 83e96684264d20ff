/*
 * The plainest server there is, in one process with its clients: main accepts and makes a thread for each connection,
 * which reads and writes until the client is done; 200 clients, all connected at the same time, each a thread too.
 */
#include "waiting.h"

enum { CLIENTS = 200, ROUNDS = 20 };
static struct sockaddr_in address;
static int connected, most, served;
static pthread_mutex_t counts = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t all_connected;

static void *serves(void *argument)
{
    int descriptor = AS_INTEGER(argument);
    ZERO(pthread_mutex_lock(&counts));
    connected++;
    most = connected > most ? connected : most;
    ZERO(pthread_mutex_unlock(&counts));
    char text[64];
    ssize_t got;
    while ((got = read(descriptor, text, sizeof text)) > 0)
        COUNT(got, write(descriptor, text, got));
    CHECK(got == 0, "read gave %zd", got);
    close(descriptor);
    ZERO(pthread_mutex_lock(&counts));
    connected--;
    served++;
    ZERO(pthread_mutex_unlock(&counts));
    return NULL;
}

static void *asks(void *argument)
{
    int descriptor = connected_to(&address);
    char text[64], answer[64];
    for (int round = 0; round < ROUNDS; round++) {
        int length = snprintf(text, sizeof text, "client %d, round %d", AS_INTEGER(argument), round);
        COUNT(length, write(descriptor, text, length));
        COUNT(length, recv(descriptor, answer, length, MSG_WAITALL));
        CHECK(memcmp(text, answer, length) == 0, "another answer");
        if (round == 0)
            pthread_barrier_wait(&all_connected);
    }
    CHECK(shutdown(descriptor, SHUT_WR) == 0, "shutdown");
    COUNT(0, read(descriptor, answer, 1));
    close(descriptor);
    return NULL;
}

int main(void)
{
    start_ticker();
    int listening = listener(&address, CLIENTS);
    pthread_t clients[CLIENTS], servers[CLIENTS];
    ZERO(pthread_barrier_init(&all_connected, NULL, CLIENTS));
    for (int n = 0; n < CLIENTS; n++)
        clients[n] = start(asks, AS_POINTER(n));
    for (int n = 0; n < CLIENTS; n++) {
        int descriptor = accept(listening, NULL, NULL);
        CHECK(descriptor >= 0, "accept");
        servers[n] = start(serves, AS_POINTER(descriptor));
    }
    others_go_on();
    for (int n = 0; n < CLIENTS; n++) {
        join(clients[n]);
        join(servers[n]);
    }
    printf("%d connections served, %d at once\n", served, most);
    return 0;
}
