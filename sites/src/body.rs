//! A function, decoded: its instructions and the addresses in it that control can reach other than
//! from above.

use alloc::vec::Vec;
use core::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Instruction};

use crate::branches::{self, Outside};
use crate::functions::{Function, Functions};
use crate::{Image, Segment, jump_tables, landing};

/// One decoded function. It is reused for the next one, so that its memory is allocated once.
#[derive(Default)]
pub struct Body {
    pub instructions: Vec<Instruction>,
    /// The function holds bytes that are not instructions: nothing is known about it.
    pub undecodable: bool,
    /// An indirect jump, or an exception, may lead to any instruction of the function.
    pub indirect: bool,
    /// Addresses that branches and exceptions lead to; sorted, with repetitions.
    targets: Vec<u64>,
}

impl Body {
    /// Replaces the contents by the beginning of `function`, which lies in `text`: its instructions
    /// up to address `last`.
    pub fn begin(&mut self, text: &Segment<'_>, function: &Function, last: u64) {
        self.instructions.clear();
        self.targets.clear();
        self.undecodable = false;
        self.indirect = false;
        self.decode(text, function.range.start..function.range.end.min(last + 1));
    }

    /// Decodes the rest of the `function` begun with, and finds all that its code can be reached
    /// by.
    pub fn finish(
        &mut self,
        image: &Image<'_>,
        text: &Segment<'_>,
        functions: &Functions<'_>,
        function: &Function,
        outside: &mut Outside,
    ) {
        let range = &function.range;
        self.decode(text, self.instructions.last().map_or(range.start, Instruction::next_ip)..range.end);
        let jumps = jump_tables::add_targets(image, text, &self.instructions, &mut self.targets);
        let pads = function
            .exceptions
            .map_or(Some(()), |table| landing::add_pads(image, table, range.start, &mut self.targets));
        self.indirect = jumps.is_none() || pads.is_none();
        outside.add_returns(image, functions, range, &mut self.targets);
        self.targets.sort_unstable();
    }

    /// Appends the instructions that begin in `range`.
    fn decode(&mut self, text: &Segment<'_>, range: Range<u64>) {
        let code = text.from(range.start).unwrap_or_default();
        let mut decoder = Decoder::with_ip(64, code, range.start, DecoderOptions::NONE);
        while decoder.ip() < range.end && !self.undecodable {
            let mut instruction = Instruction::default();
            decoder.decode_out(&mut instruction);
            self.undecodable = instruction.is_invalid();
            self.targets.extend(branches::jump_target(&instruction));
            self.instructions.push(instruction);
        }
    }

    /// Where in [`Body::instructions`] the one at `address` is.
    pub fn index_of(&self, address: u64) -> Option<usize> {
        self.instructions.binary_search_by_key(&address, Instruction::ip).ok()
    }

    /// Whether a branch or an exception leads to `address`.
    pub fn is_target(&self, address: u64) -> bool {
        self.targets.binary_search(&address).is_ok()
    }
}
