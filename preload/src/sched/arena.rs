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

use crate::allocator::name_mapping;
use crate::raw::{self, Errno, Sysno};
use alloc::vec::Vec;
use linux_raw_sys::general::{
    MADV_DONTNEED, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, MADV_NOHUGEPAGE, MAP_ANONYMOUS, MAP_FIXED, MAP_NORESERVE,
    MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE, RLIMIT_AS, RLIMIT_DATA,
};

const PAGE: usize = 4096;

/// How much memory one page of the lowest page table describes, in bytes.
const TABLE_REACH: usize = 2 << 20;

/// Fewest slots of a class's first chunk, and its least size in bytes. Later chunks double what the class has.
const FIRST_SLOTS: usize = 16;
const FIRST_CHUNK: usize = 1 << 20;

/// Largest chunk in bytes (unless one slot is larger).
const LARGEST_CHUNK: usize = 4 << 30;

/// How many guards may be made by real protection. Each costs two mappings, of which a process may have 65,530.
const PROTECTED_GUARDS: usize = 30_000;

/// How many unmapped slots, and bytes of address space in them, may wait to have their pages dropped.
const DIRTY_SLOTS: usize = 64;
const DIRTY_BYTES: usize = 64 << 20;

const READ_WRITE: u32 = PROT_READ | PROT_WRITE;
const MAPPING: u32 = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

/// In `Record::next`: the slot is in use.
const LIVE: u32 = u32::MAX;
/// In `Record::next` and `Chunk::free`: the end of the list of free slots.
const NONE: u32 = u32::MAX - 1;
/// In `Record::next`: the slot was unmapped and still has its old contents.
const DIRTY: u32 = u32::MAX - 2;

/// A stack in use, as the report of a stack overflow wants it. Addresses and lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub start: usize,
    pub len: usize,
    /// How much of the low end the program has protected.
    pub guard_len: usize,
}

/// What is known of one slot.
struct Record {
    /// Pages at the low end that the program wants inaccessible; all of them from mmap(PROT_NONE) to the first mprotect.
    guard: u32,
    /// Pages at the low end that are inaccessible by a guard of the arena's.
    installed: u32,
    /// The next free slot, `LIVE` or `DIRTY`.
    next: u32,
    /// The guard is made by real protection.
    protected: bool,
    /// The slot's protections are the program's own, made by real mprotect(2) calls; there is no guard of the arena's.
    irregular: bool,
}

/// A mapping divided into slots of equal length.
struct Chunk {
    /// First slot's address: the chunk's identity.
    base: usize,
    slot_len: usize,
    capacity: usize,
    /// Slots in use or dirty.
    taken: usize,
    /// The free slot to be used next; each names another.
    free: u32,
    /// One for each slot that was ever in use; the memory for all is reserved.
    records: Vec<Record>,
    /// The mapping around the slots.
    mapping: usize,
    mapping_len: usize,
}

impl Chunk {
    /// Maps a chunk of `capacity` slots.
    fn map(slot_len: usize, capacity: usize) -> Result<Self, Errno> {
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
        no_huge_pages(mapping, mapping_len);
        name_mapping(mapping, mapping_len, c"grivet stacks");
        let base = if shift { mapping.next_multiple_of(TABLE_REACH) + TABLE_REACH / 2 } else { mapping };
        Ok(Self { base, slot_len, capacity, taken: 0, free: NONE, records, mapping, mapping_len })
    }

    fn end(&self) -> usize {
        self.base + self.slot_len * self.capacity
    }

    fn start_of(&self, slot: usize) -> usize {
        self.base + self.slot_len * slot
    }

    fn is_full(&self) -> bool {
        self.taken == self.capacity
    }

