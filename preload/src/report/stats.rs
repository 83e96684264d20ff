//! What was counted, and the line that GRIVET_STATS=1 prints at the end of the process.

use super::message::{Line, STDERR};
use crate::raw;
use crate::sched::worker::Worker;
use core::fmt::Write;
use syscalls::Sysno;

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
    pub parks_io: u64,
    /// Receives that were made with others in one system call.
    pub received_together: u64,
    /// System calls answered here, and left to the kernel.
    pub answered: u64,
    pub passed: u64,
    pub outlet: Outlet,
    /// That a thread changes what is the whole process's here has been said.
    pub said_whole_process: bool,
    /// That a library loaded later could not be rewritten has been said.
    pub said_late: bool,
    /// That a thread stays the kernel's has been said.
    pub said_clone: bool,
    /// That stacks go without guards has been said.
    pub said_unguarded: bool,
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
            parks_io: 0,
            received_together: 0,
            answered: 0,
            passed: 0,
            outlet: Outlet::NONE,
            said_whole_process: false,
            said_late: false,
            said_unguarded: false,
            said_clone: false,
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
        *self = Stats { outlet: self.outlet, ..Stats::new() };
    }
}

/// Where the line goes. Programs may close standard error before they end (all GNU tools do), so it goes to a copy,
/// unless that has been closed, or its number reused, as well.
#[derive(Clone, Copy)]
pub struct Outlet {
    copy: i32,
    file: (u64, u64),
}

impl Outlet {
    /// Standard error itself.
    pub const NONE: Outlet = Outlet { copy: STDERR, file: (0, 0) };

    /// Makes the copy, out of the way of the program's own descriptors and closed by exec.
    pub fn open() -> Outlet {
        const F_DUPFD_CLOEXEC: usize = 1030;
        const OUT_OF_THE_WAY: [usize; 3] = [1000, 200, 3];
        for lowest in OUT_OF_THE_WAY {
            // SAFETY: takes plain numbers.
            let copy = unsafe { raw::call(Sysno::fcntl as u32, [STDERR as usize, F_DUPFD_CLOEXEC, lowest, 0, 0, 0]) };
            if let Ok(copy) = i32::try_from(copy)
                && copy >= 0
                && let Some(file) = identity(copy)
            {
                return Outlet { copy, file };
            }
        }
        Outlet::NONE
    }

    /// The descriptor to write to.
    pub fn fd(self) -> i32 {
        if identity(self.copy) == Some(self.file) { self.copy } else { STDERR }
    }
}

/// Device and inode of the open file `fd`.
fn identity(fd: i32) -> Option<(u64, u64)> {
    let mut stat = [0u64; 18];
    // SAFETY: struct stat is 144 bytes, of which the first two words are st_dev and st_ino.
    let answer = unsafe { raw::call(Sysno::fstat as u32, [fd as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    (answer == 0).then_some((stat[0], stat[1]))
}

/// Prints the line.
pub fn print(worker: &Worker) {
    let stats = &worker.stats;
    let mut line = Line::new();
    let _ = write!(
        line,
        "stats: threads={} peak={} switches={} parks_futex={} parks_sleep={} parks_poll={} parks_signal={} parks_io={} received_together={} answered={} passed={}",
        stats.threads,
        stats.peak,
        stats.switches,
        stats.parks_futex,
        stats.parks_sleep,
        stats.parks_poll,
        stats.parks_signal,
        stats.parks_io,
        stats.received_together,
        stats.answered,
        stats.passed
    );
    line.send_to(stats.outlet.fd());
}
