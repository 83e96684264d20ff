//! The pool's threads: kernel threads that are no task's, made by clone(2) past the C library. Each has a slot through
//! which it is given a call and gives back the result; it touches nothing else of grivet's, and nothing of the C
//! library's: its thread pointer is borrowed. All signals are blocked in it but one, by which it is taken out of a call
//! (`interrupt`).

use crate::allocator::name_mapping;
use crate::arch::x86_64::gate::idle_call;
use crate::arch::x86_64::start_thread;
use crate::kernel::preempt::SIGNAL;
use crate::kernel::proc_text;
use crate::kernel::signal::bit;
use crate::raw;
use crate::sched::clock::NS_PER_S;
use crate::sched::idle::timespec;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicIsize, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use linux_raw_sys::general::{
    CLONE_CHILD_CLEARTID, CLONE_FILES, CLONE_FS, CLONE_IO, CLONE_PARENT_SETTID, CLONE_SIGHAND, CLONE_SYSVSEM,
    CLONE_THREAD, CLONE_VM, FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAKE, MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE,
    PROT_READ, PROT_WRITE,
};
use syscalls::Sysno;

/// Threads at most; a bit of `DONE` stands for each.
pub const SLOTS: usize = 64;

const STACK: usize = 64 << 10;
/// A thread without work ends after this time, ns.
const IDLE: u64 = NS_PER_S;

/// States of a slot.
const WAITS: u32 = 0;
const WORKS: u32 = 1;
const ENDS: u32 = 2;

struct Slot {
    state: AtomicU32,
    /// The thread's id; the kernel writes 0 when it has left its stack.
    thread: AtomicI32,
    /// The call is to be broken off.
    cancelled: AtomicU32,
    /// The thread is to end when its call is done.
    stale: AtomicBool,
    number: AtomicU32,
    arguments: UnsafeCell<[usize; 6]>,
    notify: AtomicI32,
    result: AtomicIsize,
}

// SAFETY: `arguments` is written by the worker while the state is WAITS, and read by the thread while it is WORKS.
unsafe impl Sync for Slot {}

static POOL: [Slot; SLOTS] = [const {
    Slot {
        state: AtomicU32::new(WAITS),
        thread: AtomicI32::new(0),
        cancelled: AtomicU32::new(0),
        stale: AtomicBool::new(false),
        number: AtomicU32::new(0),
        arguments: UnsafeCell::new([0; 6]),
        notify: AtomicI32::new(-1),
        result: AtomicIsize::new(0),
    }
}; SLOTS];

/// Slots whose results have not been taken.
static DONE: AtomicU64 = AtomicU64::new(0);

/// The threads' stacks, side by side.
static STACKS: AtomicUsize = AtomicUsize::new(0);

/// Whether `address` lies on a stack of the pool's.
pub fn is_own_stack(address: u64) -> bool {
    let base = STACKS.load(Ordering::Relaxed);
    base != 0 && (base..base + SLOTS * STACK).contains(&(address as usize))
}

/// Gives a call to one of the slots in `free`, with a thread that waits if there is one, else with a new one. The slot;
/// None if there is none, or no thread can be made.
pub fn employ(
    free: impl Iterator<Item = usize> + Clone,
    number: u32,
    arguments: [usize; 6],
    notify: i32,
) -> Option<usize> {
    let lives = |slot: &usize| {
        POOL[*slot].thread.load(Ordering::Acquire) != 0 && POOL[*slot].state.load(Ordering::Acquire) == WAITS
    };
    let place = |slot: usize| {
        let shared = &POOL[slot];
        shared.cancelled.store(0, Ordering::Relaxed);
        shared.number.store(number, Ordering::Relaxed);
        shared.notify.store(notify, Ordering::Relaxed);
        // SAFETY: the slot is not at work: see `Slot`.
        unsafe { *shared.arguments.get() = arguments };
    };
    for slot in free.clone().filter(lives) {
        place(slot);
        let state = &POOL[slot].state;
        if state.compare_exchange(WAITS, WORKS, Ordering::Release, Ordering::Relaxed).is_ok() {
            futex_wake(state);
            return Some(slot);
        }
    }
    let slot = free.clone().find(|&slot| POOL[slot].thread.load(Ordering::Acquire) == 0)?;
    place(slot);
    POOL[slot].stale.store(false, Ordering::Relaxed);
    POOL[slot].state.store(WORKS, Ordering::Release);
    begin(slot).then_some(slot)
}

fn stacks() -> Option<usize> {
    let base = STACKS.load(Ordering::Relaxed);
    if base != 0 {
        return Some(base);
    }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    // SAFETY: a new private mapping.
    let base = unsafe { raw::mmap(0, SLOTS * STACK, PROT_READ | PROT_WRITE, flags, -1, 0) }.ok()?;
    name_mapping(base, SLOTS * STACK, c"grivet pool");
    STACKS.store(base, Ordering::Relaxed);
    Some(base)
}