    /// Takes a free slot, preferably one that was used before. The chunk must not be full.
    fn take(&mut self) -> usize {
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

    fn is_live(&self, slot: usize) -> bool {
        self.records.get(slot).is_some_and(|record| record.next == LIVE)
    }

    /// The slots that [address, address + len) touches, each with its part of the range as (slot, low, high).
    fn parts(&self, address: usize, len: usize) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (base, slot_len, end) = (self.base, self.slot_len, address + len);
        ((address - base) / slot_len..=(end - 1 - base) / slot_len).map(move |slot| {
            let start = base + slot * slot_len;
            (slot, address.max(start), end.min(start + slot_len))
        })
    }
}

/// Slots of one length.
struct Class {
    slot_len: usize,
    /// Slots in all chunks of the class, used or not.
    slots: usize,
    /// Chunks that have a free slot, by base.
    available: Vec<usize>,
    /// The one chunk with all its slots free that is kept.
    empty: Option<usize>,
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

    /// Index of the class of `slot_len`, which is added if need be.
    fn class_for(&mut self, slot_len: usize) -> Result<usize, Errno> {
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
    fn chunk_with_room(&mut self, class: usize) -> Result<usize, Errno> {
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

    /// mprotect of [low, high), a part of one slot.
    fn protect_slot(&mut self, index: usize, slot: usize, low: usize, high: usize, prot: u32) -> Result<(), Errno> {
        let chunk = &self.chunks[index];
        if !chunk.is_live(slot) {
            return Err(Errno::ENOMEM);
        }
        let record = &chunk.records[slot];
        let start = chunk.start_of(slot);
        let end = start + chunk.slot_len;
        let guard_end = start + record.guard as usize * PAGE;
        // Where the guard ends afterwards, if low pages that are inaccessible and a rest that is not still describe the slot.
        let new_guard_end = match prot {
            PROT_NONE if high <= guard_end => Some(guard_end),
            PROT_NONE if low <= guard_end && high < end => Some(high),
            PROT_NONE => None,
            _ if low >= guard_end => Some(guard_end),
            _ if high >= guard_end => Some(low),
            _ => None,
        };
        let is_regular = matches!(prot, PROT_NONE | PROT_WRITE | READ_WRITE) && !record.irregular;
        match new_guard_end {
            Some(new_end) if is_regular => {
                let pages = ((new_end - start) / PAGE) as u32;
                // A slot that is inaccessible as a whole waits for the call that says where its guard ends.
                if new_end != end {
                    self.set_guard(index, slot, pages)?;
                }
                self.chunks[index].records[slot].guard = pages;
            }
            _ => {
                self.make_irregular(index, slot)?;
                // SAFETY: the program asked for this protection of its own memory.
                unsafe { raw::mprotect(low, high - low, prot)? };
                if let Some(new_end) = new_guard_end {
                    self.chunks[index].records[slot].guard = ((new_end - start) / PAGE) as u32;
                }
            }
        }
        Ok(())
    }

    /// Makes the lowest `pages` of a regular slot the guard.
    fn set_guard(&mut self, index: usize, slot: usize, pages: u32) -> Result<(), Errno> {
        let chunk = &mut self.chunks[index];
        let start = chunk.start_of(slot);
        let record = &mut chunk.records[slot];
        let installed = record.installed;
        if pages == installed {
            return Ok(());
        }
        let grows = pages > installed;
        let address = start + pages.min(installed) as usize * PAGE;
        let len = pages.abs_diff(installed) as usize * PAGE;

        if installed == 0 {
            record.protected = self.has_guard_markers == Some(false);
        }
        if !record.protected {
            let advice = if grows { MADV_GUARD_INSTALL } else { MADV_GUARD_REMOVE };
            // SAFETY: the range is the guard or becomes it; the program keeps nothing there.
            match unsafe { raw::madvise(address, len, advice) } {
                Ok(()) => {
                    self.has_guard_markers = Some(true);
                    record.installed = pages;
                    return Ok(());
                }
                // An older kernel, or (before Linux 6.15) memory locked by mlockall(2).
                Err(Errno::EINVAL) if installed == 0 => {
                    self.has_guard_markers.get_or_insert(false);
                    record.protected = true;
                }
                Err(errno) => return Err(errno),
            }
        }

        if installed == 0 && self.protections_left == 0 {
            self.unguarded += 1;
            return Ok(());
        }
        // SAFETY: as above.
        unsafe { raw::mprotect(address, len, if grows { PROT_NONE } else { READ_WRITE })? };
        record.installed = pages;
        match (installed, pages) {
            (0, _) => self.protections_left -= 1,
            (_, 0) => self.protections_left += 1,
            _ => {}
        }
        Ok(())
    }

    /// Turns the guard of a slot into real protection that the program may change as it likes.
    fn make_irregular(&mut self, index: usize, slot: usize) -> Result<(), Errno> {
        if self.chunks[index].records[slot].irregular {
            return Ok(());
        }
        self.set_guard(index, slot, 0)?;
        let chunk = &mut self.chunks[index];
        let start = chunk.start_of(slot);
        let record = &mut chunk.records[slot];
        if record.guard > 0 {
            // SAFETY: the program wants these pages inaccessible.
            unsafe { raw::mprotect(start, record.guard as usize * PAGE, PROT_NONE)? };
        }
        record.irregular = true;
        Ok(())
    }

    /// munmap of [low, high), a part of one slot or all of it.
    fn unmap_part(&mut self, low: usize, high: usize) -> Result<(), Errno> {
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
        no_huge_pages(start, len);
        name_mapping(start, len, c"grivet stacks");
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

    /// Keeps the books of a chunk after slots of it became free; of two chunks of a class that are all free, the smaller goes.
    fn settle(&mut self, index: usize, was_full: bool) {
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
    fn drop_chunk(&mut self, index: usize, class: usize) {
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

impl Default for StackArena {
    fn default() -> Self {
        Self::new()
    }
}

/// Keeps the kernel from backing a stack of one touched page with 2 MiB. Kernels without huge pages refuse, rightly.
fn no_huge_pages(address: usize, len: usize) {
    // SAFETY: the advice changes no contents.
    let _ = unsafe { raw::madvise(address, len, MADV_NOHUGEPAGE) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use linux_raw_sys::general::PROT_EXEC;
    use std::io::pipe;
    use std::os::fd::AsRawFd;
    use std::os::unix::process::ExitStatusExt;

    const PROT_RW: i32 = READ_WRITE as i32;
    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;

    /// Maps a stack as glibc does.
    fn map_stack(arena: &mut StackArena, len: usize, guard: usize) -> usize {
        let start = arena.map(len, PROT_NONE as i32).unwrap();
        arena.protect(start + guard, len - guard, PROT_RW).unwrap().unwrap();
        start
    }

    /// Whether the byte at `address` can be read and written, as the kernel sees it: without a fault.
    fn is_accessible(address: usize) -> bool {
        let (reader, writer) = pipe().unwrap();
        let copy = |number: Sysno, fd: i32| {
            // SAFETY: the kernel checks the address, and one byte goes out and the same byte comes back.
            raw::check(unsafe { raw::call(number as u32, [fd as usize, address, 1, 0, 0, 0]) })
        };
        match copy(Sysno::write, writer.as_raw_fd()) {
            Ok(_) => copy(Sysno::read, reader.as_raw_fd()).is_ok(),
            Err(errno) => {
                assert_eq!(errno, Errno::EFAULT);
                false
            }
        }
    }

    /// Asserts that the lowest `guard` bytes of the slot are inaccessible and the rest is not.
    fn assert_guarded(start: usize, len: usize, guard: usize) {
        for address in (start..start + len.min(16 * PAGE)).step_by(PAGE).chain([start + len - 1]) {
            assert_eq!(is_accessible(address), address >= start + guard, "{:#x} into the slot", address - start);
        }
    }

    fn fill(start: usize, len: usize) {
        // SAFETY: the caller names accessible memory of a slot that the test owns.
        unsafe { core::ptr::write_bytes(start as *mut u8, 0xEE, len) };
    }

    fn is_zero(start: usize, len: usize) -> bool {
        // SAFETY: as for `fill`.
        unsafe { core::slice::from_raw_parts(start as *const u8, len) }.iter().all(|byte| *byte == 0)
    }

    /// How many kernel mappings the chunks of the arena consist of.
    fn mappings(arena: &StackArena) -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let ranges = maps.lines().map(|line| {
            let (low, high) = line.split(' ').next().unwrap().split_once('-').unwrap();
            (usize::from_str_radix(low, 16).unwrap(), usize::from_str_radix(high, 16).unwrap())
        });
        ranges.filter(|(low, high)| arena.chunks.iter().any(|chunk| *low < chunk.end() && chunk.base < *high)).count()
    }

    /// An arena that behaves as on a kernel before Linux 6.13.
    fn without_markers() -> StackArena {
        StackArena { has_guard_markers: Some(false), ..StackArena::new() }
    }

    /// Runs the running test again in a process of its own, with `GRIVET_TEST_CHILD` set to `part`.
    fn run_in_child(part: &str) -> std::process::ExitStatus {
        let name = std::thread::current().name().unwrap().to_owned();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "--nocapture", &name]).env("GRIVET_TEST_CHILD", part);
        child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        child.status().unwrap()
    }

    /// Which part of the test this process was started for by `run_in_child`.
    fn part_of_child() -> Option<String> {
        std::env::var("GRIVET_TEST_CHILD").ok()
    }

    #[test]
    fn a_stack_has_a_guard_below_and_zeros_above() {
        for mut arena in [StackArena::new(), without_markers()] {
            for guard in [PAGE, 5 * PAGE, 0] {
                let start = map_stack(&mut arena, 256 * KIB, guard);
                assert_guarded(start, 256 * KIB, guard);
                assert!(is_zero(start + guard, 256 * KIB - guard));
                assert_eq!(arena.slot_of(start + 9), Some(Slot { start, len: 256 * KIB, guard_len: guard }));
            }
            let start = arena.map(256 * KIB, PROT_RW).unwrap();
            assert_guarded(start, 256 * KIB, 0);
        }
    }

    #[test]
    fn touching_a_guard_kills_the_process() {
        if let Some(part) = part_of_child() {
            let start = map_stack(&mut StackArena::new(), 64 * KIB, PAGE);
            fill(start + PAGE, 1);
            if part == "guard" {
                fill(start + PAGE - 1, 1);
            }
            return;
        }
        assert!(run_in_child("stack").success());
        assert_eq!(run_in_child("guard").signal(), Some(11));
    }

    #[test]
    fn a_reused_slot_reads_as_zeros_and_has_the_new_guard() {
        for mut arena in [StackArena::new(), without_markers()] {
            let mut guard = 0;
            for next in [PAGE, PAGE, 4 * PAGE, 0, 2 * PAGE, PAGE] {
                let start = map_stack(&mut arena, 128 * KIB, guard);
                fill(start + guard, 128 * KIB - guard);
                assert_eq!(arena.unmap(start, 128 * KIB), Some(Ok(())));
                assert_eq!(arena.slot_of(start), None);
                arena.flush();
                assert_eq!(map_stack(&mut arena, 128 * KIB, next), start, "used slots before fresh ones");
                assert!(is_zero(start + next, 128 * KIB - next));
                assert_guarded(start, 128 * KIB, next);
                arena.unmap(start, 128 * KIB).unwrap().unwrap();
                arena.flush();
                guard = next;
            }
            let start = arena.map(128 * KIB, PROT_RW).unwrap();
            assert_guarded(start, 128 * KIB, 0);
        }
    }

    #[test]
    fn a_guard_grows_and_shrinks_as_the_jvm_asks() {
        for mut arena in [StackArena::new(), without_markers()] {
            let start = arena.map(MIB, PROT_RW).unwrap();
            for (low, high, prot, guard) in
                [(0, 6, 0, 6), (2, 6, PROT_RW, 2), (2, 6, 0, 6), (1, 3, 0, 6), (0, 6, PROT_RW, 0)]
            {
                assert_eq!(arena.protect(start + low * PAGE, (high - low) * PAGE, prot), Some(Ok(())));
                assert_guarded(start, MIB, guard * PAGE);
                assert_eq!(arena.slot_of(start).unwrap().guard_len, guard * PAGE);
            }
            assert!(!arena.chunks[0].records[0].irregular);
        }
    }

    #[test]
    fn protection_in_the_middle_is_real_and_gone_at_the_next_use() {
        for mut arena in [StackArena::new(), without_markers()] {
            let left = arena.protections_left;
            let start = map_stack(&mut arena, 64 * KIB, PAGE);
            fill(start + PAGE, 15 * PAGE);
            arena.protect(start + 3 * PAGE, PAGE, 0).unwrap().unwrap();
            let accessible: Vec<bool> = (0..16).map(|page| is_accessible(start + page * PAGE)).collect();
            assert_eq!(accessible.iter().filter(|page| !**page).count(), 2);
            assert!(!accessible[0] && !accessible[3]);
            // mprotect keeps contents.
            arena.protect(start + 3 * PAGE, PAGE, PROT_RW).unwrap().unwrap();
            // SAFETY: the page is accessible again.
            assert_eq!(unsafe { *((start + 3 * PAGE) as *const u8) }, 0xEE);
            arena.protect(start, PAGE, PROT_RW).unwrap().unwrap();
            assert_guarded(start, 64 * KIB, 0);
            arena.unmap(start, 64 * KIB).unwrap().unwrap();
            arena.flush();
            assert_eq!(arena.protections_left, left);
            assert_eq!(map_stack(&mut arena, 64 * KIB, PAGE), start);
            assert_guarded(start, 64 * KIB, PAGE);
            assert!(is_zero(start + PAGE, 15 * PAGE));
        }
    }

    #[test]
    fn an_executable_stack_runs_code_and_the_next_one_does_not() {
        if let Some(part) = part_of_child() {
            let mut arena = StackArena::new();
            let start = arena.map(64 * KIB, 0).unwrap();
            let run = || {
                let code = (start + 2 * PAGE) as *mut u8;
                // SAFETY: the page is writable; the code is `ret`, and the process is meant to die if it may not run.
                unsafe {
                    code.write(0xC3);
                    core::mem::transmute::<*mut u8, extern "C" fn()>(code)();
                }
            };
            arena.protect(start + PAGE, 15 * PAGE, PROT_RW | PROT_EXEC as i32).unwrap().unwrap();
            run();
            assert_guarded(start, 64 * KIB, PAGE);
            assert_eq!(arena.slot_of(start).unwrap().guard_len, PAGE);
            arena.unmap(start, 64 * KIB).unwrap().unwrap();
            arena.flush();
            assert_eq!(map_stack(&mut arena, 64 * KIB, PAGE), start);
            if part == "next" {
                run();
            }
            return;
        }
        assert!(run_in_child("executable").success());
        assert_eq!(run_in_child("next").signal(), Some(11));
    }

    #[test]
    fn part_of_a_stack_can_be_unmapped_and_later_the_whole() {
        let mut arena = StackArena::new();
        let start = map_stack(&mut arena, 64 * KIB, PAGE);
        arena.unmap(start, 4 * PAGE).unwrap().unwrap();
        assert_guarded(start, 64 * KIB, 4 * PAGE);
        assert_ne!(map_stack(&mut arena, 64 * KIB, PAGE), start);
        arena.unmap(start, 64 * KIB).unwrap().unwrap();
        assert_eq!(arena.unmap(start, 64 * KIB), Some(Ok(())), "unmapping what is unmapped is no error");
        arena.flush();
        assert_eq!(map_stack(&mut arena, 64 * KIB, PAGE), start);
        assert_guarded(start, 64 * KIB, PAGE);
    }

    #[test]
    fn ranges_over_two_stacks_reach_both() {
        let mut arena = StackArena::new();
        let first = map_stack(&mut arena, 64 * KIB, 0);
        let second = map_stack(&mut arena, 64 * KIB, 0);
        assert_eq!(second, first + 64 * KIB);
        arena.protect(second - PAGE, 3 * PAGE, 0).unwrap().unwrap();
        assert!(!is_accessible(second - PAGE) && is_accessible(second - PAGE - 1));
        assert_guarded(second, 64 * KIB, 2 * PAGE);
        arena.unmap(first, 128 * KIB).unwrap().unwrap();
        assert_eq!((arena.slot_of(first), arena.slot_of(second)), (None, None));
        assert_eq!(arena.protect(first, 64 * KIB, PROT_RW), Some(Err(Errno::ENOMEM)));
    }

    #[test]
    fn errors_are_the_kernels_and_foreign_memory_is_left_alone() {
        let mut arena = StackArena::new();
        let foreign = &raw const arena as usize & !(PAGE - 1);
        assert!(!arena.contains(foreign, PAGE));
        let start = map_stack(&mut arena, 64 * KIB, PAGE);
        assert!(arena.contains(start, 64 * KIB));
        assert_eq!(arena.protect(foreign, PAGE, PROT_RW), None);
        assert_eq!(arena.unmap(foreign, PAGE), None);
        assert_eq!(arena.discard(foreign, PAGE), None);
        assert_eq!(arena.slot_of(foreign), None);
        assert!(!arena.contains(start, usize::MAX) && !arena.contains(start, LARGEST_CHUNK));
        assert_eq!(arena.unmap(start, usize::MAX), None);
        assert_eq!(arena.map(0, 0), Err(Errno::EINVAL));
        assert_eq!(arena.map(usize::MAX, 0), Err(Errno::ENOMEM));
        assert_eq!(arena.map(1 << 47, 0), Err(Errno::ENOMEM));
        assert_eq!(arena.protect(start + 1, PAGE, PROT_RW), Some(Err(Errno::EINVAL)));
        assert_eq!(arena.protect(start, 0, PROT_RW), Some(Ok(())));
        assert_eq!(arena.unmap(start + 1, PAGE), Some(Err(Errno::EINVAL)));
        assert_eq!(arena.unmap(start, 0), Some(Err(Errno::EINVAL)));
        assert_guarded(start, 64 * KIB, PAGE);
    }

    #[test]
    fn discarding_zeroes_and_keeps_the_guard() {
        let mut arena = StackArena::new();
        let start = map_stack(&mut arena, 64 * KIB, PAGE);
        fill(start + PAGE, 15 * PAGE);
        assert_eq!(arena.discard(start, 8 * PAGE), Some(Ok(())));
        assert!(is_zero(start + PAGE, 7 * PAGE) && !is_zero(start + 8 * PAGE, PAGE));
        assert_guarded(start, 64 * KIB, PAGE);
    }

    #[test]
    fn unmapped_slots_wait_in_bounded_number_and_come_back_clean_in_order() {
        let mut arena = StackArena::new();
        let stacks: Vec<usize> = (0..200).map(|_| map_stack(&mut arena, 64 * KIB, PAGE)).collect();
        let capacity = arena.classes[0].slots;
        for (index, turn) in (0..200).map(|turn| turn * 77 % 200).enumerate() {
            fill(stacks[turn] + PAGE, 15 * PAGE);
            arena.unmap(stacks[turn], 64 * KIB).unwrap().unwrap();
            assert!(arena.dirty_count < DIRTY_SLOTS && arena.slot_of(stacks[turn]).is_none(), "after {index}");
        }
        assert!(arena.dirty_count > 0);
        let again: Vec<usize> = (0..capacity).map(|_| map_stack(&mut arena, 64 * KIB, PAGE)).collect();
        assert_eq!(arena.classes[0].slots, capacity, "dirty slots were used before a new chunk was made");
        assert!(again.iter().all(|start| is_zero(start + PAGE, 15 * PAGE)));
        assert!(again.iter().collect::<std::collections::BTreeSet<_>>().len() == capacity);
        let lowest = *again.iter().min().unwrap();
        arena.unmap(lowest, 128 * KIB).unwrap().unwrap();
        arena.flush();
        assert_eq!(arena.map(64 * KIB, 0), Ok(lowest));
        assert_eq!(arena.map(64 * KIB, 0), Ok(lowest + 64 * KIB));
        let large = arena.map(DIRTY_BYTES, 0).unwrap();
        arena.unmap(large, DIRTY_BYTES).unwrap().unwrap();
        assert_eq!((arena.dirty_count, arena.dirty_bytes), (0, 0), "a large slot does not wait");
    }

    #[test]
    fn one_call_unmaps_more_slots_than_may_wait() {
        let mut arena = StackArena::new();
        let stacks: Vec<usize> = (0..1_000).map(|_| arena.map(64 * KIB, PROT_RW).unwrap()).collect();
        let chunk = arena.chunks.iter().max_by_key(|chunk| chunk.capacity).unwrap();
        let (base, len) = (chunk.base, chunk.end() - chunk.base);
        assert!(chunk.capacity > 3 * DIRTY_SLOTS);
        assert_eq!(arena.unmap(base, len), Some(Ok(())));
        let left = stacks.iter().filter(|start| arena.slot_of(**start).is_some()).count();
        assert_eq!(left, stacks.iter().filter(|start| !(base..base + len).contains(start)).count());
    }

    #[test]
    fn sizes_mix_and_slots_never_overlap() {
        let mut arena = StackArena::new();
        let mut slots = std::collections::BTreeMap::new();
        for round in 0..5_000_usize {
            let len = [16 * KIB, 20 * KIB, 64 * KIB, MIB, 8 * MIB, 100 * KIB + 1][round * 31 % 6];
            let rounded = len.next_multiple_of(PAGE);
            let start = arena.map(len, PROT_RW).unwrap();
            assert!(is_zero(start + rounded - PAGE, PAGE), "round {round}");
            fill(start + rounded - PAGE, PAGE);
            assert_eq!(slots.insert(start, rounded), None);
            if round % 3 != 0 {
                let (start, len) =
                    slots.iter().nth(round * 17 % slots.len()).map(|(start, len)| (*start, *len)).unwrap();
                assert_eq!(arena.unmap(start, len), Some(Ok(())));
                slots.remove(&start);
            }
        }
        let ends = slots.iter().map(|(start, len)| start + len);
        assert!(ends.zip(slots.keys().skip(1)).all(|(end, next)| end <= *next));
        for (start, len) in slots {
            assert_eq!(arena.slot_of(start + len - 1).unwrap(), Slot { start, len, guard_len: 0 });
            arena.unmap(start, len).unwrap().unwrap();
        }
        arena.flush();
        assert!(arena.chunks.iter().all(|chunk| chunk.taken == 0));
        assert_eq!(arena.chunks.len(), arena.classes.len(), "one empty chunk a class is kept");
    }

    #[test]
    fn a_million_stacks_take_few_mappings_and_can_be_given_back() {
        const COUNT: usize = 1_000_000;
        let mut arena = StackArena::new();
        let stacks: Vec<usize> = (0..COUNT).map(|_| arena.map(64 * KIB, 0).unwrap()).collect();
        for start in stacks.iter().step_by(10) {
            arena.protect(start + PAGE, 60 * KIB, PROT_RW).unwrap().unwrap();
        }
        assert!(arena.chunks.len() < 32, "{} chunks", arena.chunks.len());
        if arena.has_guard_markers == Some(true) {
            assert!(mappings(&arena) < 40, "{} mappings for {} chunks", mappings(&arena), arena.chunks.len());
            assert_eq!(arena.unguarded(), 0);
        }
        let records = size_of::<Record>() * arena.chunks.iter().map(|chunk| chunk.records.capacity()).sum::<usize>();
        assert!(size_of::<Record>() <= 16 && records <= 32 * COUNT);
        for start in stacks {
            arena.unmap(start, 64 * KIB).unwrap().unwrap();
        }
        arena.flush();
        assert_eq!((arena.chunks.len(), arena.chunks[0].taken), (1, 0));
        assert_eq!(arena.classes[0].slots, arena.chunks[0].capacity);
    }

    #[test]
    fn the_top_of_a_large_stack_shares_a_page_table_with_the_next_guard() {
        let mut arena = StackArena::new();
        let mut last = arena.map(8 * MIB, 0).unwrap();
        for _ in 1..FIRST_SLOTS {
            let start = arena.map(8 * MIB, 0).unwrap();
            assert_eq!(start, last + 8 * MIB);
            assert_eq!((start - PAGE) / TABLE_REACH, start / TABLE_REACH);
            last = start;
        }
    }

    #[test]
    fn without_markers_guards_stop_before_mappings_run_out() {
        let mut arena = StackArena { protections_left: 10, ..without_markers() };
        let stacks: Vec<usize> = (0..15).map(|_| map_stack(&mut arena, 64 * KIB, PAGE)).collect();
        assert_eq!(arena.unguarded(), 5);
        assert_guarded(stacks[9], 64 * KIB, PAGE);
        assert_guarded(stacks[10], 64 * KIB, 0);
        assert!(mappings(&arena) <= 22);
        for start in stacks {
            arena.unmap(start, 64 * KIB).unwrap().unwrap();
        }
        arena.flush();
        // Guards stay for the next user, who needs no further protection.
        assert_eq!(arena.protections_left, 0);
        arena.drop_chunk(0, 0);
        assert_eq!(arena.protections_left, 10);
    }

    #[test]
    fn a_limit_on_address_space_ends_in_enomem_close_to_the_limit() {
        if part_of_child().is_some() {
            const LIMIT: u64 = 1 << 30;
            let limit = [LIMIT, LIMIT];
            let arguments = [0, RLIMIT_AS as usize, limit.as_ptr() as usize, 0, 0, 0];
            // SAFETY: `limit` holds the soft and the hard limit.
            raw::check(unsafe { raw::call(Sysno::prlimit64 as u32, arguments) }).unwrap();
            let status = std::fs::read_to_string("/proc/self/statm").unwrap();
            let before: usize = status.split(' ').next().unwrap().parse().unwrap();
            let possible = (LIMIT as usize - before * PAGE) / MIB;
            let mut arena = StackArena::new();
            let (mut count, mut frugal) = (0, true);
            let errno = loop {
                match arena.map(MIB, 0) {
                    Ok(_) => {
                        count += 1;
                        // What is set aside for later stacks could be missed by the program.
                        frugal &= arena.classes[0].slots <= count + count / 8;
                    }
                    Err(errno) => break errno,
                }
            };
            let last = arena.chunks[0].base;
            let given_back = arena.unmap(last, MIB) == Some(Ok(())) && arena.map(MIB, 0).is_ok();
            let good = errno == Errno::ENOMEM && frugal && count <= possible && count + 4 >= possible && given_back;
            std::process::exit(if good { 7 } else { 8 });
        }
        assert_eq!(run_in_child("limited").code(), Some(7));
    }
}
