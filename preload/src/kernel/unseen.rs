//! System calls that grivet does not see: those of code that the program makes at run time, and of the few instructions
//! that could not be rewritten. One that waits keeps the kernel thread, and with it every task, in the kernel; if it waits
//! for another task, for ever.
//!
//! A timer of real time takes it out again. The kernel then shows where the call was made, and, since grivet's handler has
//! SA_RESTART, most often goes on at the `syscall` instruction with the call's number in rax; calls that it never makes
//! again have ended with EINTR, and their number is read in the code before them. Either way the task is sent to a stub that stands
//! for the instruction (`rewrite::stand_in`), and makes the call once more through the gate, where it is answered like any
//! other: it parks, and others go on. A wait of a given time begins anew by that, and so lasts up to a tick longer.
//!
//! The timer goes with that of the slices, and rests while the worker is idle.

use crate::arch::Frame;
use crate::arch::x86_64::frame::RED_ZONE;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::preempt::SIGNAL;
use crate::kernel::shared_futex;
use crate::kernel::signal::frame::{SigContext, SigInfo};
use crate::kernel::{error, timer};
use crate::report::say;
use crate::rewrite;
use crate::sched::worker::Worker;
use core::sync::atomic::{AtomicBool, Ordering};
use grivet_sites::{GATE_ENTRY, SYSCALL, answered, number_before};
use linux_raw_sys::general::{CLOCK_MONOTONIC, SI_TIMER};
use syscalls::{Errno, Sysno};

/// Time between two ticks, ns.
const TICK: u64 = 100_000_000;
/// The same once such a call has been met: there will be more.
const SOON: u64 = 10_000_000;
/// Marks the timer's signals as ours (`si_value`).
const MARK: u64 = 0x6772_6976_6574_0003;
/// Bytes of code before a call in which its number is looked for.
const LOOK_BACK: usize = 32;
const PAGE: usize = 4096;

/// The timer. The signal handler reads and writes what is atomic while grivet is at work, the rest only when it has interrupted
/// the program's own code.
pub struct Unseen {
    timer: Option<i32>,
    armed: AtomicBool,
    /// The worker is about to sleep, or sleeps.
    asleep: AtomicBool,
    interval: u64,
    said: bool,
}

impl Unseen {
    pub const fn new() -> Unseen {
        Unseen {
            timer: None,
            armed: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            interval: TICK,
            said: false,
        }
    }

    /// Whether `info` is a tick of the timer.
    pub fn is_tick(&self, info: &SigInfo) -> bool {
        info.si_code == SI_TIMER && info.value() == MARK
    }

    /// Starts the ticks. Without a timer (RLIMIT_SIGPENDING) such calls keep all waiting.
    pub fn arm(&mut self) {
        if self.timer.is_none() {
            self.timer = timer::make_own(CLOCK_MONOTONIC, SIGNAL, MARK).ok();
        }
        self.set(true);
    }

    /// Stops them.
    pub fn rest(&self) {
        if self.armed.load(Ordering::Relaxed) {
            self.set(false);
        }
    }

    fn set(&self, armed: bool) {
        if let Some(timer) = self.timer {
            self.armed.store(armed, Ordering::Relaxed);
            timer::set_own(timer, if armed { self.interval } else { 0 });
        }
    }

    /// The worker is about to sleep.
    pub fn falls_asleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
    }

    /// The worker has slept, and tasks go on. If that was for so long that the ticks rest, they come again.
    pub fn wakes_up(&mut self, ticks: bool) {
        self.asleep.store(false, Ordering::Relaxed);
        if ticks && !self.armed.load(Ordering::Relaxed) {
            self.interval = self.usual();
            self.set(true);
        }
    }

    /// A tick came while grivet was at work.
    pub fn tick_inside(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.rest();
        }
    }

    /// How often ticks come as a rule.
    fn usual(&self) -> u64 {
        if self.said { SOON } else { TICK }
    }

    /// Ticks come this often from now on.
    fn come_every(&mut self, interval: u64) {
        if interval != self.interval {
            self.interval = interval;
            if self.armed.load(Ordering::Relaxed) {
                self.set(true);
            }
        }
    }
}

/// A call that a tick took out of the kernel.
struct Call {
    /// Where the `syscall` instruction is.
    site: u64,
    /// Its number, if that is known.
    number: Option<u32>,
    /// It has ended with EINTR; otherwise the kernel is to make it again.
    has_ended: bool,
}

