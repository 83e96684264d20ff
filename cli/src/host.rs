//! Whether this host lets a process change its own code, which rewriting needs.
//!
//! Does to one page what the library does to a program's text: maps it from a file, makes it writable, changes it and
//! makes it executable again, never both at once. SELinux (execmod), systemd's MemoryDenyWriteExecute= and PR_SET_MDWE refuse the
//! last or the first step; programs inherit such limits from the process that starts them, so a try here tells.

use std::fs::File;
use std::num::NonZeroUsize;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mprotect, munmap};

const PAGE: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// `Err` with the reason if changed code cannot be executed here.
pub fn allows_rewriting() -> Result<(), String> {
    let file = File::open("/proc/self/exe")
        .map_err(|error| format!("/proc is not mounted ({error}), so this cannot be tried"))?;
    try_rewriting(&file).map_err(|error| {
        format!(
            "changed code cannot be made executable ({}): SELinux or MemoryDenyWriteExecute= forbids it; \
             allow it for this program",
            error.desc()
        )
    })
}

fn try_rewriting(file: &File) -> Result<(), Errno> {
    let code = ProtFlags::PROT_READ | ProtFlags::PROT_EXEC;
    let data = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new private mapping at an address that the kernel chooses touches no other memory.
    let page = unsafe { mmap(None, PAGE, code, MapFlags::MAP_PRIVATE, file, 0) }?;
    // SAFETY: `page` is the mapping made above, one page long, which nothing else refers to; it is written only
    // after the first mprotect made it writable, and this command's own file is longer than one byte.
    unsafe {
        let outcome = mprotect(page, PAGE.get(), data).and_then(|()| {
            page.cast::<u8>().write_volatile(0xcc);
            mprotect(page, PAGE.get(), code)
        });
        munmap(page, PAGE.get())?;
        outcome
    }
}
