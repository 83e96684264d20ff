//! Signal masks, kept once each: a million tasks mostly share one, and the intersection of all of them must be cheap.

use crate::raw::SignalSet;
use alloc::vec::Vec;

/// All masks in use, with the number of tasks that have each.
pub struct Masks {
    entries: Vec<(SignalSet, u32)>,
    /// Signals that tasks wait for with sigwait and its kin, with how many tasks wait.
    awaited: [u32; 64],
    awaited_set: SignalSet,
}

impl Masks {
    pub const fn new() -> Masks {
        Masks { entries: Vec::new(), awaited: [0; 64], awaited_set: 0 }
    }

    /// The mask that `index` stands for.
    #[inline(always)]
    pub fn get(&self, index: u16) -> SignalSet {
        self.entries[index as usize].0
    }

    /// One more task has the mask `index`.
    #[inline(always)]
    pub fn share(&mut self, index: u16) {
        self.entries[index as usize].1 += 1;
    }

    /// A task that had the mask `index` is gone.
    #[inline(always)]
    pub fn drop_one(&mut self, index: u16) {
        self.entries[index as usize].1 -= 1;
    }

    /// Enters a task with `mask`; its index.
    pub fn insert(&mut self, mask: SignalSet) -> u16 {
        if let Some(index) = self.entries.iter().position(|&(known, _)| known == mask) {
            self.entries[index].1 += 1;
            return index as u16;
        }
        let index = self.entries.iter().position(|&(_, count)| count == 0).unwrap_or_else(|| {
            self.entries.push((0, 0));
            self.entries.len() - 1
        });
        self.entries[index] = (mask, 1);
        index as u16
    }

    /// A task goes over from the mask `index` to `mask`; its new index.
    #[inline(always)]
    pub fn exchange(&mut self, index: u16, mask: SignalSet) -> u16 {
        self.drop_one(index);
        self.insert(mask)
    }

    /// Signals that every task blocks.
    #[inline(always)]
    pub fn intersection(&self) -> SignalSet {
        self.entries.iter().filter(|&&(_, count)| count > 0).fold(SignalSet::MAX, |all, &(mask, _)| all & mask)
    }

    /// Signals that some task waits for.
    pub fn awaited(&self) -> SignalSet {
        self.awaited_set
    }

    /// A task begins to wait for `signals`.
    pub fn begin_await(&mut self, signals: SignalSet) {
        for place in (0..64).filter(|place| signals & 1 << place != 0) {
            self.awaited[place] += 1;
        }
        self.awaited_set |= signals;
    }

    /// A task waits for `signals` no longer.
    pub fn end_await(&mut self, signals: SignalSet) {
        for place in (0..64).filter(|place| signals & 1 << place != 0) {
            self.awaited[place] -= 1;
            if self.awaited[place] == 0 {
                self.awaited_set &= !(1 << place);
            }
        }
    }

    /// No task waits for any signal.
    pub fn await_nothing(&mut self) {
        self.awaited = [0; 64];
        self.awaited_set = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_masks_share_an_entry_and_the_intersection_follows() {
        let mut masks = Masks::new();
        let first = masks.insert(0b0110);
        let second = masks.insert(0b0110);
        assert_eq!(first, second);
        let third = masks.insert(0b0011);
        assert_eq!(masks.intersection(), 0b0010);
        masks.drop_one(third);
        assert_eq!(masks.intersection(), 0b0110);
        let moved = masks.exchange(first, 0b1000);
        assert_eq!(masks.get(moved), 0b1000);
        assert_eq!(masks.intersection(), 0);
    }

    #[test]
    fn awaited_signals_are_counted() {
        let mut masks = Masks::new();
        masks.begin_await(0b11);
        masks.begin_await(0b10);
        masks.end_await(0b11);
        assert_eq!(masks.awaited(), 0b10);
        masks.end_await(0b10);
        assert_eq!(masks.awaited(), 0);
    }
}
