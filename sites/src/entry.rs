//! Which bytes at the beginning of a function make room for a jump that catches its calls.
//!
//! Every call, direct, through a pointer or a tail call, arrives at the function's first
//! instruction, so that is where the jump must stand: behind an `endbr64`, which stays where
//! indirect calls look for it. Two ways are tried:
//!
//! 1. five bytes for `jmp stub`. A function that is shorter may lend its last bytes from the padding
//!    behind it.
//! 2. two bytes for a short jump to a relay, a `jmp stub` in padding nearby (`entry_padding`).
//!    Fewer instructions have to move.
//!
//! Control that arrives behind the first instruction would meet the middle of the jump, and a loop
//! back to the entry would be taken for a call. Direct branches of that kind are led into the stub
//! instead (see [`Redirect`]); what else arrives there (`entry_flow`) is a reason to refuse.
//!
//! Padding that an entry uses is no padding any more: an image with several entries to be rewritten
//! must show the patches of the earlier ones when the next one is looked for.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use iced_x86::{Code, FlowControl, Instruction, Register};

use crate::body::Body;
use crate::entry_flow::Arrivals;
use crate::entry_padding::{Padding, gap_after};
use crate::functions::{Function, Functions};
use crate::window::JUMP_LENGTH;
use crate::{Image, branches};

/// Length of `jmp rel8`, in bytes.
const SHORT_JUMP_LENGTH: u64 = 2;

/// How the entry of a function is to be rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub function: Range<u64>,
    /// The bytes that a jump replaces: whole instructions, and padding if the function ends among
    /// them.
    pub window: Range<u64>,
    /// Where in padding the jump to the stub stands if the window has only room for a short one,
    /// which leads there.
    pub relay: Option<u64>,
    /// The branches that are to lead into the stub.
    pub redirects: Vec<Redirect>,
}

/// A direct branch to the entry, or into the window, that is to run on in the moved code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Address of the branch.
    pub address: u64,
    /// First address after it; its displacement ends there.
    pub end: u64,
    pub target: u64,
    /// Where in padding the jump to the stub stands if the branch is a short one, which leads
    /// there.
    pub relay: Option<u64>,
}

/// Why the entry of a function cannot be rewritten. Addresses are those of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryReason {
    /// Neither a symbol's size nor an `.eh_frame` entry says where the function ends.
    NoFunction,
    /// The address is inside the function that begins at this one.
    NotAnEntry(u64),
    /// The function holds bytes that are not instructions.
    Undecodable,
    /// Less room than a jump needs.
    TooShort,
    /// Control arrives at this address, behind the first instruction of the window.
    Crowded(u64),
    /// The branch at this address goes back to the entry and cannot be led elsewhere.
    LoopToEntry(u64),
    /// The instruction at this address would mean something else in the stub.
    NotMovable(u64),
    /// At this address is a system call, or the jump that replaced one.
    SystemCall(u64),
    /// A displacement of 32 bits does not reach from the stub.
    TooFar,
}

impl fmt::Display for EntryReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryReason::NoFunction => formatter.write_str("no function is known to begin there"),
            EntryReason::NotAnEntry(start) => write!(formatter, "it is inside the function that begins at {start:#x}"),
            EntryReason::Undecodable => formatter.write_str("it holds bytes that are not instructions"),
            EntryReason::TooShort => formatter.write_str("it is too short for a jump, and no padding is near"),
            EntryReason::Crowded(target) => write!(formatter, "a branch leads between its first bytes, to {target:#x}"),
            EntryReason::LoopToEntry(branch) => write!(formatter, "the jump at {branch:#x} goes back to its beginning"),
            EntryReason::NotMovable(address) => write!(formatter, "its instruction at {address:#x} cannot be moved"),
            EntryReason::SystemCall(address) => write!(formatter, "it begins with a system call, at {address:#x}"),
            EntryReason::TooFar => formatter.write_str("the stub is more than 2 GiB away"),
        }
    }
}

