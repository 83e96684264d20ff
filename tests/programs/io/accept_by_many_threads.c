/*
 * Twenty threads wait in accept on one listener: each of 200 connections goes to one of them, whose answer names the
 * connection's own number; when the listener is shut down all of them end.
 */
#include "waiting.h"

enum { ACCEPTORS = 20, CLIENTS = 20, ROUNDS = 10 };
static int listening;
static struct sockaddr_in address;
static int served[CLIENTS * ROUNDS];

static void *accepts(void *argument)
{
    long count = 0;
    for (;;) {
        int descriptor = accept(listening, NULL, NULL), number;
        if (descriptor < 0) {
            CHECK(errno == EINVAL, "accept");
            return AS_POINTER(count);
        }
        COUNT(sizeof number, recv(descriptor, &number, sizeof number, MSG_WAITALL));
        __atomic_add_fetch(&served[number], 1, __ATOMIC_SEQ_CST);
        if (number % 10 == 0)
            others_go_on();
        number = -number;
        COUNT(sizeof number, send(descriptor, &number, sizeof number, 0));
        close(descriptor);
        count++;
    }
    return argument;
}

static void *connects(void *argument)
{
    for (int round = 0; round < ROUNDS; round++) {
        int number = AS_INTEGER(argument) * ROUNDS + round, answer, descriptor = connected_to(&address);
        COUNT(sizeof number, send(descriptor, &number, sizeof number, 0));
        COUNT(sizeof answer, recv(descriptor, &answer, sizeof answer, MSG_WAITALL));
        CHECK(answer == -number, "%d answered %d", answer, number);
        COUNT(0, recv(descriptor, &answer, sizeof answer, 0));
        close(descriptor);
    }
    return NULL;
}

int main(void)
{
    start_ticker();
    listening = listener(&address, CLIENTS);
    pthread_t acceptors[ACCEPTORS], clients[CLIENTS];
    for (int n = 0; n < ACCEPTORS; n++)
        acceptors[n] = start(accepts, NULL);
    others_go_on();
    for (int n = 1; n < CLIENTS; n++)
        clients[n] = start(connects, AS_POINTER(n));
    connects(AS_POINTER(0));
    for (int n = 1; n < CLIENTS; n++)
        join(clients[n]);
    CHECK(shutdown(listening, SHUT_RD) == 0, "shutdown");
    int total = 0, busy = 0;
    for (int n = 0; n < ACCEPTORS; n++) {
        int count = AS_INTEGER(join(acceptors[n]));
        total += count;
        busy += count > 0;
    }
    for (int n = 0; n < CLIENTS * ROUNDS; n++)
        CHECK(served[n] == 1, "connection %d was served %d times", n, served[n]);
    CHECK(busy > 1, "%d threads did all the work", busy);
    printf("%d connections, each served once\n", total);
    return 0;
}
