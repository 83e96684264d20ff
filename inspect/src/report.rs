//! All that is shown of a process: what the writers of text and of JSON are given.

use alloc::string::String;

use crate::backtraces::Backtraces;
use crate::locks::Holders;
use crate::threads::{State, Thread};

/// Threads with their backtraces.
pub struct Report<'r> {
    /// The program's name.
    pub program: &'r str,
    pub pid: u32,
    /// Switches between threads so far.
    pub switches: u64,
    /// Those that are shown.
    pub threads: &'r [Thread],
    /// Parallel to them.
    pub backtraces: &'r Backtraces,
    /// All that there are.
    pub all: &'r [Thread],
    pub holders: &'r Holders,
}

impl Report<'_> {
    /// The name of the thread called `tid`.
    pub fn name_of(&self, tid: u32) -> Option<String> {
        let thread = &self.all[self.holders.place(tid)?];
        Some(String::from_utf8_lossy(thread.name()).into_owned())
    }

    /// How many threads are in `state`.
    pub fn count(&self, state: State) -> u64 {
        self.all.iter().filter(|thread| thread.state == state).count() as u64
    }
}
