/*
 * Descriptors sent with SCM_RIGHTS: a recvmsg that waits gets them with the bytes, several at once, close-on-exec if it
 * asks for that, and as many as it has room for; a thread can wait in a received one like in its original.
 */
#include "waiting.h"
#include <fcntl.h>
#include <sys/wait.h>

enum { MOST = 8 };
static int wire[2];

/* What a recvmsg got. */
struct parcel {
    int wanted, flags, descriptors[MOST], count, cut;
    char text[16];
};

static void send_descriptors(int to, const char *text, const int *descriptors, int count)
{
    union {
        char bytes[CMSG_SPACE(MOST * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr message = {
        .msg_iov = &(struct iovec){(void *)text, strlen(text)},
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(count * sizeof(int)),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    COUNT(strlen(text), sendmsg(to, &message, 0));
}

static long receives(void *argument)
{
    struct parcel *parcel = argument;
    union {
        char bytes[CMSG_SPACE(MOST * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {
        .msg_iov = &(struct iovec){parcel->text, sizeof parcel->text},
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_LEN(parcel->wanted * sizeof(int)),
    };
    long result = recvmsg(wire[0], &message, parcel->flags);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (result >= 0 && header) {
        CHECK(header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS, "type %d", header->cmsg_type);
        parcel->count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(parcel->descriptors, CMSG_DATA(header), parcel->count * sizeof(int));
    }
    parcel->cut = message.msg_flags & MSG_CTRUNC;
    return result;
}

static long reads_byte(void *descriptor)
{
    char letter;
    long count = read(AS_INTEGER(descriptor), &letter, 1);
    return count == 1 ? letter : count;
}

static void use(int in, int out)
{
    struct waiter reader;
    begin(&reader, reads_byte, AS_POINTER(in));
    still_waits(&reader);
    COUNT(1, write(out, "p", 1));
    ENDS_WITH('p', &reader);
}

int main(void)
{
    start_ticker();
    unix_pair(wire, SOCK_STREAM);
    int ends[2];
    make_pipe(ends);
    struct waiter waiter;
    struct parcel parcel = {.wanted = 2};
    begin(&waiter, receives, &parcel);
    still_waits(&waiter);
    send_descriptors(wire[1], "pipe", ends, 2);
    ENDS_WITH(4, &waiter);
    CHECK(parcel.count == 2 && !parcel.cut, "%d descriptors", parcel.count);
    CHECK(fcntl(parcel.descriptors[0], F_GETFD) == 0, "close-on-exec");
    use(parcel.descriptors[0], ends[1]);
    close_both(ends);
    use(parcel.descriptors[0], parcel.descriptors[1]);
    puts("a pipe's two ends");

    struct parcel closing = {.wanted = 2, .flags = MSG_CMSG_CLOEXEC};
    begin(&waiter, receives, &closing);
    still_waits(&waiter);
    send_descriptors(wire[1], "cloexec", parcel.descriptors, 1);
    ENDS_WITH(7, &waiter);
    CHECK(closing.count == 1 && fcntl(closing.descriptors[0], F_GETFD) == FD_CLOEXEC, "not close-on-exec");
    use(closing.descriptors[0], parcel.descriptors[1]);
    close(closing.descriptors[0]);
    puts("close-on-exec");

    int many[MOST];
    for (int n = 0; n < MOST; n++)
        many[n] = dup(parcel.descriptors[1]);
    struct parcel cut = {.wanted = 3};
    begin(&waiter, receives, &cut);
    still_waits(&waiter);
    send_descriptors(wire[1], "many", many, MOST);
    ENDS_WITH(4, &waiter);
    CHECK(cut.count == 3 && cut.cut, "%d descriptors", cut.count);
    for (int n = 0; n < 3; n++) {
        use(parcel.descriptors[0], cut.descriptors[n]);
        close(cut.descriptors[n]);
    }
    for (int n = 0; n < MOST; n++)
        close(many[n]);
    puts("three of eight");

    /* A message with descriptors ends what a larger receive takes, even with MSG_WAITALL. */
    struct parcel whole = {.wanted = 1, .flags = MSG_WAITALL};
    begin(&waiter, receives, &whole);
    still_waits(&waiter);
    send_descriptors(wire[1], "short", parcel.descriptors, 1);
    COUNT(4, send(wire[1], "more", 4, 0));
    ENDS_WITH(5, &waiter);
    close(whole.descriptors[0]);
    COUNT(4, recv(wire[0], whole.text, sizeof whole.text, 0));
    puts("MSG_WAITALL ends with descriptors");

    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        int own[2];
        make_pipe(own);
        send_descriptors(wire[1], "from child", &own[1], 1);
        char letter;
        COUNT(1, read(own[0], &letter, 1));
        _exit(letter);
    }
    struct parcel foreign = {.wanted = 1};
    COUNT(10, receives(&foreign));
    others_go_on();
    COUNT(1, write(foreign.descriptors[0], "c", 1));
    int status;
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 'c', "status %#x", status);
    puts("a child's pipe, received by main");
    return 0;
}