fn begin(slot: usize) -> bool {
    const FLAGS: u32 = CLONE_VM
        | CLONE_FS
        | CLONE_FILES
        | CLONE_SIGHAND
        | CLONE_THREAD
        | CLONE_SYSVSEM
        | CLONE_IO
        | CLONE_PARENT_SETTID
        | CLONE_CHILD_CLEARTID;
    let Some(base) = stacks() else { return false };
    let word = POOL[slot].thread.as_ptr();
    let mask = raw::set_signal_mask(!bit(SIGNAL));
    // SAFETY: the stack is this slot's, whose last thread has left it; the function never returns; the word lives for
    // ever.
    let answer = unsafe { start_thread(FLAGS as usize, base + (slot + 1) * STACK, word, work, slot) };
    raw::set_signal_mask(mask);
    answer > 0
}

/// A thread's life.
extern "C" fn work(slot: usize) -> ! {
    let shared = &POOL[slot];
    loop {
        match shared.state.load(Ordering::Acquire) {
            WORKS => {
                // SAFETY: the worker wrote the call before it set the state.
                let result = unsafe {
                    idle_call(shared.number.load(Ordering::Relaxed), *shared.arguments.get(), shared.cancelled.as_ptr())
                };
                shared.result.store(result, Ordering::Relaxed);
                let next = if shared.stale.load(Ordering::Relaxed) { ENDS } else { WAITS };
                let notify = shared.notify.load(Ordering::Relaxed);
                shared.state.store(next, Ordering::Release);
                DONE.fetch_or(1 << slot, Ordering::Release);
                let _ = raw::write(notify, &1u64.to_ne_bytes());
            }
            WAITS => {
                let limit = timespec(IDLE);
                let arguments = [
                    shared.state.as_ptr() as usize,
                    (FUTEX_WAIT | FUTEX_PRIVATE_FLAG) as usize,
                    WAITS as usize,
                    &raw const limit as usize,
                    0,
                    0,
                ];
                // SAFETY: the word lives for ever, the time across the call.
                let answer = unsafe { raw::call(Sysno::futex as u32, arguments) };
                const ETIMEDOUT: isize = -110;
                if answer == ETIMEDOUT {
                    let _ = shared.state.compare_exchange(WAITS, ENDS, Ordering::Relaxed, Ordering::Relaxed);
                }
            }
            _ => loop {
                // SAFETY: ends this thread; the kernel clears its word once it has left the stack.
                unsafe { raw::call(Sysno::exit as u32, [0; 6]) };
            },
        }
    }
}

fn futex_wake(word: &AtomicU32) {
    // SAFETY: a wake-up writes nothing.
    unsafe {
        raw::call(Sysno::futex as u32, [word.as_ptr() as usize, (FUTEX_WAKE | FUTEX_PRIVATE_FLAG) as usize, 1, 0, 0, 0])
    };
}

/// A slot whose call is done, and the result.
pub fn take_done() -> Option<(usize, isize)> {
    let done = DONE.load(Ordering::Acquire);
    if done == 0 {
        return None;
    }
    let slot = done.trailing_zeros() as usize;
    DONE.fetch_and(!(1 << slot), Ordering::Acquire);
    Some((slot, POOL[slot].result.load(Ordering::Relaxed)))
}

/// Takes the slot's thread out of its call.
pub fn interrupt(slot: usize, pid: i32) {
    let shared = &POOL[slot];
    shared.cancelled.store(1, Ordering::Release);
    let thread = shared.thread.load(Ordering::Acquire);
    // SAFETY: sends a signal to a thread of this process; one that has ended is not found.
    unsafe { raw::call(Sysno::tgkill as u32, [pid as usize, thread as usize, SIGNAL as usize, 0, 0, 0]) };
}

/// Whether the slot's thread is not asleep in its call: it has not got there yet, or is on its way back. False if nothing
/// tells.
pub fn is_running(slot: usize) -> bool {
    let shared = &POOL[slot];
    if shared.state.load(Ordering::Acquire) != WORKS {
        return false;
    }
    let thread = shared.thread.load(Ordering::Acquire);
    // The thread's state stands behind its name, which is in brackets and has none after it (proc_pid_stat(5)).
    let stat = proc_text::read_at(format_args!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    let name_end = stat.iter().rposition(|&byte| byte == b')');
    name_end.and_then(|end| stat.get(end + 2)) == Some(&b'R')
}

/// Threads end, those at work (`is_busy`) when their call is done.
pub fn retire(is_busy: impl Fn(usize) -> bool) {
    for (slot, shared) in POOL.iter().enumerate() {
        if is_busy(slot) {
            shared.stale.store(true, Ordering::Relaxed);
        }
        if shared.state.compare_exchange(WAITS, ENDS, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            futex_wake(&shared.state);
        }
    }
}

/// In the child of a fork: there are none.
pub fn forget() {
    DONE.store(0, Ordering::Relaxed);
    for shared in &POOL {
        shared.thread.store(0, Ordering::Relaxed);
        shared.state.store(WAITS, Ordering::Relaxed);
    }
}
