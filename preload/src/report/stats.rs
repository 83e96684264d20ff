//! What was counted, and the line that GRIVET_STATS=1 prints at the end of the process.

use super::say;
use crate::sched::worker::Worker;

/// Counts since the process began to have tasks.
pub struct Stats {
    /// Threads made; the main one is not counted.
    pub threads: u64,
    /// Most threads alive at once; the main one is not counted.
    pub peak: u32,
    pub switches: u64,
    pub parks_futex: u64,
    pub parks_sleep: u64,
    pub parks_poll: u64,
    pub parks_signal: u64,
    /// System calls answered here, and left to the kernel.
    pub answered: u64,
    pub passed: u64,
    /// That a futex operation is left to the kernel has been said.
    pub said_futex: bool,
    /// That a library loaded later could not be rewritten has been said.
    pub said_late: bool,
}

impl Stats {
    pub const fn new() -> Stats {
        Stats {
            threads: 0,
            peak: 0,
            switches: 0,
            parks_futex: 0,
            parks_sleep: 0,
            parks_poll: 0,
            parks_signal: 0,
            answered: 0,
            passed: 0,
            said_futex: false,
            said_late: false,
        }
    }

    /// A thread was made; `alive` are alive now.
    #[inline(always)]
    pub fn thread_made(&mut self, alive: u32) {
        self.threads += 1;
        self.peak = self.peak.max(alive);
    }

    /// The child of a fork counts for itself.
    pub fn begin_again(&mut self) {
        *self = Stats::new();
    }
}

/// Prints the line.
pub fn print(worker: &Worker) {
    let stats = &worker.stats;
    say!(
        "stats: threads={} peak={} switches={} parks_futex={} parks_sleep={} parks_poll={} parks_signal={} answered={} passed={}",
        stats.threads,
        stats.peak,
        stats.switches,
        stats.parks_futex,
        stats.parks_sleep,
        stats.parks_poll,
        stats.parks_signal,
        stats.answered,
        stats.passed
    );
}
