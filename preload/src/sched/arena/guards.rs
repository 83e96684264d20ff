//! Guards and protections: mprotect(2) on one slot. As long as inaccessible low pages and an accessible rest describe a
//! slot, its guard is a marker (or, on older kernels, a real protection that is counted); any other wish makes the slot
//! **irregular**: its protections are the program's own until it is mapped anew.

use super::{PAGE, READ_WRITE, StackArena};
use crate::raw::{self, Errno};
use linux_raw_sys::general::{MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, PROT_NONE, PROT_WRITE};

/// How many guards may be made by real protection. Each costs two mappings, of which a process may have 65,530.
pub(super) const PROTECTED_GUARDS: usize = 30_000;

impl StackArena {
    /// mprotect of [low, high), a part of one slot.
    pub(super) fn protect_slot(
        &mut self,
        index: usize,
        slot: usize,
        low: usize,
        high: usize,
        prot: u32,
    ) -> Result<(), Errno> {
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
    pub(super) fn make_irregular(&mut self, index: usize, slot: usize) -> Result<(), Errno> {
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
}
