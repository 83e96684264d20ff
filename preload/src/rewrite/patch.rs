//! Writing the jumps. Text is writable and not executable meanwhile, so nothing of the objects
//! concerned may run: all signals are blocked, and only this library's own code and raw system
//! calls are used.

use alloc::vec::Vec;
use core::mem;
use core::slice;

use grivet_sites::{Segment, Window};
use linux_raw_sys::general::{MAP_PRIVATE, O_CLOEXEC, O_RDONLY, PROT_EXEC, PROT_READ, PROT_WRITE};

use super::Refused;
use crate::raw::{self, Sysno};

const PAGE: usize = 4096;
const WRITABLE: u32 = PROT_READ | PROT_WRITE;
const EXECUTABLE: u32 = PROT_READ | PROT_EXEC;

/// Bytes to be written at an address; once written, the bytes that stood there.
pub struct Patch {
    pub address: usize,
    pub bytes: Vec<u8>,
}

/// An executable segment and what is to be written to it.
pub struct PatchedText {
    start: usize,
    length: usize,
    pub patches: Vec<Patch>,
}

impl PatchedText {
    pub fn new(segment: Segment<'static>) -> Self {
        PatchedText { start: segment.address as usize, length: segment.bytes.len(), patches: Vec::new() }
    }

    pub fn contains(&self, window: &Window) -> bool {
        self.holds(window.start as usize, (window.end - window.start) as usize)
    }

    /// Whether `length` bytes at `address` are in this text.
    pub fn holds(&self, address: usize, length: usize) -> bool {
        self.start <= address && address + length <= self.start + self.length
    }

    /// The bytes in `window`, which lies in this text, as they are now.
    pub fn code(&self, window: &Window) -> &[u8] {
        debug_assert!(self.contains(window));
        // SAFETY: the window lies in this text, which is mapped and which nothing writes to before
        // `apply` does.
        unsafe { slice::from_raw_parts(window.start as *const u8, (window.end - window.start) as usize) }
    }

    fn protect(&self, protection: u32) -> Result<(), raw::Errno> {
        let first = self.start & !(PAGE - 1);
        // SAFETY: the range is this segment's pages; the caller lets nothing of it run while it is
        // not executable.
        unsafe { raw::mprotect(first, self.start + self.length - first, protection) }
    }

    /// Exchanges the bytes in text and in the patches: once to patch, once more to undo.
    fn exchange(&mut self) {
        for Patch { address, bytes } in &mut self.patches {
            for (offset, byte) in bytes.iter_mut().enumerate() {
                // SAFETY: the patch lies in this text, which is writable now and which nothing else
                // uses.
                *byte = unsafe { mem::replace(&mut *((*address + offset) as *mut u8), *byte) };
            }
        }
    }
}

/// Writes all patches, or none.
pub fn apply(texts: &mut [&mut PatchedText]) -> Result<(), Refused> {
    let old = raw::set_signal_mask(u64::MAX);
    let done = apply_undisturbed(texts);
    raw::set_signal_mask(old);
    done
}

fn apply_undisturbed(texts: &mut [&mut PatchedText]) -> Result<(), Refused> {
    for index in 0..texts.len() {
        if let Err(errno) = texts[index].protect(WRITABLE) {
            // Nothing has been written, so the pages are as they were mapped, and the kernel has no
            // reason to refuse this.
            for text in &texts[..index] {
                let _ = text.protect(EXECUTABLE);
            }
            return Err(Refused { step: "making code writable", errno });
        }
    }
    texts.iter_mut().for_each(|text| text.exchange());
    let Err(errno) = texts.iter().try_for_each(|text| text.protect(EXECUTABLE)) else {
        return Ok(());
    };
    for text in texts {
        if text.protect(WRITABLE).is_ok() {
            text.exchange();
        }
        // `probe` has shown that the kernel allows it. If it does not after all, the process cannot
        // go on in any case.
        let _ = text.protect(EXECUTABLE);
    }
    Err(Refused { step: "making code executable again", errno })
}

/// Tries on a scratch mapping of the program's own file whether code that was written to may be
/// executed again. SELinux (`execmod`) and `PR_SET_MDWE` may forbid it, and then it is too late to
/// find out on libc's text.
pub fn probe() -> Result<(), Refused> {
    let open = [
        linux_raw_sys::general::AT_FDCWD as usize,
        c"/proc/self/exe".as_ptr() as usize,
        (O_RDONLY | O_CLOEXEC) as usize,
        0,
        0,
        0,
    ];
    // SAFETY: the path is a terminated string.
    let Ok(fd) = raw::check(unsafe { raw::call(Sysno::openat as u32, open) }) else {
        // Not to be read, as an execute-only file is: nothing can be learnt.
        return Ok(());
    };
    // SAFETY: the kernel picks the address.
    let mapped = unsafe { raw::mmap(0, PAGE, WRITABLE, MAP_PRIVATE, fd as i32, 0) };
    // SAFETY: the descriptor is this function's own.
    unsafe { raw::call(Sysno::close as u32, [fd, 0, 0, 0, 0, 0]) };
    let tried = mapped.and_then(|address| {
        // SAFETY: a fresh private mapping of the first page of a file that is not empty; it is used
        // here only. Writing volatile makes the copy.
        unsafe {
            let first = address as *mut u8;
            first.write_volatile(first.read_volatile());
            let tried = raw::mprotect(address, PAGE, EXECUTABLE);
            raw::munmap(address, PAGE)?;
            tried
        }
    });
    tried.map_err(|errno| Refused { step: "making changed code executable", errno })
}
