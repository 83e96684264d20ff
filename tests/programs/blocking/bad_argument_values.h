/*
 * The values from which bad_arguments.c makes its calls, each with the label under which it is printed: descriptors of
 * every kind at numbers of their own, none of which blocks; pointers good and bad; counts, flags and times. The memory
 * that pointers lead to lies at a fixed address, so that its contents can be compared between runs.
 */
#ifndef BAD_ARGUMENT_VALUES_H
#define BAD_ARGUMENT_VALUES_H

#include "../check.h"
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#define MEMORY 0x7e0000000L
enum { PAGE = 4096, BUFFER = MEMORY + PAGE, UNMAPPED = BUFFER + PAGE, READ_ONLY = UNMAPPED + PAGE };
enum { UNHASHED = READ_ONLY + 2 * PAGE };
#define KERNEL ((long)0xffff888000000000)

/* What lies at MEMORY; set anew before each call. */
struct memory {
    struct timespec zero, negative, too_fine;
    struct timeval zero_us, negative_us, too_fine_us;
    struct iovec good[2], second_bad[2], overflowing[2], empty[2];
    struct msghdr message, bad_iovec, many_iovecs, bad_name, long_name, bad_control;
    struct mmsghdr messages[2], second_message_bad[2];
    struct pollfd ready[2], closed[2];
    fd_set set, high_set;
    struct { uint64_t mask, size; } mask_argument, bad_mask, bad_size;
    struct epoll_event event;
    struct sembuf take, far_semaphore, much;
    struct flock lock, bad_type, bad_whence, negative_start;
    struct { long type; char text[8]; } typed, untyped;
    struct sockaddr_un address, unknown, relative;
    sigset_t signals;
    int64_t offset, negative_offset, large_offset;
    int number, negative_number, length, negative_length;
    char path[8], missing[16], long_path[2 * NAME_MAX];
};
_Static_assert(sizeof(struct memory) <= PAGE, "the structures fit in a page");
static struct memory *const memory = (struct memory *)MEMORY;
#define AT(member) (MEMORY + (long)offsetof(struct memory, member))

/* Descriptors, at numbers that nothing else uses. */
enum {
    REGULAR = 100,
    FIRST_OWN = REGULAR,
    ONLY_READ,
    ONLY_WRITE,
    DIRECTORY,
    PATH_ONLY,
    EMPTY_PIPE,
    FULL_PIPE,
    PIPE_READ,
    PIPE_WRITE,
    UNREAD_PIPE,
    STREAM,
    STREAM_PEER,
    DATAGRAM,
    DATAGRAM_PEER,
    LISTENER,
    UNCONNECTED,
    EVENTS,
    COUNTER,
    QUEUE,
    LAST_OWN = QUEUE,
    OTHER_ENDS = 500,
    CLOSED = 600,
};

struct value {
    const char *label;
    long value;
};
/* The first three values of each list are also tried together with the first three of every other argument's. */
#define VALUES(name, ...) static const struct value name[] = {__VA_ARGS__, {NULL, 0}}

VALUES(descriptors, {"closed", CLOSED}, {"-1", -1}, {"directory", DIRECTORY}, {"INT_MAX", INT_MAX},
       {"INT_MIN", INT_MIN}, {"file in 32 bits", 0x500000000 | REGULAR}, {"file", REGULAR}, {"only read", ONLY_READ},
       {"only write", ONLY_WRITE}, {"path", PATH_ONLY}, {"empty pipe", EMPTY_PIPE}, {"full pipe", FULL_PIPE},
       {"pipe's reader", PIPE_READ}, {"pipe's writer", PIPE_WRITE}, {"unread pipe", UNREAD_PIPE}, {"stream", STREAM},
       {"datagram", DATAGRAM}, {"listener", LISTENER}, {"unconnected", UNCONNECTED}, {"epoll", EVENTS},
       {"eventfd", COUNTER}, {"queue", QUEUE});
