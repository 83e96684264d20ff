//! Classes: the chunks whose slots have one length. How large the next chunk is, which chunk the next slot comes from,
//! and when a chunk goes back to the kernel.

use super::StackArena;
use super::chunk::{Chunk, FIRST_SLOTS};
use crate::raw::{self, Errno, Sysno};
use alloc::vec::Vec;
use linux_raw_sys::general::{RLIMIT_AS, RLIMIT_DATA};

/// Least size of a class's first chunk in bytes. Later chunks double what the class has.
const FIRST_CHUNK: usize = 1 << 20;

/// Largest chunk in bytes (unless one slot is larger).
pub(super) const LARGEST_CHUNK: usize = 4 << 30;

/// Slots of one length.
pub(super) struct Class {
    pub(super) slot_len: usize,
    /// Slots in all chunks of the class, used or not.
    pub(super) slots: usize,
    /// Chunks that have a free slot, by base.
    pub(super) available: Vec<usize>,
    /// The one chunk with all its slots free that is kept.
    pub(super) empty: Option<usize>,
}

impl StackArena {
    /// Index of the class of `slot_len`, which is added if need be.
    pub(super) fn class_for(&mut self, slot_len: usize) -> Result<usize, Errno> {
        match self.classes.binary_search_by_key(&slot_len, |class| class.slot_len) {
            Ok(index) => Ok(index),
            Err(index) => {
                self.classes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.classes.insert(index, Class { slot_len, slots: 0, available: Vec::new(), empty: None });
                Ok(index)
            }
        }
    }

    /// The base of a chunk of the class that has a free slot.
    pub(super) fn chunk_with_room(&mut self, class: usize) -> Result<usize, Errno> {
        if self.classes[class].available.is_empty() {
            self.flush();
        }
        match self.classes[class].available.last() {
            Some(base) => Ok(*base),
            None => self.add_chunk(class).or_else(|errno| {
                if !self.drop_empty_chunks() {
                    return Err(errno);
                }
                self.add_chunk(class)
            }),
        }
    }

    /// Maps another chunk for the class; its base.
    fn add_chunk(&mut self, class: usize) -> Result<usize, Errno> {
        let Class { slot_len, slots, .. } = self.classes[class];
        // Where address space is rationed, what the arena sets aside could be missed by the program's own mappings.
        let wanted =
            if address_space_is_limited() { slots / 8 } else { slots.max(FIRST_SLOTS).max(FIRST_CHUNK / slot_len) };
        let mut capacity = wanted.min(LARGEST_CHUNK / slot_len).max(1);
        self.chunks.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        // Every chunk of the class may be available at once; making room now leaves `unmap` nothing that can fail.
        self.classes[class].available.try_reserve(self.chunks.len() + 1).map_err(|_| Errno::ENOMEM)?;
        let chunk = loop {
            match Chunk::map(slot_len, capacity) {
                Ok(chunk) => break chunk,
                Err(errno) if capacity == 1 => return Err(errno),
                Err(_) => capacity /= 2,
            }
        };
        let base = chunk.base;
        let class = &mut self.classes[class];
        class.slots += capacity;
        class.available.push(base);
        self.chunks.insert(self.chunks.partition_point(|other| other.base < base), chunk);
        Ok(base)
    }

    /// Keeps the books of a chunk after slots of it became free; of two chunks of a class that are all free, the smaller goes.
    pub(super) fn settle(&mut self, index: usize, was_full: bool) {
        let Chunk { base, slot_len, taken, capacity, .. } = self.chunks[index];
        let Ok(class) = self.class_for(slot_len) else {
            return;
        };
        if was_full && taken < capacity {
            self.classes[class].available.push(base);
        }
        if taken > 0 {
            return;
        }
        match self.classes[class].empty {
            Some(kept) if kept != base => {
                let kept_index = self.index_of(kept);
                if self.chunks[kept_index].capacity < capacity {
                    self.drop_chunk(kept_index, class);
                    self.classes[class].empty = Some(base);
                } else {
                    self.drop_chunk(index, class);
                }
            }
            _ => self.classes[class].empty = Some(base),
        }
    }

    /// Gives the chunks kept in reserve back to the kernel, for a class that needs address space; whether there were any.
    fn drop_empty_chunks(&mut self) -> bool {
        let mut any = false;
        for class in 0..self.classes.len() {
            if let Some(base) = self.classes[class].empty.take() {
                self.drop_chunk(self.index_of(base), class);
                any = true;
            }
        }
        any
    }

    /// Gives a chunk whose slots are all free back to the kernel.
    pub(super) fn drop_chunk(&mut self, index: usize, class: usize) {
        let chunk = &self.chunks[index];
        // SAFETY: every slot of the chunk is free.
        if unsafe { raw::munmap(chunk.mapping, chunk.mapping_len) }.is_err() {
            return;
        }
        let chunk = self.chunks.remove(index);
        let protected = chunk.records.iter().filter(|record| record.protected && record.installed > 0);
        self.protections_left += protected.count();
        let class = &mut self.classes[class];
        class.slots -= chunk.capacity;
        class.available.retain(|base| *base != chunk.base);
    }
}

/// Whether RLIMIT_AS or RLIMIT_DATA bounds what may be mapped (getrlimit(2)).
fn address_space_is_limited() -> bool {
    [RLIMIT_AS, RLIMIT_DATA].into_iter().any(|resource| {
        let mut limit = [u64::MAX; 2];
        let arguments = [0, resource as usize, 0, limit.as_mut_ptr() as usize, 0, 0];
        // SAFETY: `limit` has room for the soft and the hard limit, which is what the call writes.
        unsafe { raw::call(Sysno::prlimit64 as u32, arguments) };
        limit[0] != u64::MAX
    })
}
