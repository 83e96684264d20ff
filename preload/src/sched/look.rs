//! Looking around: what has happened outside that makes tasks ready. The worker looks every so many switches, when no task is
//! ready, and where a task that asks again and again would keep others waiting.

use crate::arch::x86_64::cpu;
use crate::kernel;
use crate::observe::deadlock;
use crate::sched::worker::{SWITCHES_BETWEEN_LOOKS, Worker, coarse};

/// Ticks of the time stamp counter after which files are looked at in any case: a millisecond at most, for no processor
/// of this kind counts slower than 1 GHz.
const LOOK_CYCLES: u64 = 1_000_000;

impl Worker {
    /// Whether a look at the poller could make a task ready.
    #[inline(always)]
    pub fn waits_for_files(&self) -> bool {
        self.descriptors.has_waiters() || self.pool.outstanding != 0
    }

    /// Whether it is time to look in any case.
    pub fn has_not_looked_for_long(&self) -> bool {
        self.waits_for_files() && cpu::time_stamp().wrapping_sub(self.looked_at) > LOOK_CYCLES
    }

    /// Whether a task that has just looked at files, and need not wait, should let others go first: it `has_woken` one, or
    /// nobody has looked for a millisecond after those that wait for files or the time.
    pub fn is_time_for_others(&mut self, has_woken: bool) -> bool {
        if self.preemption.is_forbidden() || self.run_queue.real_time.running != 0 {
            return false;
        }
        if !has_woken {
            let now = cpu::time_stamp();
            if now.wrapping_sub(self.looked_at) <= LOOK_CYCLES {
                return false;
            }
            self.looked_at = now;
            self.look_around();
        }
        !self.run_queue.is_empty()
    }

    /// Timers that are due, files that are ready, shared futexes that have changed.
    pub fn look_around(&mut self) {
        self.until_look = SWITCHES_BETWEEN_LOOKS;
        self.coarse_time = coarse(self.clock.now());
        self.observer.by_nobody = true;
        if !self.timers.is_empty() {
            self.expire_timers();
        }
        if self.waits_for_files() {
            self.looked_at = cpu::time_stamp();
            kernel::io::look(self);
        }
        if !self.shared_waiters.is_empty() {
            kernel::shared_futex::check(self);
        }
        self.observer.by_nobody = false;
        if deadlock::due_in(self) == 0 && deadlock::has_news(self) {
            deadlock::look(self);
        }
    }

    /// Wakes all sleepers whose time has come.
    pub fn expire_timers(&mut self) {
        let now = self.clock.now();
        while let Some(id) = self.timers.pop_due(now) {
            kernel::time_out(self, id, now);
        }
    }

    /// Whether a look around could make a task ready.
    pub fn has_something_to_look_for(&self) -> bool {
        let is_due = |deadline| deadline <= self.clock.now();
        self.waits_for_files() || !self.shared_waiters.is_empty() || self.timers.next_deadline().is_some_and(is_due)
    }
}