#define BAD_POINTERS {"kernel", KERNEL}, {"unmapped", UNMAPPED}, {"NULL", 0}, {"1", 1}, {"no address", LONG_MIN}
VALUES(buffers, BAD_POINTERS, {"read-only", READ_ONLY}, {"page's end", UNMAPPED - 4}, {"buffer", BUFFER});
VALUES(lengths, {"-1", -1}, {"0", 0}, {"INT_MAX", INT_MAX}, {"LONG_MAX", LONG_MAX}, {"1", 1}, {"8", 8}, {"10", 10},
       {"4097", 4097}, {"1 << 32 | 5", 0x100000005});
VALUES(flags, {"all", -1}, {"1 << 31", 1L << 31}, {"0", 0}, {"1 << 32", 1L << 32}, {"1", 1}, {"2", 2}, {"4", 4},
       {"8", 8}, {"16", 16});
VALUES(positions, {"-1", -1}, {"LONG_MAX", LONG_MAX}, {"0", 0}, {"LONG_MIN", LONG_MIN}, {"5", 5}, {"10000", 10000});
VALUES(offsets, BAD_POINTERS, {"read-only", READ_ONLY}, {"offset", AT(offset)}, {"negative", AT(negative_offset)},
       {"large", AT(large_offset)});
VALUES(vectors, BAD_POINTERS, {"vector", AT(good)}, {"bad second", AT(second_bad)}, {"overflow", AT(overflowing)},
       {"empty", AT(empty)});
VALUES(counts, {"-1", -1}, {"0", 0}, {"1025", 1025}, {"INT_MAX", INT_MAX}, {"1", 1}, {"2", 2}, {"1 << 32", 1L << 32});
VALUES(messages, BAD_POINTERS, {"message", AT(message)}, {"bad vector", AT(bad_iovec)}, {"many", AT(many_iovecs)},
       {"bad name", AT(bad_name)}, {"long name", AT(long_name)}, {"bad control", AT(bad_control)},
       {"read-only", READ_ONLY});
VALUES(message_lists, BAD_POINTERS, {"messages", AT(messages)}, {"bad second", AT(second_message_bad)});
VALUES(message_flags, {"all", -1}, {"dontwait", MSG_DONTWAIT}, {"peek", MSG_PEEK}, {"trunc", MSG_TRUNC},
       {"oob", MSG_OOB}, {"errqueue", MSG_ERRQUEUE}, {"waitall", MSG_WAITALL}, {"nosignal", MSG_NOSIGNAL},
       {"1 << 31", 1L << 31});
VALUES(addresses, BAD_POINTERS, {"listener's", AT(address)}, {"unknown", AT(unknown)}, {"relative", AT(relative)},
       {"read-only", READ_ONLY});
VALUES(address_lengths, {"-1", -1}, {"0", 0}, {"1", 1}, {"2", 2}, {"3", 3}, {"8", 8}, {"110", 110}, {"111", 111},
       {"INT_MAX", INT_MAX});
VALUES(length_pointers, BAD_POINTERS, {"length", AT(length)}, {"negative", AT(negative_length)},
       {"read-only", READ_ONLY});
VALUES(times, {"kernel", KERNEL}, {"unmapped", UNMAPPED}, {"negative", AT(negative)}, {"too fine", AT(too_fine)},
       {"zero", AT(zero)}, {"1", 1}, {"read-only", READ_ONLY}, {"NULL", 0});
VALUES(times_us, {"kernel", KERNEL}, {"unmapped", UNMAPPED}, {"negative", AT(negative_us)},
       {"too fine", AT(too_fine_us)}, {"zero", AT(zero_us)}, {"1", 1}, {"read-only", READ_ONLY}, {"NULL", 0});
