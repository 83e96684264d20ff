//! The states that threads are shown in: their names, what they mean, and their colours, which all formats share. What
//! uses the CPU has a strong colour, what waits a pale one, so that a glance tells who works.

use crate::event::{Cause, FileKind};
use core::cmp::Reverse;

/// What a thread does for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    Running,
    Kernel,
    Ready,
    Sleep,
    Lock,
    File,
    Helper,
    Child,
    Signal,
    Unknown,
}

/// All of them, each at the place that its number says.
pub const STATES: [State; 10] = [
    State::Running,
    State::Kernel,
    State::Ready,
    State::Sleep,
    State::Lock,
    State::File,
    State::Helper,
    State::Child,
    State::Signal,
    State::Unknown,
];

/// A number for each state, such as how many threads are in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PerState([u64; STATES.len()]);

impl PerState {
    pub const fn new() -> PerState {
        PerState([0; STATES.len()])
    }

    pub fn get(&self, state: State) -> u64 {
        self.0.get(state as usize).copied().unwrap_or(0)
    }

    pub fn add(&mut self, state: State, amount: u64) {
        if let Some(number) = self.0.get_mut(state as usize) {
            *number = number.saturating_add(amount);
        }
    }

    pub fn subtract(&mut self, state: State, amount: u64) {
        if let Some(number) = self.0.get_mut(state as usize) {
            *number = number.saturating_sub(amount);
        }
    }

    pub fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, &number| sum.saturating_add(number))
    }

    /// The state with the largest number; of equals the first.
    pub fn largest(&self) -> State {
        STATES.into_iter().rev().max_by_key(|&state| self.get(state)).unwrap_or(State::Unknown)
    }

    /// All states, that with the largest number first.
    pub fn by_amount(&self) -> [State; STATES.len()] {
        let mut states = STATES;
        states.sort_unstable_by_key(|&state| (Reverse(self.get(state)), state as u8));
        states
    }
}

impl State {
    /// The state of a thread that waits for this.
    pub fn waiting(cause: Cause) -> State {
        match cause {
            Cause::Nothing => State::Unknown,
            Cause::Lock | Cause::Locks => State::Lock,
            Cause::Sleep => State::Sleep,
            Cause::Poll | Cause::Read | Cause::Write => State::File,
            Cause::Helper => State::Helper,
            Cause::Child => State::Child,
            Cause::Signal => State::Signal,
        }
    }

    /// It has the kernel thread.
    pub fn runs(self) -> bool {
        matches!(self, State::Running | State::Kernel)
    }

    /// One word: the name in legends, the class in style sheets, and the category of trace events.
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Kernel => "kernel",
            State::Ready => "ready",
            State::Sleep => "sleeping",
            State::Lock => "lock",
            State::File => "I/O",
            State::Helper => "helper",
            State::Child => "child",
            State::Signal => "signal",
            State::Unknown => "unknown",
        }
    }

    /// The name as a class of a style sheet.
    pub fn class(self) -> &'static str {
        match self {
            State::File => "io",
            other => other.name(),
        }
    }

    /// What the name means.
    pub fn meaning(self) -> &'static str {
        match self {
            State::Running => "runs",
            State::Kernel => "is in a system call that may take long, and no other thread can run",
            State::Ready => "could run, but another one does",
            State::Sleep => "sleeps",
            State::Lock => "waits for a lock, a condition variable, a thread to end, or another futex",
            State::File => "waits for a file, pipe or socket",
            State::Helper => "waits for a system call that a helper thread makes",
            State::Child => "waits for a child process",
            State::Signal => "waits for a signal",
            State::Unknown => "what it did was not recorded",
        }
    }

    /// On a light and on a dark ground.
    pub fn colours(self) -> [&'static str; 2] {
        match self {
            State::Running => ["#1a7f37", "#3fb950"],
            State::Kernel => ["#bc4c00", "#f0883e"],
            State::Ready => ["#eac54f", "#d4a72c"],
            State::Sleep => ["#c4cfdb", "#3b4653"],
            State::Lock => ["#ff8182", "#c93c37"],
            State::File => ["#80ccff", "#1f6feb"],
            State::Helper => ["#7fd6c9", "#1b7c83"],
            State::Child => ["#c297ff", "#8957e5"],
            State::Signal => ["#ff9bce", "#bf4b8a"],
            State::Unknown => ["#eaeef2", "#21262d"],
        }
    }
}

/// What a thread waits for, or which call it makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct What {
    pub cause: Cause,
    pub file: FileKind,
    pub value: u64,
}

impl What {
    pub const NOTHING: What = What { cause: Cause::Nothing, file: FileKind::Unknown, value: 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_at_the_place_that_its_number_says() {
        assert!(STATES.iter().enumerate().all(|(place, &state)| state as usize == place));
    }

    #[test]
    fn numbers_per_state() {
        let mut numbers = PerState::new();
        assert_eq!((numbers.sum(), numbers.largest()), (0, State::Running));
        numbers.add(State::Lock, 5);
        numbers.add(State::Sleep, 5);
        numbers.add(State::Unknown, u64::MAX);
        numbers.subtract(State::Unknown, u64::MAX - 1);
        numbers.subtract(State::Child, 3);
        assert_eq!((numbers.sum(), numbers.largest()), (11, State::Sleep));
        assert_eq!(numbers.by_amount()[..3], [State::Sleep, State::Lock, State::Unknown]);
    }
}
