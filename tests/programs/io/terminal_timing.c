/*
 * A terminal's VTIME: without VMIN it limits a read's wait, or with no time either a read takes what there is; with
 * VMIN it is the longest pause between two bytes, and the first may take as long as it likes.
 */
#include "waiting.h"
#include <fcntl.h>
#include <termios.h>

static int master, slave;
static char got[100];

static long reads(void *argument)
{
    (void)argument;
    return read(slave, got, sizeof got);
}

static void type(const char *text)
{
    COUNT(strlen(text), write(master, text, strlen(text)));
}

static void set_raw(int minimum, int tenths)
{
    struct termios modes;
    CHECK(tcgetattr(slave, &modes) == 0, "tcgetattr");
    cfmakeraw(&modes);
    modes.c_cc[VMIN] = minimum;
    modes.c_cc[VTIME] = tenths;
    CHECK(tcsetattr(slave, TCSANOW, &modes) == 0, "tcsetattr");
}

int main(void)
{
    start_ticker();
    master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "posix_openpt");
    char name[64];
    ZERO(ptsname_r(master, name, sizeof name));
    slave = open(name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0, "%s", name);

    struct waiter waiter;
    set_raw(0, 0);
    COUNT(0, reads(NULL));
    type("abc");
    COUNT(3, reads(NULL));
    COUNT(0, reads(NULL));
    puts("no VMIN, no VTIME: what there is");

    set_raw(0, 2);
    int64_t begun = now_ns(CLOCK_MONOTONIC);
    begin(&waiter, reads, NULL);
    still_waits(&waiter);
    ENDS_WITH(0, &waiter);
    CHECK(now_ns(CLOCK_MONOTONIC) - begun > 100 * MILLISECOND, "returned early");
    COUNT(0, reads(NULL));
    begin(&waiter, reads, NULL);
    type("ab");
    ENDS_WITH(2, &waiter);
    puts("VTIME: bytes or its end");

    set_raw(5, 1);
    begin(&waiter, reads, NULL);
    still_waits(&waiter);
    sleep_ms(200);
    still_waits(&waiter);
    type("ab");
    ENDS_WITH(2, &waiter);
    type("abcdefg");
    COUNT(7, reads(NULL));
    puts("VMIN and VTIME: what came without a pause");
    return 0;
}
