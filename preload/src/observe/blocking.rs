//! `--max-blocking`: what keeps the other threads waiting. A timer ticks four times in the time that is allowed. If a tick
//! finds that one task has been at work for longer than that, with others ready at each tick before, a report says what it
//! is at: a call that the kernel takes long for, or computing (which lasts so long only where no time slices are).
//! gevent's GEVENT_MAX_BLOCKING_TIME is the model.
//!
//! The signal handler may come while grivet is at work, so what it touches is atomic.

use super::itself;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::preempt::SIGNAL;
use crate::kernel::signal::frame::{SigContext, SigInfo, SignalFrame, UContext};
use crate::kernel::timer;
use crate::report::say;
use crate::sched::clock::NS_PER_S;
use crate::sched::task::State;
use crate::sched::worker::Worker;
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use grivet_inspect::cause::call_name;
use linux_raw_sys::general::{CLOCK_MONOTONIC, SI_TIMER};

/// Marks the timer's signals as ours (`si_value`).
const MARK: u64 = 0x6772_6976_6574_0007;

/// Ticks in the time that is allowed.
const TICKS: u64 = 4;

/// Time between two reports, ns.
const BETWEEN_REPORTS: u64 = NS_PER_S;

/// The detector.
pub struct Blocking {
    /// What is allowed, ns; 0: anything.
    limit: u64,
    timer: Option<i32>,
    is_armed: bool,
    /// The worker sleeps because no task is ready.
    is_idle: AtomicBool,
    /// Since when the current task keeps others waiting: it was switched to, or the first other became ready, ns.
    since: AtomicU64,
    /// The span that was counted last, and the time that was counted of it.
    counted: u64,
    counted_ns: u64,
    /// It has lasted too long: to be looked at on the way out of grivet.
    is_due: AtomicBool,
    reported_at: u64,
    reports: u64,
    spans: u64,
    total: u64,
    longest: u64,
}

impl Blocking {
    pub const fn new() -> Blocking {
        Blocking {
            limit: 0,
            timer: None,
            is_armed: false,
            is_idle: AtomicBool::new(false),
            since: AtomicU64::new(0),
            counted: u64::MAX,
            counted_ns: 0,
            is_due: AtomicBool::new(false),
            reported_at: 0,
            reports: 0,
            spans: 0,
            total: 0,
            longest: 0,
        }
    }

