//! Stacks for a million tasks: what libc believes to be its own mappings are slots of a few large ones.
//!
//! glibc maps every thread's stack for itself and protects its lowest page or pages as a guard. That costs two kernel mappings
//! (VMAs) a stack, and a process may have 65,530 of them (vm.max_map_count). The arena answers those mmap(2),
//! mprotect(2) and munmap(2) calls out of **chunks**: readable and writable mappings divided into **slots** of one length. A guard is
//! made with MADV_GUARD_INSTALL (Linux 6.13), which marks page-table entries and leaves the mapping whole. Older kernels get real
//! protections until they have cost nearly half the mappings a process may have; later stacks then go without a guard, and are counted.
//!
//! A slot is handed out as a fresh mapping would be: it reads as zeros (glibc relies on this for the thread descriptor and the TLS
//! block at its top), because the pages of a slot are dropped between two uses. Neighbours are dropped together, a few dozen at a time: one
//! madvise(2) over 64 slots takes a fifth of the time of 64 calls. The guard outlives that, and the next thread most often
//! wants the same. What the scheme cannot express (executable stacks, unmapping half a stack, protection in the middle) is done
//! with real protections on that one slot, which is then mapped anew before its next use.
//!
//! One difference from mprotect(2) remains: pages that become part of the guard lose their contents.
//!
//! Here are the answers to the calls; `chunk` holds the mappings and what is known of their slots, `classes` decides how
//! many chunks there are, `guards` makes guards and protections, and `reuse` brings unmapped slots back.

mod chunk;
mod classes;
mod guards;
mod reuse;
#[cfg(test)]
mod tests;

use crate::raw::{self, Errno};
use alloc::vec::Vec;
use chunk::{Chunk, LIVE};
use classes::Class;
use guards::PROTECTED_GUARDS;
use linux_raw_sys::general::{
    MADV_DONTNEED, MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE,
};
use reuse::DIRTY_SLOTS;

const PAGE: usize = 4096;
const READ_WRITE: u32 = PROT_READ | PROT_WRITE;
const MAPPING: u32 = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

/// A stack in use, as the report of a stack overflow wants it. Addresses and lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub start: usize,
    pub len: usize,
    /// How much of the low end the program has protected.
    pub guard_len: usize,
}

/// The stacks of one process.
pub struct StackArena {
    /// In the order of their addresses.
    chunks: Vec<Chunk>,
    /// In the order of their lengths.
    classes: Vec<Class>,
    /// Whether the kernel has MADV_GUARD_INSTALL; `None` until the first guard is wanted.
    has_guard_markers: Option<bool>,
    /// How many more guards may be made by real protection.
    protections_left: usize,
    unguarded: usize,
    /// Starts of the dirty slots, in the order in which they were unmapped.
    dirty: [usize; DIRTY_SLOTS],
    dirty_count: usize,
    dirty_bytes: usize,
}

