//! One thread's stack, read in pages and kept while that thread is looked at: unwinding reads words here and there.

use alloc::vec::Vec;

use crate::memory::{Memory, u64_at};

const PAGE: u64 = 4096;
/// Pages kept of one stack. Damaged unwinding tables may lead anywhere.
const KEPT: usize = 64;

/// The stack of one thread after the other.
pub struct Stack<'a> {
    memory: &'a dyn Memory,
    /// What was read beforehand, and from where.
    first: (u64, Vec<u8>),
    pages: Vec<(u64, Vec<u8>)>,
}

impl<'a> Stack<'a> {
    pub fn new(memory: &'a dyn Memory) -> Self {
        Stack { memory, first: (0, Vec::new()), pages: Vec::new() }
    }

    /// Goes over to another thread, of whose stack `bytes` from `address` on are known.
    pub fn change(&mut self, address: u64, bytes: &[u8]) {
        self.pages.clear();
        self.first.0 = address;
        self.first.1.clear();
        self.first.1.extend_from_slice(bytes);
    }

    /// The word at `address`.
    pub fn read(&mut self, address: u64) -> Option<u64> {
        let within = |start: u64, bytes: &[u8]| {
            let offset = usize::try_from(address.checked_sub(start)?).ok()?;
            (offset.checked_add(8)? <= bytes.len()).then(|| u64_at(bytes, offset))
        };
        if let Some(word) = within(self.first.0, &self.first.1) {
            return Some(word);
        }
        if let Some(word) = self.pages.iter().find_map(|(start, bytes)| within(*start, bytes)) {
            return Some(word);
        }
        if !address.is_multiple_of(8) || self.pages.len() == KEPT {
            return self.memory.read_u64(address);
        }
        let (start, mut bytes) = (address & !(PAGE - 1), alloc::vec![0; PAGE as usize]);
        if !self.memory.read(start, &mut bytes) {
            return None;
        }
        let word = within(start, &bytes);
        self.pages.push((start, bytes));
        word
    }
}
