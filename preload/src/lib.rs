//! `libgrivet.so`: loaded into an existing program by LD_PRELOAD, it turns the program's threads into coroutines.
//!
//! **The seam.** The C library keeps doing all its work: pthreads, locks, thread-local storage, stdio. Only the `syscall`
//! instructions in it, and in the other loaded objects, are rewritten ([`rewrite`]) to enter grivet, which answers a few
//! dozen system calls as a kernel would ([`kernel`]), for threads that exist only in user space ([`sched`]).
//!
//! **The switch.** A rewritten call arrives at the gate ([`arch`]), which saves the registers on the thread's own stack and runs the answer on the
//! worker's stack. The answer returns how a thread goes on: the same one, or another. There is no other context switch.
//!
//! **Dormant until needed.** At load only the configuration is read ([`config`]). The first `pthread_create` wakes grivet
//! ([`activation`]).
//!
//! **Beneath libc.** Once awake, this code runs where the program may hold any lock of the C library, so it uses nothing
//! of it: no std, an allocator of its own, raw system calls ([`raw`]), no lock, no unwinding. Functions that only the hooks
//! call, in the program's own context, may use the C library, through weak references ([`symbols`]).
#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    test,
    expect(dead_code, unused_imports, reason = "test builds leave out the hooks, from which most of this is reached")
)]

extern crate alloc;

mod activation;
mod allocator;
mod arch;
mod config;
mod kernel;
mod mapped_file;
mod observe;
mod raw;
mod report;
mod rewrite;
mod sched;
mod spawn;
mod symbols;

/// A bug in grivet: there is nothing to unwind to beneath the C library.
#[cfg(not(test))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    report::say!("internal error: {info}; please report it");
    const SIGABRT: usize = 6;
    kernel::signal::delivery::default_in_kernel(SIGABRT as u32);
    raw::set_signal_mask(0);
    // SAFETY: sends this thread a signal that ends the process.
    unsafe { raw::call(raw::Sysno::tkill as u32, [raw::gettid() as usize, SIGABRT, 0, 0, 0, 0]) };
    raw::exit_group(134)
}

// `alloc` was compiled for unwinding and names these functions; with panic=abort nothing calls them. Hidden, lest they
// stand in for those of the program.
#[cfg(not(test))]
core::arch::global_asm!(
    ".globl rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality: ud2",
    ".globl _Unwind_Resume",
    ".hidden _Unwind_Resume",
    "_Unwind_Resume: ud2",
);
