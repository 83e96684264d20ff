//! What the worker does when no task is ready: it sleeps in the kernel until the next deadline, until a file is ready,
//! until another process touches a shared futex, or until a signal comes. If nothing of the kind can happen, the process is stuck, which is said once.

use crate::arch::x86_64::gate::idle_call;
use crate::kernel::{descriptors, io, pool, shared_futex, signal};
use crate::observe::{self, deadlock};
use crate::report::stuck;
use crate::sched::clock::NS_PER_S;
use crate::sched::worker::{COARSE_SHIFT, Worker, coarse};
use core::sync::atomic::Ordering;
use linux_raw_sys::general::__kernel_timespec;
use syscalls::Sysno;

/// How long a process must have been stuck before it is said: a signal handler may be about to help, ns.
const STUCK_AFTER: u64 = NS_PER_S;

/// How often is looked at what does not end the worker's sleep by itself: shared futexes while files are waited for as well, files
/// that the poller refuses, calls that no thread of the pool is free for, ns.
const LOOK: u64 = 1_000_000;

impl Worker {
    /// Sleeps until something may have made a task ready, and makes it so.
    #[cold]
    pub fn idle(&mut self) {
        self.discards.flush(&mut self.arena);
        self.arena.flush();
        if self.attention.load(Ordering::Relaxed) != 0 {
            signal::look_after(self);
            if !self.run_queue.is_empty() {
                return;
            }
        }
        signal::sync_kernel_mask(self);
        let now = self.clock.now();
        let mut timeout = self.timers.next_deadline().map(|deadline| deadline.saturating_sub(now));
        if timeout == Some(0) {
            self.expire_timers();
            return;
        }
        if self.is_watched {
            observe::idles(self);
            self.observer.blocking.set_idle(true);
        }
        let waits_for_files = self.waits_for_files();
        if waits_for_files {
            io::register_all(self);
        }
        if !self.descriptors.stand_ins.is_empty() {
            descriptors::close_stand_ins(self);
        }
        if deadlock::has_news(self) {
            match deadlock::due_in(self) {
                0 => deadlock::look(self),
                left => {
                    let left = u64::from(left) << COARSE_SHIFT;
                    timeout = Some(timeout.map_or(left, |ns| ns.min(left)));
                }
            }
        }
        self.preemption.falls_asleep();
        if !waits_for_files && self.shared_waiters.is_empty() {
            let is_quiet = timeout.is_none() && !self.said_stuck && !self.observer.deadlocks.has_reported();
            let stuck = is_quiet && stuck::is_stuck(self);
            if stuck {
                timeout = Some(STUCK_AFTER);
            }
            let answer = self.sleep(timeout);
            if stuck && answer == 0 && !shared_futex::wake_missed(self) {
                self.said_stuck = true;
                stuck::report(self);
            }
        } else if !waits_for_files {
            shared_futex::wait(self, timeout);
        } else {
            if !self.shared_waiters.is_empty() {
                shared_futex::check(self);
            }
            if !self.shared_waiters.is_empty() || !self.descriptors.unwatchable.is_empty() || self.pool.has_line() {
                timeout = Some(timeout.map_or(LOOK, |ns| ns.min(LOOK)));
            }
            self.wait_for_files(timeout);
        }
        self.coarse_time = coarse(self.clock.now());
        if self.is_watched {
            self.observer.blocking.set_idle(false);
        }
        if !self.timers.is_empty() {
            self.expire_timers();
        }
        if self.attention.load(Ordering::Relaxed) != 0 {
            signal::look_after(self);
        }
    }

    fn wait_for_files(&mut self, timeout: Option<u64>) {
        if self.poller.descriptor().is_none() {
            self.sleep(timeout);
        } else {
            let events = self.poller.wait(timeout, &self.attention);
            io::hand_out(self, &events);
        }
        if !self.descriptors.unwatchable.is_empty() {
            io::try_unwatchable(self);
        }
        if self.pool.has_line() {
            pool::collect(self);
        }
    }

    /// Sleeps for `timeout` ns, or for ever; 0 when the time is over, −EINTR after a signal.
    fn sleep(&self, timeout: Option<u64>) -> isize {
        let time = timeout.map(timespec);
        let pointer = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: no files; the timespec lives across the call.
        unsafe { idle_call(Sysno::ppoll as u32, [0, 0, pointer as usize, 0, 8, 0], self.attention.as_ptr()) }
    }
}

/// `ns` as the kernel takes it.
pub fn timespec(ns: u64) -> __kernel_timespec {
    __kernel_timespec { tv_sec: (ns / NS_PER_S) as i64, tv_nsec: (ns % NS_PER_S) as i64 }
}
