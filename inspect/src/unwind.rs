//! Backtraces: from a thread's registers to the addresses that it will return to. By the objects' unwinding tables; through
//! code without tables, such as a just-in-time compiler's, by frame pointers, and such frames are marked as guesses.

use alloc::vec::Vec;

use crate::images::Images;
use crate::memory::Memory;
use crate::registers::{RBP, RIP, RSP, Registers};
use crate::rules::{Found, Rules};
use crate::stack::Stack;

/// Frames of one backtrace.
pub const MOST_FRAMES: usize = 64;

/// A frame larger than that is none.
const LARGEST_FRAME: u64 = 8 << 20;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    /// Where it goes on.
    pub address: u64,
    /// That is behind a call, not where it was interrupted.
    pub is_behind_call: bool,
    /// Found by its frame pointer only.
    pub is_guess: bool,
    /// Not a function: here a signal's handler returns to, and what it interrupted comes next.
    pub is_signal: bool,
}

impl Frame {
    /// An address in the instruction that the frame is at.
    pub fn place(&self) -> u64 {
        self.address.wrapping_sub(u64::from(self.is_behind_call))
    }
}

/// Where a backtrace begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub registers: Registers,
    /// The thread is in the system call right before `rip`.
    pub is_behind_call: bool,
}

/// A thread's frames, the innermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backtrace {
    pub frames: Vec<Frame>,
    /// There are more.
    pub is_cut: bool,
}

/// Makes backtraces.
pub struct Unwinder<'a> {
    images: &'a Images<'a>,
    rules: Rules<'a>,
    stack: Stack<'a>,
}

impl<'a> Unwinder<'a> {
    pub fn new(images: &'a Images<'a>, memory: &'a dyn Memory) -> Self {
        Unwinder { images, rules: Rules::new(images), stack: Stack::new(memory) }
    }

    /// The backtrace of a thread at `start`, of whose stack `known` is what is from `at` on; it may be empty.
    pub fn backtrace(&mut self, start: &Start, at: u64, known: &[u8]) -> Backtrace {
        self.stack.change(at, known);
        let mut registers = start.registers;
        let mut frame = Frame {
            address: self.images.original(registers.rip()),
            is_behind_call: start.is_behind_call,
            is_guess: false,
            is_signal: false,
        };
        let mut backtrace = Backtrace::default();
        loop {
            if backtrace.frames.len() == MOST_FRAMES {
                backtrace.is_cut = true;
                return backtrace;
            }
            backtrace.frames.push(frame);
            let is_first = backtrace.frames.len() == 1;
            let Some((caller, next)) = self.caller(&registers, frame, is_first) else { return backtrace };
            if let Some(last) = backtrace.frames.last_mut() {
                last.is_signal = !next.is_behind_call;
            }
            (registers, frame) = (caller, next);
        }
    }

    fn caller(&mut self, registers: &Registers, frame: Frame, is_first: bool) -> Option<(Registers, Frame)> {
        match self.rules.caller(frame.place(), registers, &mut self.stack) {
            Found::Outermost => None,
            Found::Caller(caller) => {
                // An interrupted frame may lie on another stack than the handler's.
                let is_forward = caller.registers.rsp() > registers.rsp() || caller.is_interrupted || is_first;
                if caller.registers.rip() == 0 || !is_forward {
                    return None;
                }
                let rip = caller.registers.rip();
                let address = if caller.is_interrupted { self.images.original(rip) } else { rip };
                let is_behind_call = !caller.is_interrupted;
                Some((caller.registers, Frame { address, is_behind_call, is_guess: frame.is_guess, is_signal: false }))
            }
            Found::Unknown => self.guess(registers, frame, is_first),
        }
    }

    /// Where there are no tables.
    fn guess(&mut self, registers: &Registers, frame: Frame, is_first: bool) -> Option<(Registers, Frame)> {
        let rsp = registers.rsp();
        let mut caller = *registers;
        if is_first && self.images.code_at(frame.address).is_none() {
            // A call to where no code is: the way back is on top.
            caller.set(RIP, self.stack.read(rsp));
            caller.set(RSP, Some(rsp.wrapping_add(8)));
        } else {
            let rbp = registers
                .get(RBP)
                .filter(|rbp| rbp.is_multiple_of(8) && rbp.checked_sub(rsp).is_some_and(|size| size < LARGEST_FRAME))?;
            caller.set(RIP, self.stack.read(rbp.wrapping_add(8)));
            caller.set(RBP, self.stack.read(rbp));
            caller.set(RSP, Some(rbp.wrapping_add(16)));
        }
        let address = caller.rip();
        self.images.code_at(address.wrapping_sub(1))?;
        Some((caller, Frame { address, is_behind_call: true, is_guess: true, is_signal: false }))
    }
}
