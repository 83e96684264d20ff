//! Objects that arrive after activation, by `dlopen`.
//!
//! There is no hook in `dlopen`. The dynamic linker's own `mmap` calls pass through the gate, and
//! they are enough to see an object come: a private file mapping at offset 0 that begins with an
//! ELF header, then one for each further loadable segment, the last of which completes it. At that
//! moment the linker has not run the object's code yet, nor relocated it; text that needs no
//! relocation, as all x86-64 compilers write it, is final.
//!
//! `dl_iterate_phdr` must not be called here: the thread in the linker holds its lock.

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::hint;
use core::ops::Range;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};

use linux_raw_sys::elf::{ELFCLASS, ELFMAG, EM_CURRENT, ET_DYN, Elf_Ehdr, Elf_Phdr, PF_X, PT_LOAD};
use linux_raw_sys::general::{MAP_ANONYMOUS, MAP_DENYWRITE, MAP_PRIVATE, PROT_EXEC, PROT_READ};

use super::object::{Object, is_go_code};
use super::patch::{self, PatchedText};
use super::stubs::Region;
use super::{Refused, Rewriting, Summary, answered};

const PAGE: usize = 4096;

/// Program headers are looked at up to this many; a bit of a word stands for each.
const HEADERS: usize = 64;

/// Programs map ELF files to read them, too. Of files that were begun and not completed this many
/// are remembered.
const INCOMPLETE: usize = 8;

/// An object that has come, or is coming.
struct Arrival {
    /// From the first byte of the file to the end of its first mapping, which spans all segments.
    span: Range<usize>,
    bias: usize,
    /// Bit n stands for program header n: a segment not yet mapped.
    missing: u64,
    /// The stubs, once the object is rewritten. Dropped, and thus unmapped, when the object goes.
    stubs: Option<Region>,
}

/// Why an object that has come keeps its own system calls.
pub enum Kept {
    Refused(Refused),
    /// It is Go code, whose run-time makes threads by pthread_create that wait in system calls of its own.
    Go,
}

/// To be called after mmap(2) succeeded: `address` is what it returned, the rest are its arguments.
/// Rewrites an object that this mapping completes. Returns what was done, or `None` if nothing was.
pub fn mapped(
    address: usize,
    length: usize,
    protection: u32,
    flags: u32,
    fd: i32,
    offset: usize,
) -> Option<Result<Summary, Kept>> {
    // The dynamic linker's mark: it keeps the files that programs map for themselves, which may be empty, from being read here.
    const LINKERS: u32 = MAP_PRIVATE | MAP_DENYWRITE;
    if fd < 0 || flags & MAP_ANONYMOUS != 0 || flags & LINKERS != LINKERS {
        return None;
    }
    let mut arrivals = ARRIVALS.lock();
    let arrivals = arrivals.list();
    if offset == 0
        && protection & PROT_READ != 0
        // SAFETY: the range was just mapped readable.
        && let Some(arrival) = unsafe { Arrival::begin(address, length) }
    {
        forget(arrivals, address, length);
        if arrivals.iter().filter(|arrival| arrival.stubs.is_none()).count() >= INCOMPLETE
            && let Some(oldest) = arrivals.iter().position(|arrival| arrival.stubs.is_none())
        {
            arrivals.remove(oldest);
        }
        arrivals.push(arrival);
    }
    let index = arrivals.iter().position(|arrival| arrival.missing != 0 && arrival.span.contains(&address))?;
    // SAFETY: the header was checked when the arrival began, and its mapping has not been unmapped
    // since.
    if !unsafe { arrivals[index].complete_by(address, protection) } {
        return None;
    }
    // SAFETY: the headers were checked when the arrival began, and all segments are mapped.
    if unsafe { is_go_code(arrivals[index].bias, headers_at(arrivals[index].span.start)) } {
        arrivals.remove(index);
        return Some(Err(Kept::Go));
    }
    // SAFETY: all segments are mapped.
    match unsafe { rewrite(&arrivals[index]) } {
        Ok(Some((mut stubs, summary))) => {
            stubs.enlist();
            arrivals[index].stubs = Some(stubs);
            Some(Ok(summary))
        }
        Ok(None) => {
            arrivals.remove(index);
            None
        }
        Err(refused) => {
            arrivals.remove(index);
            Some(Err(Kept::Refused(refused)))
        }
    }
}

/// To be called after munmap(2) succeeded.
pub fn unmapped(address: usize, length: usize) {
    forget(ARRIVALS.lock().list(), address, length);
}

fn forget(arrivals: &mut Vec<Arrival>, address: usize, length: usize) {
    arrivals.retain(|arrival| !(address..address.saturating_add(length)).contains(&arrival.span.start));
}

