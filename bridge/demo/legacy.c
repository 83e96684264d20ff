// A C library of old, as async programs meet them: its functions wait, and there are no others. It knows of no executor,
// and nothing of grivet.

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Moves a device's axis, which takes `milliseconds`; returns where it stands then.
int64_t legacy_move(int64_t position, unsigned milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
    return position;
}

// Asks the instrument on `port` of this machine for the value of a channel, over a connection of its own; -1 and errno on
// failure.
int64_t legacy_ask(uint16_t port, int64_t channel) {
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0) {
        return -1;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int64_t value = -1;
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0 ||
        send(connection, &channel, sizeof channel, MSG_NOSIGNAL) != sizeof channel ||
        recv(connection, &value, sizeof value, MSG_WAITALL) != sizeof value) {
        value = -1;
    }
    int error = errno;
    close(connection);
    errno = error;
    return value;
}