impl StackArena {
    /// An arena without memory.
    pub const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            classes: Vec::new(),
            has_guard_markers: None,
            protections_left: PROTECTED_GUARDS,
            unguarded: 0,
            dirty: [0; DIRTY_SLOTS],
            dirty_count: 0,
            dirty_bytes: 0,
        }
    }

    /// How many times a guard was left out because the kernel is older than Linux 6.13 and mappings would have run out.
    pub fn unguarded(&self) -> usize {
        self.unguarded
    }

    /// Bytes of addresses that it has, and stacks that are in use or were lately, for statistics.
    pub fn size(&self) -> (usize, usize) {
        self.chunks.iter().fold((0, 0), |(bytes, stacks), chunk| (bytes + chunk.mapping_len, stacks + chunk.taken))
    }

    /// Answers mmap(NULL, `len`, `prot`, MAP_PRIVATE|MAP_ANONYMOUS|MAP_STACK, −1, 0): zeroed memory. With PROT_NONE, glibc's
    /// choice, the guard is decided by the `protect` that follows, and until then the memory can in fact be touched.
    /// Errors: EINVAL for a length of zero; ENOMEM, or what else the kernel says to a mapping of one slot.
    pub fn map(&mut self, len: usize, prot: i32) -> Result<usize, Errno> {
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        let slot_len = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
        // Records count pages in 32 bits; no address space is that large.
        if slot_len / PAGE > u32::MAX as usize {
            return Err(Errno::ENOMEM);
        }
        let class = self.class_for(slot_len)?;
        let base = self.chunk_with_room(class)?;
        let index = self.index_of(base);
        let chunk = &mut self.chunks[index];
        let slot = chunk.take();
        let start = chunk.start_of(slot);
        let class = &mut self.classes[class];
        if chunk.is_full() {
            class.available.pop();
        }
        if class.empty == Some(base) {
            class.empty = None;
        }
        if prot as u32 != PROT_NONE
            && let Err(errno) = self.protect_slot(index, slot, start, start + slot_len, prot as u32)
        {
            // The error that brought us here is the one to report.
            let _ = self.unmap_part(start, start + slot_len);
            return Err(errno);
        }
        Ok(start)
    }

    /// Whether [address, address + len) lies in the slots of one chunk.
    #[inline]
    pub fn contains(&self, address: usize, len: usize) -> bool {
        self.chunk_of(address, len).is_some()
    }

    /// Answers mprotect(2). `None`: not the arena's. Errors: EINVAL for an unaligned address, ENOMEM for a range with a slot
    /// that is not in use, and the kernel's own.
    pub fn protect(&mut self, address: usize, len: usize, prot: i32) -> Option<Result<(), Errno>> {
        let (index, len) = self.page_range(address, len)?;
        if !address.is_multiple_of(PAGE) {
            return Some(Err(Errno::EINVAL));
        }
        if len == 0 {
            return Some(Ok(()));
        }
        let mut parts = self.chunks[index].parts(address, len);
        Some(parts.try_for_each(|(slot, low, high)| self.protect_slot(index, slot, low, high, prot as u32)))
    }

    /// Answers munmap(2). `None`: not the arena's. Part of a slot becomes inaccessible, and the slot is reused only after it was unmapped
    /// as a whole. Errors: EINVAL for an unaligned address or a length of zero, and the kernel's own.
    pub fn unmap(&mut self, address: usize, len: usize) -> Option<Result<(), Errno>> {
        let (index, len) = self.page_range(address, len)?;
        if !address.is_multiple_of(PAGE) || len == 0 {
            return Some(Err(Errno::EINVAL));
        }
        let mut parts = self.chunks[index].parts(address, len);
        Some(parts.try_for_each(|(_, low, high)| self.unmap_part(low, high)))
    }

    /// Answers madvise(MADV_DONTNEED), which guards outlive. `None`: not the arena's.
    pub fn discard(&mut self, address: usize, len: usize) -> Option<Result<(), Errno>> {
        self.page_range(address, len)?;
        // SAFETY: the program gives up the contents of a range that belongs to it.
        Some(unsafe { raw::madvise(address, len, MADV_DONTNEED) })
    }

    /// The stack in use that `address` lies in.
    pub fn slot_of(&self, address: usize) -> Option<Slot> {
        let chunk = &self.chunks[self.chunk_of(address, 1)?];
        let slot = (address - chunk.base) / chunk.slot_len;
        let record = chunk.records.get(slot).filter(|record| record.next == LIVE)?;
        Some(Slot { start: chunk.start_of(slot), len: chunk.slot_len, guard_len: record.guard as usize * PAGE })
    }

    /// Index of the chunk whose slots hold the whole range.
    #[inline]
    fn chunk_of(&self, address: usize, len: usize) -> Option<usize> {
        if address < self.chunks.first()?.base || address >= self.chunks.last()?.end() {
            return None;
        }
        let index = self.chunks.partition_point(|chunk| chunk.base <= address).checked_sub(1)?;
        let end = self.chunks[index].end();
        (address < end && len <= end - address).then_some(index)
    }

    /// As `chunk_of`, with the length rounded up to pages.
    fn page_range(&self, address: usize, len: usize) -> Option<(usize, usize)> {
        let len = len.checked_next_multiple_of(PAGE)?;
        self.chunk_of(address, len).map(|index| (index, len))
    }

    fn index_of(&self, base: usize) -> usize {
        self.chunks.partition_point(|chunk| chunk.base < base)
    }
}

impl Default for StackArena {
    fn default() -> Self {
        Self::new()
    }
}