VALUES(milliseconds, {"0", 0}, {"1", 1}, {"1 << 32", 1L << 32}, {"-1", -1}, {"INT_MIN", INT_MIN}, {"INT_MAX", INT_MAX});
VALUES(pollfds, BAD_POINTERS, {"ready", AT(ready)}, {"closed", AT(closed)}, {"read-only", READ_ONLY});
VALUES(sets, {"kernel", KERNEL}, {"unmapped", UNMAPPED}, {"NULL", 0}, {"1", 1}, {"set", AT(set)},
       {"high", AT(high_set)}, {"page's end", UNMAPPED - 4});
VALUES(highest, {"-1", -1}, {"INT_MAX", INT_MAX}, {"1024", 1024}, {"0", 0}, {"1", 1}, {"110", 110},
       {"INT_MIN", INT_MIN});
VALUES(masks, BAD_POINTERS, {"mask", AT(signals)}, {"read-only", READ_ONLY});
VALUES(mask_sizes, {"0", 0}, {"4", 4}, {"-1", -1}, {"8", 8}, {"16", 16});
VALUES(mask_arguments, BAD_POINTERS, {"mask", AT(mask_argument)}, {"bad mask", AT(bad_mask)},
       {"bad size", AT(bad_size)});
VALUES(operations, {"0", 0}, {"4", 4}, {"-1", -1}, {"add", EPOLL_CTL_ADD}, {"change", EPOLL_CTL_MOD},
       {"delete", EPOLL_CTL_DEL});
VALUES(event_pointers, BAD_POINTERS, {"event", AT(event)}, {"read-only", READ_ONLY});
VALUES(process_ids, {"INT_MAX", INT_MAX}, {"INT_MIN", INT_MIN}, {"-1", -1}, {"0", 0}, {"1", 1}, {"-2", -2});
VALUES(wait_options, {"nohang", WNOHANG}, {"all", -1}, {"nohang and more", WNOHANG | 0x100},
       {"nohang, stopped", WNOHANG | WUNTRACED}, {"nohang, exited", WNOHANG | WEXITED},
       {"nohang, all", WNOHANG | WEXITED | WSTOPPED | WCONTINUED | WNOWAIT});
VALUES(wait_outputs, {"kernel", KERNEL}, {"unmapped", UNMAPPED}, {"NULL", 0}, {"1", 1}, {"read-only", READ_ONLY},
       {"output", UNHASHED});
VALUES(id_types, {"all", P_ALL}, {"4", 4}, {"-1", -1}, {"pid", P_PID}, {"group", P_PGID}, {"descriptor", 3});
VALUES(lock_operations, {"0", 0}, {"-1", -1}, {"shared", LOCK_SH | LOCK_NB}, {"exclusive", LOCK_EX | LOCK_NB},
       {"blocking", LOCK_EX}, {"unlock", LOCK_UN}, {"both", LOCK_SH | LOCK_EX}, {"mandatory", 32});
VALUES(locks, BAD_POINTERS, {"lock", AT(lock)}, {"bad type", AT(bad_type)}, {"bad whence", AT(bad_whence)},
       {"negative start", AT(negative_start)}, {"read-only", READ_ONLY});
VALUES(lock_commands, {"set", F_SETLK}, {"wait", F_SETLKW}, {"get", F_GETLK}, {"open file", F_OFD_SETLK},
       {"open file, wait", F_OFD_SETLKW}, {"4000", 4000});
VALUES(commands, {"-1", -1}, {"4000", 4000}, {"get flags", F_GETFL}, {"set flags", F_SETFL}, {"dup", F_DUPFD},
       {"dup cloexec", F_DUPFD_CLOEXEC}, {"get", F_GETFD}, {"set", F_SETFD}, {"size", F_GETPIPE_SZ},
       {"seals", F_GET_SEALS});
