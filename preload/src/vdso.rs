//! The vDSO: code that the kernel maps into every process. Read without the dynamic linker, whose list is behind a lock of
//! the C library's.

use core::ops::Range;
use core::slice;

use linux_raw_sys::elf::{Elf_Phdr, PT_LOAD};

/// The program headers of the ELF image at `base`, and how far above its link-time addresses it is loaded.
///
/// # Safety
/// A complete x86-64 ELF image is mapped at `base`, for good.
pub unsafe fn program_headers(base: usize) -> (usize, &'static [Elf_Phdr]) {
    // SAFETY: the offset and the number of headers come from the image itself, which the caller vouches for.
    let headers = unsafe {
        let offset = ((base + 32) as *const u64).read_unaligned() as usize;
        let count = ((base + 56) as *const u16).read_unaligned();
        slice::from_raw_parts((base + offset) as *const Elf_Phdr, usize::from(count))
    };
    let first = headers.iter().find(|header| header.p_type == PT_LOAD);
    (first.map_or(base, |load| base.wrapping_add(load.p_offset).wrapping_sub(load.p_vaddr)), headers)
}

/// Where the function lies that is dynamic symbol `name` of the ELF image at `base`.
///
/// # Safety
/// A complete x86-64 ELF image, section headers included, is mapped at `base`.
pub unsafe fn find_symbol(base: usize, name: &[u8]) -> Option<Range<usize>> {
    const SHT_DYNSYM: u32 = 11;
    const SECTION: usize = 64;
    const SYMBOL: usize = 24;
    // SAFETY: all offsets come from the image itself, which the caller vouches for.
    unsafe {
        let word = |offset: usize| ((base + offset) as *const u64).read_unaligned() as usize;
        let half = |offset: usize| ((base + offset) as *const u16).read_unaligned() as usize;
        let load_bias = program_headers(base).0;
        let (sections, count) = (word(40), half(60));
        for index in 0..count {
            let section = sections + index * SECTION;
            if ((base + section + 4) as *const u32).read_unaligned() != SHT_DYNSYM {
                continue;
            }
            let symbols = word(section + 24);
            let strings =
                word(sections + ((base + section + 40) as *const u32).read_unaligned() as usize * SECTION + 24);
            for symbol in (symbols..symbols + word(section + 32)).step_by(SYMBOL) {
                let start = base + strings + ((base + symbol) as *const u32).read_unaligned() as usize;
                let text = core::slice::from_raw_parts(start as *const u8, name.len() + 1);
                if text[..name.len()] == *name && text[name.len()] == 0 {
                    let address = load_bias.wrapping_add(word(symbol + 8));
                    return Some(address..address + word(symbol + 16));
                }
            }
        }
        None
    }
}
