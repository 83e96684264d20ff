//! The padding between functions, and the relays that are put there: jumps for those branches that
//! cannot reach a stub themselves.
//!
//! Padding is what the unwind tables leave between the end of one function and the beginning of the
//! next if it consists of no-ops and breakpoints alone.

use alloc::vec::Vec;
use core::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, Mnemonic};

use crate::Segment;
use crate::functions::Functions;
use crate::window::JUMP_LENGTH;

/// A longer gap, in bytes, is something else.
const LONGEST: u64 = 256;

/// The padding from `end`, where a function ends, to the next function's beginning; empty if there
/// is none, or if code without unwind entry may be there.
pub fn gap_after(text: &Segment<'_>, functions: &Functions<'_>, end: u64) -> Range<u64> {
    let Some(next) = (end..=end + LONGEST).find(|&address| functions.containing(address).is_some()) else {
        return end..end;
    };
    let length = (next - end) as usize;
    let Some(bytes) = text.from(end).and_then(|rest| rest.get(..length)) else {
        return end..end;
    };
    let mut decoder = Decoder::with_ip(64, bytes, end, DecoderOptions::NONE);
    while decoder.can_decode() {
        let instruction = decoder.decode();
        if instruction.mnemonic() != Mnemonic::Nop && instruction.code() != Code::Int3 {
            return end..end;
        }
    }
    end..next
}

/// The padding of a text segment, and how much of it has been given away.
pub struct Padding<'a> {
    text: &'a Segment<'a>,
    functions: &'a Functions<'a>,
    taken: Vec<Range<u64>>,
}

impl<'a> Padding<'a> {
    pub fn new(text: &'a Segment<'a>, functions: &'a Functions<'a>) -> Self {
        Padding { text, functions, taken: Vec::new() }
    }

    /// Gives back all that was taken; `window` is not to be given away.
    pub fn reset(&mut self, window: &Range<u64>) {
        self.taken.clear();
        self.taken.push(window.clone());
    }

    /// Takes room for a relay that a short branch ending at `branch_end` reaches; its address.
    pub fn take(&mut self, branch_end: u64) -> Option<u64> {
        let reach = branch_end.saturating_sub(i8::MIN.unsigned_abs().into())..=branch_end + i8::MAX as u64;
        let mut address = reach.start().saturating_sub(LONGEST);
        while address <= *reach.end() {
            let Some(function) = self.functions.containing(address) else {
                address += 1;
                continue;
            };
            let gap = gap_after(self.text, self.functions, function.range.end);
            if let Some(relay) = (gap.start..gap.end).find(|relay| reach.contains(relay) && self.is_free(*relay, &gap))
            {
                self.taken.push(relay..relay + JUMP_LENGTH);
                return Some(relay);
            }
            address = gap.end;
        }
        None
    }

    fn is_free(&self, relay: u64, gap: &Range<u64>) -> bool {
        let end = relay + JUMP_LENGTH;
        end <= gap.end && self.taken.iter().all(|taken| end <= taken.start || taken.end <= relay)
    }
}
