//! The kernel's own files in /proc, as grivet reads them for itself.

use crate::raw;
use crate::report::fixed_text::FixedText;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::fmt::{self, Write};
use linux_raw_sys::general::{AT_FDCWD, O_CLOEXEC};
use syscalls::{Errno, Sysno};

/// The longest path that is made here, with its end.
const PATH: usize = 64;

/// The whole file at `path`; what there is no memory for is left out.
pub fn read(path: &CStr) -> Result<Vec<u8>, Errno> {
    const STEP: usize = 4096;
    let flags = O_CLOEXEC as usize;
    // SAFETY: a C string.
    let fd = raw::check(unsafe {
        raw::call(Sysno::openat as u32, [AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0, 0])
    })?;
    let mut text = Vec::new();
    loop {
        let length = text.len();
        if text.try_reserve(STEP).is_err() {
            break;
        }
        text.resize(length + STEP, 0);
        let arguments = [fd, text[length..].as_mut_ptr() as usize, STEP, 0, 0, 0];
        // SAFETY: writes to the part that was just added.
        let got = unsafe { raw::call(Sysno::read as u32, arguments) };
        text.truncate(length + got.max(0) as usize);
        if got <= 0 {
            break;
        }
    }
    // SAFETY: opened above.
    unsafe { raw::call(Sysno::close as u32, [fd, 0, 0, 0, 0, 0]) };
    Ok(text)
}

/// The same, of a path as `format_args!` makes it.
pub fn read_at(path: fmt::Arguments<'_>) -> Result<Vec<u8>, Errno> {
    let mut made = FixedText::<PATH>::new();
    made.write_fmt(path).and_then(|()| made.write_str("\0")).map_err(|_| Errno::ENAMETOOLONG)?;
    CStr::from_bytes_until_nul(made.bytes()).map_err(|_| Errno::EINVAL).and_then(read)
}