/// Decides how the entry of the function at `function` is to be rewritten. If the range is empty,
/// its end is taken from `.eh_frame`.
pub fn entry(image: &Image<'_>, function: Range<u64>) -> Result<Entry, EntryReason> {
    let start = function.start;
    let text = image.text.iter().find(|text| text.from(start).is_some()).ok_or(EntryReason::NoFunction)?;
    let functions = Functions::of(image);
    let around = functions.containing(start);
    let end = match &around {
        _ if !function.is_empty() => function.end,
        Some(around) if around.range.start == start => around.range.end,
        Some(around) => return Err(EntryReason::NotAnEntry(around.range.start)),
        None => return Err(EntryReason::NoFunction),
    };
    // Hand-written code may have several functions under one unwind entry; all of it can branch to
    // each of them.
    let decoded = Function {
        range: around.as_ref().map_or(start, |around| around.range.start)
            ..around.as_ref().map_or(end, |around| around.range.end.max(end)),
        exceptions: around.as_ref().and_then(|around| around.exceptions),
    };
    let mut body = Body::default();
    body.begin(text, &decoded, decoded.range.end - 1);
    if body.undecodable {
        return Err(EntryReason::Undecodable);
    }
    let mut first = body.index_of(start).ok_or(EntryReason::Undecodable)?;
    if body.instructions[first].code() == Code::Endbr64 {
        first += 1;
    }
    let begins = body.instructions.get(first).map_or(end, Instruction::ip);
    if begins >= end {
        return Err(EntryReason::TooShort);
    }
    let mut candidate = Candidate {
        image,
        function: start..end,
        first,
        arrivals: Arrivals::of(image, text, &functions, &decoded, &body),
        body: &body,
        padding: Padding::new(text, &functions),
    };
    let wide = candidate.wide_window(gap_after(text, &functions, end)).and_then(|window| candidate.entry(window));
    match wide {
        Ok(entry) if !candidate.returns_between(&entry.window) => Ok(entry),
        other => candidate.short_entry().or(other),
    }
}

/// A function, and all that is known of how control reaches it.
struct Candidate<'a> {
    image: &'a Image<'a>,
    function: Range<u64>,
    /// Index of the window's first instruction.
    first: usize,
    body: &'a Body,
    arrivals: Arrivals<'a>,
    padding: Padding<'a>,
}

