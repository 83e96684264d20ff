//! System calls made by grivet itself. They are issued from this library's own text, which is never rewritten, so they
//! always reach the kernel; they touch neither libc nor errno.

use core::sync::atomic::{AtomicU64, Ordering};
pub use syscalls::{Errno, Sysno};

/// How many were made. Two kernel threads that count at once may count one: it is for statistics.
static MADE: AtomicU64 = AtomicU64::new(0);

/// How many system calls grivet has made so far.
pub fn made() -> u64 {
    MADE.load(Ordering::Relaxed)
}

/// Counts from zero again: what it took to begin does not count.
pub fn count_anew() {
    MADE.store(0, Ordering::Relaxed);
}

/// Counts one.
#[inline(always)]
pub fn count() {
    MADE.store(MADE.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Makes system call `number`; what the kernel answered, as it stands in rax (−4095..−1 is a negated errno).
///
/// # Safety
/// The arguments must be what the call `number` expects; memory they name must be valid for the kernel's access.
#[inline(always)]
pub unsafe fn call(number: u32, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    count();
    let result: isize;
    // SAFETY: the `syscall` instruction clobbers rax, rcx and r11 only; the caller vouches for the arguments.
    unsafe {
        core::arch::asm!("syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// Turns a raw answer into a `Result`.
#[inline(always)]
pub fn check(answer: isize) -> Result<usize, Errno> {
    if (-4095..0).contains(&answer) { Err(Errno::new(-answer as i32)) } else { Ok(answer as usize) }
}

/// mmap(2). `protection` and `flags` as in the manual page.
///
/// # Safety
/// With MAP_FIXED the range must be the caller's to replace.
pub unsafe fn mmap(
    address: usize,
    length: usize,
    protection: u32,
    flags: u32,
    fd: i32,
    offset: usize,
) -> Result<usize, Errno> {
    // SAFETY: the caller vouches for a fixed range; without MAP_FIXED the kernel picks unused addresses.
    check(unsafe {
        call(Sysno::mmap as u32, [address, length, protection as usize, flags as usize, fd as usize, offset])
    })
}

/// munmap(2).
///
/// # Safety
/// Nothing may use the range afterwards.
pub unsafe fn munmap(address: usize, length: usize) -> Result<(), Errno> {
    // SAFETY: the caller vouches that the range is no longer used.
    check(unsafe { call(Sysno::munmap as u32, [address, length, 0, 0, 0, 0]) }).map(drop)
}

/// mprotect(2).
///
/// # Safety
/// The range must tolerate the new protection.
pub unsafe fn mprotect(address: usize, length: usize, protection: u32) -> Result<(), Errno> {
    // SAFETY: the caller vouches for the range.
    check(unsafe { call(Sysno::mprotect as u32, [address, length, protection as usize, 0, 0, 0]) }).map(drop)
}

/// madvise(2).
///
/// # Safety
/// Advice that drops pages must be meant.
pub unsafe fn madvise(address: usize, length: usize, advice: u32) -> Result<(), Errno> {
    // SAFETY: the caller vouches for the range.
    check(unsafe { call(Sysno::madvise as u32, [address, length, advice as usize, 0, 0, 0]) }).map(drop)
}

/// write(2) of `bytes` to `fd`; how many bytes were written.
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the slice is valid for reading.
    check(unsafe { call(Sysno::write as u32, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) })
}

/// getpid(2), the real process id.
pub fn getpid() -> i32 {
    // SAFETY: takes no arguments.
    unsafe { call(Sysno::getpid as u32, [0; 6]) as i32 }
}

/// getppid(2).
pub fn getppid() -> i32 {
    // SAFETY: takes no arguments.
    unsafe { call(Sysno::getppid as u32, [0; 6]) as i32 }
}

/// gettid(2), the real id of the calling kernel thread.
pub fn gettid() -> i32 {
    // SAFETY: takes no arguments.
    unsafe { call(Sysno::gettid as u32, [0; 6]) as i32 }
}

/// Ends the process at once with `status` (exit_group(2)).
pub fn exit_group(status: i32) -> ! {
    loop {
        // SAFETY: takes a plain number.
        unsafe { call(Sysno::exit_group as u32, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// A kernel signal set: bit `n − 1` stands for signal `n`.
pub type SignalSet = u64;

/// rt_sigprocmask(2) with SIG_SETMASK on the calling kernel thread; the mask that was in force.
pub fn set_signal_mask(mask: SignalSet) -> SignalSet {
    const SIG_SETMASK: usize = 2;
    let mut old: SignalSet = 0;
    // SAFETY: both sets are valid for the eight bytes the kernel reads and writes.
    unsafe {
        call(Sysno::rt_sigprocmask as u32, [SIG_SETMASK, &raw const mask as usize, &raw mut old as usize, 8, 0, 0]);
    }
    old
}
