//! A chunk: one mapping divided into slots of equal length, with a record of each slot. Where the slots lie in the
//! mapping, which are free, and what is known of their guards. Slots are named by their number in the chunk.

use super::{MAPPING, PAGE, READ_WRITE};
use crate::allocator::name_mapping;
use crate::raw::{self, Errno};
use alloc::vec::Vec;
use linux_raw_sys::general::MADV_NOHUGEPAGE;

/// How much memory one page of the lowest page table describes, in bytes.
pub(super) const TABLE_REACH: usize = 2 << 20;

/// Fewest slots of a class's first chunk, and of one whose slots are placed so as to share page tables.
pub(super) const FIRST_SLOTS: usize = 16;

/// In `Record::next`: the slot is in use.
pub(super) const LIVE: u32 = u32::MAX;
/// In `Record::next` and `Chunk::free`: the end of the list of free slots.
pub(super) const NONE: u32 = u32::MAX - 1;
/// In `Record::next`: the slot was unmapped and still has its old contents.
pub(super) const DIRTY: u32 = u32::MAX - 2;

/// What is known of one slot.
pub(super) struct Record {
    /// Pages at the low end that the program wants inaccessible; all of them from mmap(PROT_NONE) to the first mprotect.
    pub(super) guard: u32,
    /// Pages at the low end that are inaccessible by a guard of the arena's.
    pub(super) installed: u32,
    /// The next free slot, `LIVE` or `DIRTY`.
    pub(super) next: u32,
    /// The guard is made by real protection.
    pub(super) protected: bool,
    /// The slot's protections are the program's own, made by real mprotect(2) calls; there is no guard of the arena's.
    pub(super) irregular: bool,
}

/// A mapping divided into slots of equal length.
pub(super) struct Chunk {
    /// First slot's address: the chunk's identity.
    pub(super) base: usize,
    pub(super) slot_len: usize,
    pub(super) capacity: usize,
    /// Slots in use or dirty.
    pub(super) taken: usize,
    /// The free slot to be used next; each names another.
    pub(super) free: u32,
    /// One for each slot that was ever in use; the memory for all is reserved.
    pub(super) records: Vec<Record>,
    /// The mapping around the slots.
    pub(super) mapping: usize,
    pub(super) mapping_len: usize,
}

impl Chunk {
    /// Maps a chunk of `capacity` slots.
    pub(super) fn map(slot_len: usize, capacity: usize) -> Result<Self, Errno> {
        let size = slot_len.checked_mul(capacity).ok_or(Errno::ENOMEM)?;
        // Of a large stack only the top page and the guard below it are touched. Let the top of each slot and the guard of the
        // next share one page of the page table, half-way into the memory that page describes.
        let shift = slot_len >= TABLE_REACH && capacity >= FIRST_SLOTS;
        let slack = if shift { TABLE_REACH + TABLE_REACH / 2 } else { 0 };
        let mut records = Vec::new();
        records.try_reserve_exact(capacity).map_err(|_| Errno::ENOMEM)?;
        let mapping_len = size.checked_add(slack).ok_or(Errno::ENOMEM)?;
        // SAFETY: without MAP_FIXED the kernel picks unused addresses.
        let mapping = unsafe { raw::mmap(0, mapping_len, READ_WRITE, MAPPING, -1, 0)? };
        prepare(mapping, mapping_len);
        let base = if shift { mapping.next_multiple_of(TABLE_REACH) + TABLE_REACH / 2 } else { mapping };
        Ok(Self { base, slot_len, capacity, taken: 0, free: NONE, records, mapping, mapping_len })
    }

    pub(super) fn end(&self) -> usize {
        self.base + self.slot_len * self.capacity
    }

    pub(super) fn start_of(&self, slot: usize) -> usize {
        self.base + self.slot_len * slot
    }

    pub(super) fn is_full(&self) -> bool {
        self.taken == self.capacity
    }

    /// Takes a free slot, preferably one that was used before. The chunk must not be full.
    pub(super) fn take(&mut self) -> usize {
        let slot = match self.free {
            NONE => {
                let fresh = Record { guard: 0, installed: 0, next: LIVE, protected: false, irregular: false };
                self.records.push(fresh);
                self.records.len() - 1
            }
            slot => slot as usize,
        };
        let record = &mut self.records[slot];
        if self.free != NONE {
            self.free = record.next;
        }
        record.next = LIVE;
        record.guard = (self.slot_len / PAGE) as u32;
        self.taken += 1;
        slot
    }

    pub(super) fn is_live(&self, slot: usize) -> bool {
        self.records.get(slot).is_some_and(|record| record.next == LIVE)
    }

    /// The slots that [address, address + len) touches, each with its part of the range as (slot, low, high).
    pub(super) fn parts(&self, address: usize, len: usize) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (base, slot_len, end) = (self.base, self.slot_len, address + len);
        ((address - base) / slot_len..=(end - 1 - base) / slot_len).map(move |slot| {
            let start = base + slot * slot_len;
            (slot, address.max(start), end.min(start + slot_len))
        })
    }
}

/// Prepares a range that was mapped for stacks: its name in /proc/self/maps, and no huge pages, which keeps the kernel from
/// backing a stack of one touched page with 2 MiB. Kernels without huge pages refuse, rightly.
pub(super) fn prepare(address: usize, len: usize) {
    // SAFETY: the advice changes no contents.
    let _ = unsafe { raw::madvise(address, len, MADV_NOHUGEPAGE) };
    name_mapping(address, len, c"grivet stacks");
}