/// A tick interrupted the program's own code, at `registers`: if that was in a call, the task makes it again where it is seen.
pub fn tick(worker: &mut Worker, registers: &mut SigContext) {
    if worker.is_single() {
        // Nobody else is kept waiting.
        worker.preemption.rest();
    }
    let Some(call) = interrupted(registers) else {
        let unseen = &mut worker.preemption.unseen;
        return unseen.come_every(unseen.usual());
    };
    if rewrite::original(call.site).is_some() {
        return passed_on(worker, registers, &call);
    }
    let Some(number) = call.number else { return };
    if worker.is_single() || !may_wait_for_long(number) {
        return again_unseen(worker, registers, &call, number);
    }
    let Some(stub) = rewrite::stand_in(call.site) else {
        return again_unseen(worker, registers, &call, number);
    };
    registers.rip = stub;
    registers.rax = u64::from(number);
    if Sysno::new(number as usize) == Some(Sysno::futex) && !worker.has_strangers() {
        // Calls of the same code that wake somebody do not wait, and are not seen either.
        worker.set_strangers(true);
        shared_futex::enter_all(worker);
    }
    report(worker, call.site, number);
    let unseen = &mut worker.preemption.unseen;
    unseen.come_every(unseen.usual());
}

/// The call in which the program was interrupted, if it was in one.
fn interrupted(registers: &SigContext) -> Option<Call> {
    let is_call = |address: u64| {
        // SAFETY: plain bytes.
        let code = unsafe { user::read::<[u8; 2]>(address as usize) };
        code == Ok(SYSCALL)
    };
    let (rip, before) = (registers.rip, registers.rip.wrapping_sub(SYSCALL.len() as u64));
    if is_call(rip) {
        return Some(Call { site: rip, number: u32::try_from(registers.rax).ok(), has_ended: false });
    }
    let has_ended = registers.rax as i64 as isize == error(Errno::EINTR) && is_call(before);
    has_ended.then(|| Call { site: before, number: number_at(before as usize), has_ended: true })
}

/// The number of the call at `site`, as the code before it tells.
fn number_at(site: usize) -> Option<u32> {
    // What is before the page need not be there.
    let length = LOOK_BACK.min(site % PAGE);
    let mut code = [0u8; LOOK_BACK];
    // SAFETY: the array has room for that much.
    unsafe { user::copy(code.as_mut_ptr() as usize, site - length, length) }.ok()?;
    number_before(&code[..length])
}

/// Whether a call is one that grivet answers, and can wait for: making and ending threads does not.
fn may_wait_for_long(number: u32) -> bool {
    use Sysno::{clone, clone3, exit, fork, rt_sigreturn, vfork};
    let waits_for_nobody =
        |number| matches!(Sysno::new(number as usize), Some(clone | clone3 | fork | vfork | exit | rt_sigreturn));
    answered(number) && !waits_for_nobody(number)
}

/// The task waits in a call that grivet has seen, and left to the kernel. It must not notice that it was interrupted.
fn passed_on(worker: &mut Worker, registers: &mut SigContext, call: &Call) {
    if !call.has_ended {
        return;
    }
    // The gate saved the registers there when the call was made, and if no handler has run on that stack since, they still lie
    // there.
    let saved = registers.rsp as usize - RED_ZONE - size_of::<Frame>();
    // SAFETY: a frame is plain words.
    let Ok(frame) = (unsafe { user::read::<Frame>(saved) }) else { return };
    if frame.site == call.site && frame.rip == call.site && frame.rsp == registers.rsp {
        registers.rip = call.site - GATE_ENTRY;
        registers.rax = frame.number;
        disturbed(worker);
    }
}

/// The call is the kernel's business, and is made again as it was.
fn again_unseen(worker: &mut Worker, registers: &mut SigContext, call: &Call, number: u32) {
    if call.has_ended {
        registers.rip = call.site;
        registers.rax = u64::from(number);
        disturbed(worker);
    }
}

/// A wait of a given time began anew for nothing. Were it to do so at ticks that come equally often, it might never end.
fn disturbed(worker: &mut Worker) {
    let unseen = &mut worker.preemption.unseen;
    unseen.come_every(unseen.interval.saturating_mul(2));
}

fn report(worker: &mut Worker, site: u64, number: u32) {
    if core::mem::replace(&mut worker.preemption.unseen.said, true) {
        return;
    }
    let current = worker.current;
    let name = Sysno::new(number as usize).map_or("?", |call| call.name());
    say!(
        "thread {} ({}) waited in {name}, called at {site:#x} by code that grivet has not rewritten (made at run time?): such waits hold up all threads, for up to {} ms each",
        worker.tasks[current].tid,
        worker.name_of(current).escape_ascii(),
        SOON / 1_000_000
    );
}