/// # Safety
/// All segments of the object are mapped.
unsafe fn rewrite(arrival: &Arrival) -> Result<Option<(Region, Summary)>, Refused> {
    // SAFETY: the headers were checked when the arrival began.
    let headers = unsafe { headers_at(arrival.span.start) };
    // SAFETY: as the caller vouches.
    let Some(object) = (unsafe { Object::new(arrival.bias, headers) }) else {
        return Ok(None);
    };
    let mut summary = Summary::default();
    let Some(mut rewriting) = Rewriting::prepare(&object, &answered, &mut summary)? else {
        return Ok(None);
    };
    let mut texts: Vec<&mut PatchedText> = rewriting.texts.iter_mut().collect();
    patch::apply(&mut texts)?;
    Ok(Some((rewriting.stubs, summary)))
}

impl Arrival {
    /// The object whose file begins at `address`, if it is one.
    ///
    /// # Safety
    /// `length` bytes at `address` are mapped and readable.
    unsafe fn begin(address: usize, length: usize) -> Option<Self> {
        if length < PAGE {
            return None;
        }
        // SAFETY: the first page is readable, by the caller's word, and page aligned.
        let header = unsafe { &*(address as *const Elf_Ehdr) };
        let headers_end = header.e_phoff.checked_add(usize::from(header.e_phnum) * size_of::<Elf_Phdr>())?;
        let shared_object = header.e_ident[..4] == ELFMAG
            && header.e_ident[4] == ELFCLASS
            && header.e_machine == EM_CURRENT
            && header.e_type == ET_DYN
            && usize::from(header.e_phentsize) == size_of::<Elf_Phdr>()
            && header.e_phoff % align_of::<Elf_Phdr>() == 0
            && usize::from(header.e_phnum) <= HEADERS
            && headers_end <= PAGE;
        if !shared_object {
            return None;
        }
        // SAFETY: just checked: the headers lie in the first page.
        let headers = unsafe { headers_at(address) };
        let loads = || headers.iter().enumerate().filter(|(_, header)| header.p_type == PT_LOAD);
        let (_, first) = loads().next()?;
        let missing = loads().fold(0, |missing, (index, _)| missing | 1 << index);
        // The first segment is the one with the file's beginning; anything else is not how a linker
        // maps.
        (first.p_offset == 0).then(|| Arrival {
            span: address..address + length,
            bias: address.wrapping_sub(first.p_vaddr),
            missing,
            stubs: None,
        })
    }

    /// Notes that a segment was mapped at `address`; whether all are now.
    ///
    /// # Safety
    /// The object's first mapping is still there.
    unsafe fn complete_by(&mut self, address: usize, protection: u32) -> bool {
        // SAFETY: the headers were checked when the arrival began.
        for (index, header) in unsafe { headers_at(self.span.start) }.iter().enumerate() {
            let executable = header.p_flags & PF_X != 0;
            if header.p_type == PT_LOAD
                && self.bias.wrapping_add(header.p_vaddr) & !(PAGE - 1) == address
                && executable == (protection & PROT_EXEC != 0)
            {
                self.missing &= !(1 << index);
            }
        }
        self.missing == 0
    }
}

/// # Safety
/// At `address` begins an ELF file whose program headers `Arrival::begin` has checked, and which
/// stays mapped.
unsafe fn headers_at(address: usize) -> &'static [Elf_Phdr] {
    // SAFETY: as the caller vouches: the headers are in the mapped first page, and aligned.
    unsafe {
        let header = &*(address as *const Elf_Ehdr);
        slice::from_raw_parts((address + header.e_phoff) as *const Elf_Phdr, usize::from(header.e_phnum))
    }
}

static ARRIVALS: Arrivals = Arrivals { busy: AtomicBool::new(false), list: UnsafeCell::new(Vec::new()) };

/// What has arrived. The worker does not yield while it holds this; contention can only come from a
/// kernel thread that is not grivet's.
struct Arrivals {
    busy: AtomicBool,
    list: UnsafeCell<Vec<Arrival>>,
}

// SAFETY: `list` is reached only through a `Held`, of which `busy` lets one exist at a time.
unsafe impl Sync for Arrivals {}

struct Held<'a>(&'a Arrivals);

impl Arrivals {
    fn lock(&self) -> Held<'_> {
        while self.busy.swap(true, Ordering::Acquire) {
            hint::spin_loop();
        }
        Held(self)
    }
}

impl Held<'_> {
    fn list(&mut self) -> &mut Vec<Arrival> {
        // SAFETY: this is the one `Held`, and it is borrowed for as long as the list is.
        unsafe { &mut *self.0.list.get() }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}
