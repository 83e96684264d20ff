//! Time slices. A task that neither sleeps nor locks must not starve the others (a spinlock's holder among them), so a
//! timer on the kernel thread's CPU time interrupts it now and then. The timer is made when the first task is, and
//! rests while there is one task only. Tasks that hold the processor for very long are reported, once.

use crate::kernel::signal::frame::SigInfo;
use crate::kernel::timer;
use crate::kernel::unseen::Unseen;
use crate::report::say;
use crate::sched::clock::NS_PER_S;
use crate::sched::task::{Task, TaskId};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{CLOCK_THREAD_CPUTIME_ID, SI_TIMER, SIGURG};

/// CPU time between two signals of the timer, ns.
pub const TICK: u64 = 5_000_000;
/// CPU time that a task has before it must give way, ns: it does so at the second tick that finds it running, for at
/// the first it may have only just begun.
const SLICE: u64 = 2 * TICK;
/// Interruptions that find one task only, after which the timer rests.
const QUIET_TICKS: u32 = 20;
/// CPU time that a task may take slice by slice, without ever parking, before it is reported, ns.
const TOO_LONG: u64 = 10 * NS_PER_S;

/// Marks the timer's signals as ours (`si_value`).
const MARK: u64 = 0x6772_6976_6574_0001;

/// The signal that the timer sends. Its default action is to be ignored, so that a late one does no harm.
pub const SIGNAL: u32 = SIGURG;

/// Reports a task that never blocks.
pub fn report(worker: &Worker, id: TaskId) {
    say!(
        "thread {} ({}) has run for {} s without a call that blocks, while others were ready; it is interrupted every {} ms",
        worker.tasks[id].tid,
        worker.name_of(id).escape_ascii(),
        TOO_LONG / NS_PER_S,
        SLICE / 1_000_000
    );
}

/// The slice timer and what it has seen.
pub struct Preemption {
    timer: Option<i32>,
    armed: bool,
    forbidden: bool,
    rules: bool,
    quiet: u32,
    /// Switches that there had been at the last tick.
    at_last_tick: u64,
    /// The same at the last tick that found grivet at work.
    at_last_tick_inside: u64,
    /// Switches that there had been when a task last had its whole slice.
    last_slice: u64,
    slice_over: bool,
    said: bool,
    /// The ticks that end waits in the kernel come and rest with these.
    pub unseen: Unseen,
}

impl Preemption {
    pub const fn new() -> Preemption {
        Preemption {
            timer: None,
            armed: false,
            forbidden: false,
            rules: false,
            quiet: 0,
            at_last_tick: 0,
            at_last_tick_inside: 0,
            last_slice: 0u64.wrapping_sub(1 << 32),
            slice_over: false,
            said: false,
            unseen: Unseen::new(),
        }
    }

    /// Tasks switch only where they block, from now on.
    pub fn forbid(&mut self) {
        self.forbidden = true;
    }

    /// Spawn rules are in force, which forbid it as well.
    pub fn obey_rules(&mut self) {
        self.forbidden = true;
        self.rules = true;
    }

    /// Stops the slices until there is another task.
    #[inline(always)]
    pub fn rest(&mut self) {
        if self.armed {
            self.stop();
        }
    }

    /// Whether tasks switch only where they block.
    pub fn is_forbidden(&self) -> bool {
        self.forbidden
    }

    /// Whether spawn rules are in force.
    pub fn has_rules(&self) -> bool {
        self.rules
    }

    /// Whether a task that gives way where it need not is back soon: no task has had a whole slice for a while, and
    /// tasks may switch where they do not block.
    #[inline(always)]
    pub fn is_calm(&self, switches: u64) -> bool {
        const A_WHILE: u64 = 10_000;
        !self.forbidden && switches.wrapping_sub(self.last_slice) > A_WHILE
    }

    /// Whether ticks come.
    pub fn is_armed(&self) -> bool {
        self.armed
    }

    /// Starts the slices, unless they run.
    #[inline(always)]
    pub fn arm(&mut self) {
        self.quiet = 0;
        if !self.armed && !self.forbidden {
            self.start();
        }
    }

    fn stop(&mut self) {
        self.armed = false;
        self.set(0);
        self.unseen.rest();
    }

    #[cold]
    fn start(&mut self) {
        self.armed = true;
        self.unseen.arm();
        if self.timer.is_none() {
            let timer = match timer::make_own(CLOCK_THREAD_CPUTIME_ID, SIGNAL, MARK) {
                Ok(timer) => timer,
                Err(errno) => {
                    say!("no slice timer ({errno}): a thread that never blocks will keep the others waiting");
                    return;
                }
            };
            self.timer = Some(timer);
        }
        self.set(TICK);
    }

    fn set(&self, slice: u64) {
        if let Some(timer) = self.timer {
            timer::set_own(timer, slice);
        }
    }

    /// The worker is about to sleep.
    pub fn falls_asleep(&self) {
        self.unseen.falls_asleep();
    }

    /// The worker has slept, and tasks go on.
    pub fn wakes_up(&mut self) {
        self.unseen.wakes_up(self.armed);
    }

    /// Whether `info` announces the end of a slice.
    pub fn is_tick(&self, info: &SigInfo) -> bool {
        info.si_code == SI_TIMER && info.value() == MARK
    }

    /// A timer signal came while `live` tasks exist, after `switches` switches: whether the running task was running at
    /// the last one, too. The timer rests when there was one task only for some time.
    pub fn tick(&mut self, live: u32, switches: u64) -> bool {
        if live <= 1 {
            self.quiet += 1;
            if self.quiet >= QUIET_TICKS {
                self.stop();
            }
        }
        let has_had_slice = core::mem::replace(&mut self.at_last_tick, switches) == switches;
        if has_had_slice {
            self.last_slice = switches;
        }
        has_had_slice
    }

    /// The same for a tick that found grivet at work. It says nothing about whether tasks compute (`is_calm`): those that
    /// make one call after the other meet it often.
    pub fn tick_inside(&mut self, switches: u64) -> bool {
        core::mem::replace(&mut self.at_last_tick_inside, switches) == switches
    }

    /// Notes that the running task has had its slice.
    pub fn set_slice_over(&mut self) {
        self.slice_over = true;
    }

    /// Whether that was noted; it no longer is.
    pub fn take_slice_over(&mut self) -> bool {
        core::mem::take(&mut self.slice_over)
    }

    /// The running task has had its slice, and others are ready: whether this has been so for so long that it should be
    /// reported.
    pub fn gave_way(&mut self, task: &mut Task) -> bool {
        task.slices = task.slices.saturating_add(1);
        u64::from(task.slices) * SLICE >= TOO_LONG && !core::mem::replace(&mut self.said, true)
    }

    /// In the child of a fork there is no timer.
    pub fn forget(&mut self) {
        *self = Preemption { forbidden: self.forbidden, rules: self.rules, ..Preemption::new() };
    }
}
