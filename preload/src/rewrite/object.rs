//! Loaded ELF objects, as their program headers in memory describe them: where their code is, what
//! they are called, and which of them grivet has no business with.

use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem;
use core::ops::Range;
use core::slice;

use grivet_sites::{Image, Segment, is_go};
use linux_raw_sys::elf::{DT_NULL, DT_STRTAB, Elf_Dyn, Elf_Phdr, PF_R, PF_W, PF_X, PT_DYNAMIC, PT_LOAD};

use crate::symbols;

const PT_NOTE: u32 = 4;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const DT_SONAME: usize = 14;
const VDSO: &[u8] = b"linux-vdso.";

/// dl_iterate_phdr(3).
pub type DlIteratePhdr = unsafe extern "C" fn(callback: PhdrCallback, data: *mut c_void) -> c_int;
type PhdrCallback = unsafe extern "C" fn(info: *mut DlPhdrInfo, size: usize, data: *mut c_void) -> c_int;

/// The part of `struct dl_phdr_info` that every C library fills in.
#[repr(C)]
pub struct DlPhdrInfo {
    bias: usize,
    name: *const c_char,
    headers: *const Elf_Phdr,
    count: u16,
}

/// An object in memory that is to be searched for system calls.
pub struct Object {
    segments: Vec<Segment<'static>>,
    /// Those of `segments` that are executable.
    text: Vec<Segment<'static>>,
    eh_frame_hdr: Option<u64>,
    span: Range<usize>,
    c_library: bool,
    is_vdso: bool,
}

/// A loaded object as the dynamic linker describes it.
#[derive(Clone, Copy)]
pub struct Loaded {
    /// Its path; empty for the program itself.
    pub name: &'static [u8],
    pub bias: usize,
    pub headers: &'static [Elf_Phdr],
}

impl Loaded {
    /// The object's code and tables. `None` as for `Object::new`.
    pub fn object(&self) -> Option<Object> {
        // SAFETY: the dynamic linker vouches that what the headers describe is mapped.
        unsafe { Object::new(self.bias, self.headers) }
    }
}

/// All objects loaded now, the program first. Without a dynamic linker that can be asked there are none.
pub fn all_loaded() -> Vec<Loaded> {
    unsafe extern "C" fn collect(info: *mut DlPhdrInfo, _size: usize, found: *mut c_void) -> c_int {
        // SAFETY: the dynamic linker passes a valid record, and hands on `found` as `all_loaded` passed
        // it. It holds its lock, so nothing more is done here.
        let (info, found) = unsafe { (&*info, &mut *found.cast::<Vec<Loaded>>()) };
        if !info.headers.is_null() {
            // SAFETY: the headers are `count` records, and the name a string, in the object's memory, which is not
            // unloaded while it is searched.
            let (headers, name) = unsafe {
                let name = if info.name.is_null() { &[] } else { CStr::from_ptr(info.name).to_bytes() };
                (slice::from_raw_parts(info.headers, usize::from(info.count)), name)
            };
            found.push(Loaded { name, bias: info.bias, headers });
        }
        0
    }

    let mut found: Vec<Loaded> = Vec::new();
    if let Some(iterate) = symbols::dl_iterate_phdr() {
        // SAFETY: `collect` has the signature asked for, and `found` outlives the call.
        unsafe { iterate(collect, (&raw mut found).cast()) };
    }
    found
}

/// The objects loaded now that are to be searched.
pub fn loaded() -> Vec<Object> {
    all_loaded().iter().filter_map(Loaded::object).collect()
}

/// The vDSO, which the kernel maps into every process.
pub fn vdso() -> Option<Object> {
    let found = all_loaded().into_iter().find(|loaded| loaded.name.starts_with(VDSO))?;
    // SAFETY: the kernel vouches that what the headers describe is mapped.
    unsafe { Object::any(found.bias, found.headers) }
}

/// Whether any loaded object is Go code: the program itself, or a library made with cgo.
pub fn has_go() -> bool {
    // SAFETY: the dynamic linker vouches that what the headers describe is mapped.
    all_loaded().iter().any(|loaded| unsafe { is_go_code(loaded.bias, loaded.headers) })
}

/// Whether the object with these program headers, loaded `bias` above its link-time addresses, is Go code.
///
/// # Safety
/// The segments that the headers describe are mapped.
pub unsafe fn is_go_code(bias: usize, headers: &[Elf_Phdr]) -> bool {
    let is_loaded = |note: &Elf_Phdr| {
        headers.iter().any(|load| {
            let offset = note.p_vaddr.checked_sub(load.p_vaddr);
            load.p_type == PT_LOAD
                && load.p_flags & PF_R != 0
                && offset.and_then(|offset| offset.checked_add(note.p_filesz)).is_some_and(|end| end <= load.p_filesz)
        })
    };
    headers.iter().filter(|header| header.p_type == PT_NOTE && is_loaded(header)).any(|header| {
        // SAFETY: it lies in a readable segment, which is mapped by the caller's word.
        is_go(unsafe { slice::from_raw_parts(bias.wrapping_add(header.p_vaddr) as *const u8, header.p_filesz) })
    })
}

