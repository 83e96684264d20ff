/*
 * A pseudo-terminal: in canonical mode a read waits for a whole line or the end-of-file character, in raw mode for
 * VMIN bytes; the other side's read and a write of more than it buffers wait too.
 */
#include "waiting.h"
#include <fcntl.h>
#include <termios.h>

enum { LENGTH = 200000 };
static int master, slave;
static char got[100];
static unsigned char *bytes;

static long reads(void *descriptor)
{
    return read(AS_INTEGER(descriptor), got, sizeof got);
}

static long writes(void *descriptor)
{
    return write(AS_INTEGER(descriptor), bytes, LENGTH);
}

static void type(const char *text)
{
    COUNT(strlen(text), write(master, text, strlen(text)));
}

static void set_raw(int minimum)
{
    struct termios modes;
    CHECK(tcgetattr(slave, &modes) == 0, "tcgetattr");
    cfmakeraw(&modes);
    modes.c_cc[VMIN] = minimum;
    modes.c_cc[VTIME] = 0;
    CHECK(tcsetattr(slave, TCSANOW, &modes) == 0, "tcsetattr");
}

static void canonical(void)
{
    struct waiter waiter;
    struct termios modes;
    CHECK(tcgetattr(slave, &modes) == 0, "tcgetattr");
    modes.c_lflag &= ~ECHO;
    CHECK(tcsetattr(slave, TCSANOW, &modes) == 0, "tcsetattr");
    begin(&waiter, reads, AS_POINTER(slave));
    still_waits(&waiter);
    type("half a li");
    still_waits(&waiter);
    type("ne\nand more");
    ENDS_WITH(12, &waiter);
    printf("canonical: %.11s\n", got);
    begin(&waiter, reads, AS_POINTER(slave));
    still_waits(&waiter);
    type("\004");
    ENDS_WITH(8, &waiter);
    printf("end of file behind: %.8s\n", got);
    begin(&waiter, reads, AS_POINTER(slave));
    still_waits(&waiter);
    type("\004");
    ENDS_WITH(0, &waiter);
    puts("end of file alone");
}

static void raw(void)
{
    struct waiter waiter;
    set_raw(1);
    begin(&waiter, reads, AS_POINTER(slave));
    still_waits(&waiter);
    type("r");
    ENDS_WITH(1, &waiter);
    set_raw(3);
    begin(&waiter, reads, AS_POINTER(slave));
    type("a");
    still_waits(&waiter);
    type("b");
    still_waits(&waiter);
    type("c");
    ENDS_WITH(3, &waiter);
    CHECK(memcmp(got, "abc", 3) == 0, "%.3s", got);
    puts("VMIN: three bytes");
}

static void other_side(void)
{
    struct waiter waiter;
    set_raw(1);
    begin(&waiter, reads, AS_POINTER(master));
    still_waits(&waiter);
    COUNT(5, write(slave, "reply", 5));
    ENDS_WITH(5, &waiter);
    begin(&waiter, writes, AS_POINTER(slave));
    still_waits(&waiter);
    read_slowly(master, LENGTH, 6);
    ENDS_WITH(LENGTH, &waiter);
    begin(&waiter, writes, AS_POINTER(master));
    still_waits(&waiter);
    read_slowly(slave, LENGTH, 6);
    ENDS_WITH(LENGTH, &waiter);
    puts("both ways: all bytes");
    begin(&waiter, reads, AS_POINTER(master));
    still_waits(&waiter);
    close(slave);
    long result = result_of(&waiter);
    CHECK(result == -1 && errno == EIO, "read gave %ld", result);
    puts("the terminal is closed: EIO");
}

int main(void)
{
    start_ticker();
    bytes = stream_of(LENGTH, 6);
    master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "posix_openpt");
    char name[64];
    ZERO(ptsname_r(master, name, sizeof name));
    slave = open(name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0, "%s", name);
    canonical();
    raw();
    other_side();
    return 0;
}
