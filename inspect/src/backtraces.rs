//! The backtraces of many threads, each distinct one kept once: a million threads that wait at one place take little memory.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::process::Process;
use crate::registers::Registers;
use crate::threads::{State, Thread};
use crate::unwind::{Backtrace, Unwinder};

/// Backtraces of threads.
#[derive(Default)]
pub struct Backtraces {
    /// Which one of `distinct` each thread has. One whose registers could not be found has an empty one.
    pub of: Vec<u32>,
    pub distinct: Vec<Backtrace>,
}

impl Backtraces {
    /// Of `threads`. `running`: the registers of the kernel thread, if the process is stopped; without them a running thread has
    /// no frames.
    pub fn collect(
        process: &Process<'_>,
        threads: &[Thread],
        all: &[Thread],
        running: Option<&Registers>,
        unwinder: &mut Unwinder<'_>,
    ) -> Self {
        let mut known = BTreeMap::new();
        let mut backtraces = Backtraces { of: Vec::with_capacity(threads.len()), distinct: Vec::new() };
        let nothing = backtraces.number(Backtrace::default(), &mut known);
        backtraces.of.resize(threads.len(), nothing);
        process.each_start(threads, &mut |located| {
            if threads[located.place].state != State::Running {
                let backtrace = unwinder.backtrace(&located.start, located.stack_at, located.stack);
                backtraces.of[located.place] = backtraces.number(backtrace, &mut known);
            }
        });
        if let Some(place) = threads.iter().position(|thread| thread.state == State::Running)
            && let Some(start) = running.and_then(|registers| process.running(registers, all))
        {
            let backtrace = unwinder.backtrace(&start, 0, &[]);
            backtraces.of[place] = backtraces.number(backtrace, &mut known);
        }
        backtraces
    }

    fn number(&mut self, backtrace: Backtrace, known: &mut BTreeMap<Backtrace, u32>) -> u32 {
        if let Some(&number) = known.get(&backtrace) {
            return number;
        }
        let number = self.distinct.len() as u32;
        self.distinct.push(backtrace.clone());
        known.insert(backtrace, number);
        number
    }

    /// The one of the thread at `place`.
    pub fn of(&self, place: usize) -> &Backtrace {
        &self.distinct[self.of[place] as usize]
    }
}