    /// Looks for what lasts longer than `limit` ns from now on.
    pub fn allow(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Whether it looks at all.
    pub fn is_on(&self) -> bool {
        self.limit != 0
    }

    /// In the child of a fork there is no timer.
    pub fn forget(&mut self) {
        *self = Blocking { limit: self.limit, ..Blocking::new() };
    }

    /// There are others that can be kept waiting.
    pub fn arm(&mut self) {
        if self.is_armed || !self.is_on() {
            return;
        }
        self.is_armed = true;
        if self.timer.is_none() {
            match timer::make_own(CLOCK_MONOTONIC, SIGNAL, MARK) {
                Ok(timer) => self.timer = Some(timer),
                Err(errno) => return say!("no timer ({errno}): GRIVET_MAX_BLOCKING is without effect"),
            }
        }
        self.set(self.limit / TICKS);
    }

    /// Another task goes on.
    pub fn switched(&self, now: u64) {
        self.since.store(now, Ordering::Relaxed);
    }

    /// There is one task only.
    #[inline(always)]
    pub fn rest(&mut self) {
        if self.is_armed {
            self.is_armed = false;
            self.set(0);
        }
    }

    fn set(&self, interval: u64) {
        if let Some(timer) = self.timer {
            timer::set_own(timer, interval);
        }
    }

    /// The worker is about to sleep, or has slept.
    pub fn set_idle(&self, is_idle: bool) {
        self.is_idle.store(is_idle, Ordering::Relaxed);
        self.is_due.store(false, Ordering::Relaxed);
    }

    /// Whether `info` is a tick of the timer.
    pub fn is_tick(&self, info: &SigInfo) -> bool {
        self.is_on() && info.si_code == SI_TIMER && info.value() == MARK
    }

    /// A tick at time `now`: whether the task that is at work has been for too long.
    pub fn tick(&self, now: u64) -> bool {
        if self.is_idle.load(Ordering::Relaxed) {
            return false;
        }
        let is_long = now.saturating_sub(self.since.load(Ordering::Relaxed)) >= self.limit;
        if is_long {
            self.is_due.store(true, Ordering::Relaxed);
        }
        is_long
    }

    /// Nobody waits: what has passed does not count.
    pub fn begin_anew(&self, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.is_due.store(false, Ordering::Relaxed);
    }

    /// Counts the span that is under way, which has lasted `held` ns.
    fn count(&mut self, switches: u64, held: u64) {
        if self.counted != switches {
            self.counted = switches;
            self.counted_ns = 0;
            self.spans += 1;
        }
        self.total += held.saturating_sub(core::mem::replace(&mut self.counted_ns, held));
        self.longest = self.longest.max(held);
    }
}

/// Whether a task could go on if the current one did not keep the core.
pub fn others_wait(worker: &Worker) -> bool {
    !worker.run_queue.is_empty() || worker.has_something_to_look_for()
}

/// On the way out of grivet: a span that has lasted too long is counted, and reported.
pub fn attend(worker: &mut Worker) {
    if !worker.observer.blocking.is_due.swap(false, Ordering::Relaxed) {
        return;
    }
    let now = worker.clock.now();
    if !others_wait(worker) || worker.tasks[worker.current].state != State::Running {
        return worker.observer.blocking.begin_anew(now);
    }
    let switches = worker.stats.switches;
    let blocking = &mut worker.observer.blocking;
    let held = now.saturating_sub(blocking.since.load(Ordering::Relaxed));
    blocking.count(switches, held);
    if blocking.reports != 0 && now.saturating_sub(blocking.reported_at) < BETWEEN_REPORTS {
        return;
    }
    blocking.reported_at = now;
    blocking.reports += 1;
    report(worker, held);
}

fn report(worker: &mut Worker, held: u64) {
    const MS: u64 = 1_000_000;
    let id = worker.current;
    let (tid, name) = (worker.tasks[id].tid, worker.name_of(id).escape_ascii());
    let resume = worker.tasks[id].resume;
    let call = match (resume.as_gate(), resume.as_signal()) {
        // SAFETY: the frame lies on the task's stack until it goes on.
        (Some(frame), _) => unsafe { Some((*frame).number()) },
        (_, Some(place)) => interrupted_call(place),
        _ => None,
    };
    match call.and_then(call_name) {
        Some(call) => say!("{name} ({tid}) has kept the others waiting for {} ms, in {call}:", held / MS),
        None => say!("{name} ({tid}) has kept the others waiting for {} ms:", held / MS),
    }
    itself::backtraces(worker, &[id]);
}

/// The number of the system call that the signal frame at `place` is about to make again.
fn interrupted_call(place: usize) -> Option<u32> {
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    let registers = place + offset_of!(SignalFrame, context) + offset_of!(UContext, registers);
    // SAFETY: plain words and bytes.
    unsafe {
        let rip = user::read::<u64>(registers + offset_of!(SigContext, rip)).ok()?;
        let rax = user::read::<u64>(registers + offset_of!(SigContext, rax)).ok()?;
        (user::read::<[u8; 2]>(rip as usize).ok()? == SYSCALL).then_some(rax as u32)
    }
}

/// The total, when the process ends.
pub fn finish(worker: &Worker) {
    const MS: u64 = 1_000_000;
    let blocking = &worker.observer.blocking;
    if blocking.spans != 0 {
        say!(
            "blocking: others were kept waiting for longer than {} ms {} times, {} ms in all, {} ms at most",
            blocking.limit / MS,
            blocking.spans,
            blocking.total / MS,
            blocking.longest / MS
        );
    }
}