VALUES(command_arguments, {"-1", -1}, {"INT_MAX", INT_MAX}, {"nonblock", O_NONBLOCK}, {"0", 0}, {"40", 40});
VALUES(identifiers, {"-1", -1}, {"INT_MAX", INT_MAX}, {"removed", 0});
VALUES(semaphore_operations, BAD_POINTERS, {"take", AT(take)}, {"far", AT(far_semaphore)}, {"much", AT(much)});
VALUES(operation_counts, {"0", 0}, {"-1", -1}, {"501", 501}, {"1", 1}, {"INT_MAX", INT_MAX});
VALUES(typed_messages, BAD_POINTERS, {"message", AT(typed)}, {"no type", AT(untyped)}, {"read-only", READ_ONLY});
VALUES(message_sizes, {"-1", -1}, {"LONG_MAX", LONG_MAX}, {"0", 0}, {"8", 8}, {"8193", 8193}, {"INT_MAX", INT_MAX});
VALUES(queue_flags, {"nowait", IPC_NOWAIT}, {"all but copy", ~MSG_COPY}, {"noerror", IPC_NOWAIT | MSG_NOERROR},
       {"except", IPC_NOWAIT | MSG_EXCEPT}, {"copy", IPC_NOWAIT | MSG_COPY}, {"copy, except", -1});
VALUES(priorities, {"-1", -1}, {"32768", 32768}, {"0", 0}, {"32767", 32767}, {"1 << 32", 1L << 32});
VALUES(paths, BAD_POINTERS, {"/tmp", AT(path)}, {"missing", AT(missing)}, {"long", AT(long_path)},
       {"empty", BUFFER + 100});
VALUES(open_flags, {"all", -1}, {"directory", O_DIRECTORY}, {"0", 0}, {"path", O_PATH}, {"write", O_WRONLY},
       {"create", O_CREAT | O_EXCL | O_RDWR}, {"both", O_WRONLY | O_RDWR}, {"1 << 31", 1L << 31});
VALUES(new_descriptors, {"-1", -1}, {"INT_MAX", INT_MAX}, {"700", 700}, {"the same", REGULAR}, {"INT_MIN", INT_MIN},
       {"1 << 32 | 701", 0x1000002bd});
VALUES(range_ends, {"-1", -1}, {"700", 700}, {"800", 800}, {"INT_MAX", INT_MAX}, {"INT_MIN", INT_MIN});
/* Not CLOSE_RANGE_UNSHARE, after which the threads' descriptors would no longer be the same. */
VALUES(range_flags, {"all", -1}, {"1 << 31", 1L << 31}, {"0", 0}, {"1", 1}, {"4", 4}, {"8", 8});
VALUES(families, {"-1", -1}, {"0", 0}, {"unix", AF_UNIX}, {"46", 46}, {"inet", AF_INET});
VALUES(types, {"-1", -1}, {"0", 0}, {"stream", SOCK_STREAM}, {"nonblocking", SOCK_DGRAM | SOCK_NONBLOCK}, {"6", 6});
VALUES(levels, {"-1", -1}, {"socket", SOL_SOCKET}, {"0", 0}, {"tcp", 6});
VALUES(options, {"receive limit", SO_RCVTIMEO}, {"send limit", SO_SNDTIMEO}, {"-1", -1}, {"low water", SO_RCVLOWAT},
       {"linger", SO_LINGER}, {"error", SO_ERROR}, {"reuse", SO_REUSEADDR});
VALUES(option_values, BAD_POINTERS, {"zero", AT(zero_us)}, {"negative", AT(negative_us)}, {"too fine", AT(too_fine_us)},
       {"page's end", UNMAPPED - 4});
VALUES(requests, {"FIONBIO", FIONBIO}, {"FIONREAD", FIONREAD}, {"-1", -1}, {"FIOCLEX", FIOCLEX}, {"0", 0});
VALUES(numbers, BAD_POINTERS, {"number", AT(number)}, {"negative", AT(negative_number)}, {"read-only", READ_ONLY},
       {"page's end", UNMAPPED - 4});
VALUES(nothing_to_wait_for, {"0", 0});
VALUES(modes, {"-1", -1}, {"0", 0}, {"0600", 0600});

#endif
