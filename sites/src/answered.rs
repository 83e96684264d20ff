//! Which system calls are worth rewriting: those that grivet answers itself, in some of their uses
//! at least. All others stay as they are.

/// The calls, by number on x86-64 (`arch/x86/entry/syscalls/syscall_64.tbl`).
const ANSWERED: &[u32] = &[
    2,   // open
    3,   // close
    7,   // poll
    9,   // mmap
    10,  // mprotect
    11,  // munmap
    13,  // rt_sigaction
    14,  // rt_sigprocmask
    15,  // rt_sigreturn
    23,  // select
    24,  // sched_yield
    28,  // madvise
    34,  // pause
    35,  // nanosleep
    56,  // clone
    57,  // fork
    58,  // vfork
    59,  // execve
    60,  // exit
    127, // rt_sigpending
    128, // rt_sigtimedwait
    130, // rt_sigsuspend
    131, // sigaltstack
    142, // sched_setparam
    143, // sched_getparam
    144, // sched_setscheduler
    145, // sched_getscheduler
    157, // prctl
    186, // gettid
    200, // tkill
    202, // futex
    203, // sched_setaffinity
    204, // sched_getaffinity
    218, // set_tid_address
    222, // timer_create
    230, // clock_nanosleep
    231, // exit_group
    234, // tgkill
    257, // openat
    270, // pselect6
    271, // ppoll
    273, // set_robust_list
    274, // get_robust_list
    297, // rt_tgsigqueueinfo
    322, // execveat
    334, // rseq
    435, // clone3
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