impl Candidate<'_> {
    /// The function's own instructions, without an `endbr64` at its beginning.
    fn instructions(&self) -> &[Instruction] {
        let own = &self.body.instructions[self.first..];
        &own[..own.partition_point(|instruction| instruction.ip() < self.function.end)]
    }

    /// The address after the first instructions that have `length` bytes together.
    fn after_first(&self, length: u64) -> Option<u64> {
        let start = self.instructions()[0].ip();
        self.instructions().iter().map(Instruction::next_ip).find(|end| end - start >= length)
    }

    /// The window for a jump that reaches anywhere; `gap` is the padding behind the function.
    fn wide_window(&self, gap: Range<u64>) -> Result<Range<u64>, EntryReason> {
        let instructions = self.instructions();
        let start = instructions[0].ip();
        if let Some(end) = self.after_first(JUMP_LENGTH) {
            return Ok(start..end);
        }
        // What control can run into is no padding.
        let last = &instructions[instructions.len() - 1];
        let ends = matches!(
            last.flow_control(),
            FlowControl::Return
                | FlowControl::UnconditionalBranch
                | FlowControl::IndirectBranch
                | FlowControl::Exception
        );
        let end = start + JUMP_LENGTH;
        if ends && end <= gap.end { Ok(start..end) } else { Err(EntryReason::TooShort) }
    }

    /// The entry with a short jump to a relay.
    fn short_entry(&mut self) -> Result<Entry, EntryReason> {
        let start = self.instructions()[0].ip();
        let end = self.after_first(SHORT_JUMP_LENGTH).ok_or(EntryReason::TooShort)?;
        if self.returns_between(&(start..end)) {
            return Err(EntryReason::TooShort);
        }
        self.padding.reset(&(start..end));
        let relay = self.padding.take(start + SHORT_JUMP_LENGTH).ok_or(EntryReason::TooShort)?;
        let redirects = self.redirects(&(start..end))?;
        Ok(Entry { function: self.function.clone(), window: start..end, relay: Some(relay), redirects })
    }

    /// The entry with a jump to the stub in `window`.
    fn entry(&mut self, window: Range<u64>) -> Result<Entry, EntryReason> {
        self.padding.reset(&window);
        let redirects = self.redirects(&window)?;
        Ok(Entry { function: self.function.clone(), window, relay: None, redirects })
    }

    /// Whether a call in `window` returns to an instruction that has moved.
    fn returns_between(&self, window: &Range<u64>) -> bool {
        self.moved(window).iter().any(|instruction| {
            matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
                && instruction.next_ip() < window.end
        })
    }

    /// The instructions in `window`.
    fn moved(&self, window: &Range<u64>) -> &[Instruction] {
        let own = self.instructions();
        &own[..own.partition_point(|instruction| instruction.ip() < window.end)]
    }

    /// The branches to be redirected when `window` moves, if it can.
    fn redirects(&mut self, window: &Range<u64>) -> Result<Vec<Redirect>, EntryReason> {
        for instruction in self.moved(window) {
            check_movable(self.image, instruction, window)?;
        }
        self.arrivals.check(self.function.start, window, self.moved(window))?;
        let inside = |address: u64| window.start < address && address < window.end;
        let body = self.body;
        let own = body.instructions.iter().filter(|branch| {
            // A function that calls itself makes a call like any other.
            let target = match branch.is_call_near() {
                true => Some(branch.near_branch64()).filter(|&target| inside(target)),
                false => branches::jump_target(branch),
            };
            let loops = |target| target == window.start || target == self.function.start;
            !window.contains(&branch.ip())
                && target.is_some_and(|target| inside(target) || loops(target) && self.function.contains(&branch.ip()))
        });
        let foreign = self.arrivals.foreign_branches(self.function.start, window);
        let branches: Vec<Instruction> = own.copied().chain(foreign).collect();
        branches.iter().map(|branch| self.redirect(branch, inside(branch.near_branch64()))).collect()
    }

    /// Has `branch`, which leads to the entry or `inside` the window, lead to the stub.
    fn redirect(&mut self, branch: &Instruction, inside: bool) -> Result<Redirect, EntryReason> {
        let target = branch.near_branch64();
        let refused = if inside { EntryReason::Crowded(target) } else { EntryReason::LoopToEntry(branch.ip()) };
        self.body.index_of(target).ok_or(refused)?;
        let relay = match has_wide_displacement(branch) {
            true => None,
            false => Some(self.padding.take(branch.next_ip()).ok_or(refused)?),
        };
        Ok(Redirect { address: branch.ip(), end: branch.next_ip(), target, relay })
    }
}

/// Whether the branch ends in a displacement of 32 bits (of 8 bits otherwise).
fn has_wide_displacement(branch: &Instruction) -> bool {
    branch.is_jmp_near() || branch.is_jcc_near() || branch.is_call_near()
}

/// Checks that `instruction`, part of `window`, can run in the stub.
fn check_movable(image: &Image<'_>, instruction: &Instruction, window: &Range<u64>) -> Result<(), EntryReason> {
    let address = instruction.ip();
    let movable = match instruction.flow_control() {
        FlowControl::Next => instruction.code() != Code::Endbr64,
        FlowControl::Return | FlowControl::Interrupt | FlowControl::Exception => true,
        FlowControl::IndirectBranch => !instruction.is_jmp_far_indirect(),
        // A system call in the stub would not be found, and would not go through grivet.
        FlowControl::Call if !instruction.is_call_near() => return Err(EntryReason::SystemCall(address)),
        FlowControl::Call => true,
        // The stub pushes the return address before it looks for the target.
        FlowControl::IndirectCall => {
            !instruction.is_call_far_indirect()
                && (instruction.next_ip() < window.end || instruction.memory_base() != Register::RSP)
        }
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
            instruction.is_jcc_short_or_near() || instruction.is_jmp_short_or_near()
        }
        _ => false,
    };
    if !movable {
        return Err(EntryReason::NotMovable(address));
    }
    // A jump out of the image is one that replaced a system call. grivet may come back to it.
    let leaves = branches::jump_target(instruction).is_some_and(|target| image.bytes_from(target).is_none());
    if leaves { Err(EntryReason::SystemCall(address)) } else { Ok(()) }
}
