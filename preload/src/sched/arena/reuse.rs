//! munmap(2) on one slot, and the way back: unmapped slots wait as **dirty** ones until a few dozen have come together,
//! then their pages are dropped and they are free again. A slot whose pages cannot be dropped is mapped anew.

use super::chunk::{Chunk, DIRTY, prepare};
use super::{MAPPING, READ_WRITE, StackArena};
use crate::raw::{self, Errno};
use linux_raw_sys::general::{MADV_DONTNEED, MAP_FIXED, PROT_NONE};

/// How many unmapped slots, and bytes of address space in them, may wait to have their pages dropped.
pub(super) const DIRTY_SLOTS: usize = 64;
pub(super) const DIRTY_BYTES: usize = 64 << 20;

impl StackArena {
    /// munmap of [low, high), a part of one slot or all of it.
    pub(super) fn unmap_part(&mut self, low: usize, high: usize) -> Result<(), Errno> {
        let Some(index) = self.chunk_of(low, high - low) else {
            return Ok(());
        };
        let chunk = &self.chunks[index];
        let slot = (low - chunk.base) / chunk.slot_len;
        if !chunk.is_live(slot) {
            return Ok(());
        }
        if high - low < chunk.slot_len {
            self.make_irregular(index, slot)?;
            // SAFETY: the program gives up this part of its slot; nothing else may be mapped there.
            return unsafe { raw::mmap(low, high - low, PROT_NONE, MAPPING | MAP_FIXED, -1, 0) }.map(drop);
        }
        if chunk.records[slot].irregular {
            self.map_anew(index, slot)?;
        }
        self.chunks[index].records[slot].next = DIRTY;
        self.dirty[self.dirty_count] = low;
        self.dirty_count += 1;
        self.dirty_bytes += high - low;
        if self.dirty_count == DIRTY_SLOTS || self.dirty_bytes >= DIRTY_BYTES {
            self.flush();
        }
        Ok(())
    }

    /// Puts fresh memory, without a guard, in the place of a slot that is not in use.
    fn map_anew(&mut self, index: usize, slot: usize) -> Result<(), Errno> {
        let chunk = &mut self.chunks[index];
        let (start, len) = (chunk.start_of(slot), chunk.slot_len);
        // SAFETY: the program has given up the whole slot.
        unsafe { raw::mmap(start, len, READ_WRITE, MAPPING | MAP_FIXED, -1, 0)? };
        prepare(start, len);
        let record = &mut chunk.records[slot];
        if record.protected && record.installed > 0 {
            self.protections_left += 1;
        }
        record.installed = 0;
        record.irregular = false;
        Ok(())
    }

    /// Drops the pages of all dirty slots, one madvise(2) for each run of neighbours, and makes the slots free.
    #[inline]
    pub fn flush(&mut self) {
        if self.dirty_count > 0 {
            self.flush_dirty();
        }
    }

    #[cold]
    fn flush_dirty(&mut self) {
        let mut dirty = self.dirty;
        let mut starts = &mut dirty[..self.dirty_count];
        (self.dirty_count, self.dirty_bytes) = (0, 0);
        starts.sort_unstable();
        // From the highest address down, so that the lowest slots come to stand first in the lists of free ones.
        while let Some(&last) = starts.last()
            && let Some(index) = self.chunk_of(last, 1)
        {
            let Chunk { base, slot_len, .. } = self.chunks[index];
            let is_neighbour = |distance: usize, start: usize| start >= base && start + distance * slot_len == last;
            let run = starts
                .iter()
                .rev()
                .enumerate()
                .take_while(|(distance, start)| is_neighbour(*distance, **start))
                .count();
            let rest = starts.len() - run;
            self.free(index, (starts[rest] - base) / slot_len, run);
            starts = &mut starts[..rest];
        }
    }

    /// Drops the pages of `count` neighbouring dirty slots from `first` on and makes the slots free.
    fn free(&mut self, index: usize, first: usize, count: usize) {
        let chunk = &self.chunks[index];
        let was_full = chunk.is_full();
        // SAFETY: the program has given up these slots. The call fails on memory that is locked (mlockall(2)).
        let dropped = unsafe { raw::madvise(chunk.start_of(first), count * chunk.slot_len, MADV_DONTNEED) }.is_ok();
        for slot in (first..first + count).rev() {
            // A slot that can be cleared neither way stays out of use.
            if dropped || self.map_anew(index, slot).is_ok() {
                let chunk = &mut self.chunks[index];
                chunk.records[slot].next = chunk.free;
                chunk.free = slot as u32;
                chunk.taken -= 1;
            }
        }
        self.settle(index, was_full);
    }
}
