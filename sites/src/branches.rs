//! Branches that come back into a function from outside.
//!
//! A compiler may split a function in two pieces with an unwind entry each; the cold piece jumps
//! back into the middle of the hot one. Nothing marks such a piece. But a piece can only come back
//! after the function has left for it: so wherever a function jumps (most such jumps are tail
//! calls), the branches found there count for the function.

use alloc::vec::Vec;
use core::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind};

use crate::Image;
use crate::functions::Functions;

/// The functions looked at so far, and where they jump.
#[derive(Default)]
pub struct Outside {
    visited: Vec<u64>,
    targets: Vec<u64>,
}

impl Outside {
    /// Extends `targets`, where the function at `range` jumps, by where code outside of it that is
    /// reached by these jumps leads back.
    pub fn add_returns(
        &mut self,
        image: &Image<'_>,
        functions: &Functions<'_>,
        range: &Range<u64>,
        targets: &mut Vec<u64>,
    ) {
        for &target in targets.iter().filter(|target| !range.contains(target)) {
            self.visit(image, functions, target);
        }
        targets.extend(self.targets.iter().filter(|target| range.contains(target)));
    }

    fn visit(&mut self, image: &Image<'_>, functions: &Functions<'_>, address: u64) {
        let Some(function) = functions.containing(address) else {
            return;
        };
        let Err(position) = self.visited.binary_search(&function.range.start) else {
            return;
        };
        self.visited.insert(position, function.range.start);
        let Some(code) = image.text.iter().find_map(|text| text.from(function.range.start)) else {
            return;
        };
        self.targets.extend(branches(code, &function.range).filter(|target| !function.range.contains(target)));
    }
}

/// Where the direct jumps of the function at `range`, whose bytes `code` begins with, lead.
fn branches(code: &[u8], range: &Range<u64>) -> impl Iterator<Item = u64> {
    let code = &code[..code.len().min((range.end - range.start) as usize)];
    let mut decoder = Decoder::with_ip(64, code, range.start, DecoderOptions::NONE);
    core::iter::from_fn(move || decoder.can_decode().then(|| decoder.decode()))
        .filter_map(|instruction| jump_target(&instruction))
}

/// Where `instruction` leads if it is a direct jump, conditional or not. Calls come back to where
/// they were made.
pub fn jump_target(instruction: &Instruction) -> Option<u64> {
    (instruction.op0_kind() == OpKind::NearBranch64 && !instruction.is_call_near()).then(|| instruction.near_branch64())
}