/// The addresses of this library's own code and data.
pub fn own_span() -> Range<usize> {
    unsafe extern "C" fn look(info: *mut DlPhdrInfo, _size: usize, found: *mut c_void) -> c_int {
        // SAFETY: the dynamic linker passes a valid record; `found` is the range of the caller below.
        unsafe {
            let headers = slice::from_raw_parts((*info).headers, usize::from((*info).count));
            let loads = || headers.iter().filter(|header| header.p_type == PT_LOAD);
            let start = |header: &Elf_Phdr| (*info).bias.wrapping_add(header.p_vaddr);
            let (low, high) = (loads().map(start).min(), loads().map(|header| start(header) + header.p_memsz).max());
            if let (Some(low), Some(high)) = (low, high)
                && (low..high).contains(&(own_span as *const () as usize))
            {
                *found.cast::<Range<usize>>() = low..high;
                return 1;
            }
        }
        0
    }
    let mut found = 0..0;
    if let Some(iterate) = symbols::dl_iterate_phdr() {
        // SAFETY: `look` has the signature asked for, and `found` outlives the call.
        unsafe { iterate(look, (&raw mut found).cast()) };
    }
    found
}

impl Object {
    /// The object with these program headers, loaded `bias` above its link-time addresses. `None`
    /// if it is to be left alone: the vDSO (see `vdso`), grivet, Go code (Go schedules for itself), and
    /// what has no plain text.
    ///
    /// # Safety
    /// The segments that the headers describe are mapped and stay so while the object is used.
    pub unsafe fn new(bias: usize, headers: &[Elf_Phdr]) -> Option<Self> {
        // SAFETY: as the caller vouches.
        unsafe { Self::any(bias, headers) }.filter(|object| !object.is_vdso)
    }

    /// The same, the vDSO included.
    ///
    /// # Safety
    /// As for `new`.
    pub unsafe fn any(bias: usize, headers: &[Elf_Phdr]) -> Option<Self> {
        let loads = || headers.iter().filter(|header| header.p_type == PT_LOAD);
        let at = |header: &Elf_Phdr| bias.wrapping_add(header.p_vaddr);
        let segment = |header: &Elf_Phdr| Segment {
            address: at(header) as u64,
            // SAFETY: the segment is mapped; it is not writable, so its bytes keep still while they
            // are borrowed.
            bytes: unsafe { slice::from_raw_parts(at(header) as *const u8, header.p_filesz) },
        };
        let is_constant =
            |header: &&Elf_Phdr| header.p_flags & PF_R != 0 && header.p_flags & PF_W == 0 && header.p_filesz > 0;
        let segments: Vec<_> = loads().filter(is_constant).map(segment).collect();
        let text: Vec<_> =
            loads().filter(is_constant).filter(|header| header.p_flags & PF_X != 0).map(segment).collect();
        let span = loads().map(at).min()?..loads().map(|header| at(header) + header.p_memsz).max()?;

        let bytes_at = |address: usize| {
            let holder = segments.iter().find(|segment| holds(segment, address))?;
            holder.bytes.get(address - holder.address as usize..)
        };
        // SAFETY: as the caller vouches.
        let go = unsafe { is_go_code(bias, headers) };
        let own = span.contains(&(Object::new as *const () as usize));
        let dynamic = headers.iter().find(|header| header.p_type == PT_DYNAMIC);
        // SAFETY: the dynamic section lies in a mapped segment; its alignment is that of its
        // entries.
        let dynamic = dynamic.map(|header| unsafe {
            slice::from_raw_parts(at(header) as *const Elf_Dyn, header.p_filesz / mem::size_of::<Elf_Dyn>())
        });
        let name = dynamic.and_then(|entries| soname(entries, bias, &span, bytes_at)).unwrap_or_default();
        if text.is_empty() || go || own {
            return None;
        }
        let is_vdso = name.starts_with(VDSO);
        let c_library = [&b"libc.so"[..], b"libc-", b"ld-linux", b"libpthread", b"libgcc_s"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        let eh_frame_hdr =
            headers.iter().find(|header| header.p_type == PT_GNU_EH_FRAME).map(|header| at(header) as u64);
        Some(Object { text, eh_frame_hdr, span, c_library: c_library || is_vdso, is_vdso, segments })
    }

    pub fn image(&self) -> Image<'_> {
        Image { text: &self.text, data: &self.segments, eh_frame_hdr: self.eh_frame_hdr }
    }

    /// Executable segments.
    pub fn text(&self) -> impl Iterator<Item = Segment<'static>> {
        self.text.iter().copied()
    }

    /// All addresses of the object, gaps included.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Whether the object is one of the C library's own, whose code keeps nothing in the wide
    /// vector registers across a system call.
    pub fn is_c_library(&self) -> bool {
        self.c_library
    }
}

fn holds(segment: &Segment<'_>, address: usize) -> bool {
    (address as u64).checked_sub(segment.address).is_some_and(|offset| offset < segment.bytes.len() as u64)
}

/// The object's own name (DT_SONAME), without its terminator. glibc relocates the address of the
/// string table in place, other linkers do not.
fn soname<'a>(
    entries: &[Elf_Dyn],
    bias: usize,
    span: &Range<usize>,
    bytes_at: impl Fn(usize) -> Option<&'a [u8]>,
) -> Option<&'a [u8]> {
    let entries = entries.iter().take_while(|entry| entry.d_tag != DT_NULL);
    // SAFETY: both variants of the union are plain words of the same size.
    let value = |tag| entries.clone().find(|entry| entry.d_tag == tag).map(|entry| unsafe { entry.d_un.d_ptr });
    let strings = value(DT_STRTAB)?;
    let strings = if span.contains(&strings) { strings } else { strings.wrapping_add(bias) };
    bytes_at(strings.wrapping_add(value(DT_SONAME)?))?.split(|&byte| byte == 0).next()
}
