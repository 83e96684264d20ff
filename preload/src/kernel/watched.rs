//! Calls that should not wait, but could: nothing tells for certain beforehand. `accept` after poll(2) said yes waits
//! if another process was faster, and `connect` has no flag that makes it not wait. The worker makes such a call
//! itself, and a timer's signal takes it out of the kernel again if it does wait.
//!
//! The timer is started when it is needed and stops by itself after some ticks without use, so that a run of such calls
//! costs no further system calls.

use crate::arch::x86_64::gate::idle_call;
use crate::kernel::preempt::SIGNAL;
use crate::kernel::signal::frame::SigInfo;
use crate::kernel::timer;
use crate::sched::worker::Worker;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use linux_raw_sys::general::{CLOCK_MONOTONIC, SI_TIMER};
use syscalls::{Errno, Sysno};

/// How long a call that most probably does not wait may do so, ns.
const UNLIKELY: u64 = 1_000_000;
/// The same for one that most probably waits, or for whose length nothing is known, ns.
const LIKELY: u64 = 50_000;
/// Ticks without a call, after which the timer stops.
const QUIET_TICKS: u32 = 8;
/// Marks the timer's signals as ours (`si_value`).
const MARK: u64 = 0x6772_6976_6574_0002;

/// How probable it is that a call waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    Unlikely,
    Likely,
}

/// What became of a call.
pub enum Answer {
    /// It came back by itself, with this result.
    Returned(isize),
    /// It waited and was taken out.
    Waited,
    /// Signals must be looked after first: make it again.
    Interrupted,
}

/// The timer. The signal handler reads and writes it while grivet is at work, so all fields are atomic.
pub struct Watchdog {
    timer: AtomicI32,
    runs: AtomicBool,
    /// A call is under way.
    inside: AtomicBool,
    used: AtomicBool,
    quiet: AtomicU32,
}

impl Watchdog {
    pub const fn new() -> Watchdog {
        Watchdog {
            timer: AtomicI32::new(-1),
            runs: AtomicBool::new(false),
            inside: AtomicBool::new(false),
            used: AtomicBool::new(false),
            quiet: AtomicU32::new(0),
        }
    }

    /// Whether `info` is a tick of the timer.
    pub fn is_tick(&self, info: &SigInfo) -> bool {
        info.si_code == SI_TIMER && info.value() == MARK
    }

    /// Called by the signal handler at each tick.
    pub fn tick(&self) {
        if self.used.swap(false, Ordering::Relaxed) || self.inside.load(Ordering::Relaxed) {
            self.quiet.store(0, Ordering::Relaxed);
        } else if self.quiet.fetch_add(1, Ordering::Relaxed) >= QUIET_TICKS {
            self.runs.store(false, Ordering::Relaxed);
            self.set(0);
        }
    }

    /// Stops the timer until it is needed again.
    #[inline(always)]
    pub fn rest(&self) {
        if self.runs.load(Ordering::Relaxed) {
            self.runs.store(false, Ordering::Relaxed);
            self.set(0);
        }
    }

    /// In the child of a fork there is no timer.
    pub fn forget(&mut self) {
        *self = Watchdog::new();
    }

    fn set(&self, interval: u64) {
        timer::set_own(self.timer.load(Ordering::Relaxed), interval);
    }

    fn make(&self) -> bool {
        if self.timer.load(Ordering::Relaxed) >= 0 {
            return true;
        }
        let made = timer::make_own(CLOCK_MONOTONIC, SIGNAL, MARK);
        if let Ok(timer) = made {
            self.timer.store(timer, Ordering::Relaxed);
        }
        made.is_ok()
    }
}

/// Makes system call `number` on the worker. Without a timer (RLIMIT_SIGPENDING) it is made all the same, and may wait.
///
/// # Safety
/// As for the system call.
pub unsafe fn call(worker: &mut Worker, number: Sysno, arguments: [usize; 6], waits: Waits) -> Answer {
    let watchdog = &worker.watchdog;
    watchdog.inside.store(true, Ordering::Relaxed);
    watchdog.used.store(true, Ordering::Relaxed);
    if watchdog.make() {
        if waits == Waits::Likely {
            watchdog.set(LIKELY);
        } else if !watchdog.runs.load(Ordering::Relaxed) {
            watchdog.set(UNLIKELY);
        }
        watchdog.runs.store(true, Ordering::Relaxed);
    }
    // SAFETY: the caller vouches for the call.
    let answer = unsafe { idle_call(number as u32, arguments, worker.attention.as_ptr()) };
    if waits == Waits::Likely {
        watchdog.set(UNLIKELY);
    }
    watchdog.inside.store(false, Ordering::Relaxed);
    if answer != -(Errno::EINTR.into_raw() as isize) {
        Answer::Returned(answer)
    } else if worker.attention.load(Ordering::Relaxed) != 0 {
        Answer::Interrupted
    } else {
        Answer::Waited
    }
}
