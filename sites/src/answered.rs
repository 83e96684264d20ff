//! Which system calls are worth rewriting: those that grivet answers itself, in some of their uses
//! at least. All others stay as they are.

/// The calls, by number on x86-64 (`arch/x86/entry/syscalls/syscall_64.tbl`).
const ANSWERED: &[u32] = &[
    0,   // read
    1,   // write
    2,   // open
    3,   // close
    4,   // stat
    6,   // lstat
    7,   // poll
    9,   // mmap
    10,  // mprotect
    11,  // munmap
    13,  // rt_sigaction
    14,  // rt_sigprocmask
    15,  // rt_sigreturn
    16,  // ioctl
    17,  // pread64
    18,  // pwrite64
    19,  // readv
    20,  // writev
    21,  // access
    22,  // pipe
    23,  // select
    24,  // sched_yield
    26,  // msync
    28,  // madvise
    32,  // dup
    33,  // dup2
    34,  // pause
    35,  // nanosleep
    40,  // sendfile
    42,  // connect
    43,  // accept
    44,  // sendto
    45,  // recvfrom
    46,  // sendmsg
    47,  // recvmsg
    48,  // shutdown
    53,  // socketpair
    54,  // setsockopt
    56,  // clone
    57,  // fork
    58,  // vfork
    59,  // execve
    60,  // exit
    61,  // wait4
    62,  // kill
    65,  // semop
    69,  // msgsnd
    70,  // msgrcv
    72,  // fcntl
    73,  // flock
    74,  // fsync
    75,  // fdatasync
    89,  // readlink
    98,  // getrusage
    85,  // creat
    105, // setuid
    106, // setgid
    113, // setreuid
    114, // setregid
    116, // setgroups
    117, // setresuid
    119, // setresgid
    122, // setfsuid
    123, // setfsgid
    126, // capset
    127, // rt_sigpending
    128, // rt_sigtimedwait
    129, // rt_sigqueueinfo
    130, // rt_sigsuspend
    131, // sigaltstack
    140, // getpriority
    141, // setpriority
    142, // sched_setparam
    143, // sched_getparam
    144, // sched_setscheduler
    145, // sched_getscheduler
    148, // sched_rr_get_interval
    157, // prctl
    162, // sync
    186, // gettid
    200, // tkill
    202, // futex
    203, // sched_setaffinity
    204, // sched_getaffinity
    208, // io_getevents
    217, // getdents64
    218, // set_tid_address
    220, // semtimedop
    222, // timer_create
    223, // timer_settime
    224, // timer_gettime
    225, // timer_getoverrun
    226, // timer_delete
    228, // clock_gettime
    229, // clock_getres
    230, // clock_nanosleep
    231, // exit_group
    232, // epoll_wait
    234, // tgkill
    242, // mq_timedsend
    243, // mq_timedreceive
    244, // mq_notify
    247, // waitid
    251, // ioprio_set
    252, // ioprio_get
    256, // migrate_pages
    257, // openat
    262, // newfstatat
    267, // readlinkat
    269, // faccessat
    270, // pselect6
    271, // ppoll
    272, // unshare
    273, // set_robust_list
    274, // get_robust_list
    275, // splice
    276, // tee
    277, // sync_file_range
    278, // vmsplice
    279, // move_pages
    281, // epoll_pwait
    282, // signalfd
    288, // accept4
    289, // signalfd4
    292, // dup3
    293, // pipe2
    295, // preadv
    296, // pwritev
    297, // rt_tgsigqueueinfo
    299, // recvmmsg
    302, // prlimit64
    306, // syncfs
    307, // sendmmsg
    308, // setns
    310, // process_vm_readv
    311, // process_vm_writev
    314, // sched_setattr
    315, // sched_getattr
    317, // seccomp
    318, // getrandom
    322, // execveat
    326, // copy_file_range
    327, // preadv2
    328, // pwritev2
    332, // statx
    333, // io_pgetevents
    334, // rseq
    425, // io_uring_setup
    426, // io_uring_enter
    435, // clone3
    436, // close_range
    437, // openat2
    439, // faccessat2
    441, // epoll_pwait2
    449, // futex_waitv
];

/// One bit a number: sites are many, and each asks.
const BITS: [u64; 8] = {
    let mut bits = [0; 8];
    let mut index = 0;
    while index < ANSWERED.len() {
        bits[(ANSWERED[index] / 64) as usize] |= 1 << (ANSWERED[index] % 64);
        index += 1;
    }
    bits
};

/// Whether grivet answers system call `number`.
pub fn answered(number: u32) -> bool {
    BITS.get((number / 64) as usize).is_some_and(|word| word >> (number % 64) & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::{ANSWERED, answered};

    #[test]
    fn the_bits_are_those_of_the_list() {
        for number in 0..1024 {
            assert_eq!(answered(number), ANSWERED.contains(&number), "{number}");
        }
        assert!(!answered(u32::MAX));
    }
}
