//! A file mapped for reading, by raw system calls.

use crate::raw;
use alloc::vec::Vec;
use core::ops::Deref;
use linux_raw_sys::general::{AT_FDCWD, MAP_PRIVATE, O_CLOEXEC, O_RDONLY, PROT_READ};
use syscalls::Sysno;

/// The bytes of a file as long as this lives.
pub struct MappedFile {
    start: usize,
    length: usize,
    /// Which file it is: its number on its file system.
    pub inode: u64,
}

impl MappedFile {
    /// Maps the file at `path`. None if it cannot be read.
    pub fn open(path: &[u8]) -> Option<MappedFile> {
        let mut terminated: Vec<u8> = path.to_vec();
        terminated.push(0);
        let flags = (O_RDONLY | O_CLOEXEC) as usize;
        // SAFETY: the path is a C string; fstat writes 144 bytes; the mapping is new.
        unsafe {
            let arguments = [AT_FDCWD as isize as usize, terminated.as_ptr() as usize, flags, 0, 0, 0];
            let fd = raw::check(raw::call(Sysno::openat as u32, arguments)).ok()?;
            let mut stat = [0u64; 18];
            let known = raw::call(Sysno::fstat as u32, [fd, stat.as_mut_ptr() as usize, 0, 0, 0, 0]);
            let (inode, length) = (stat[1], stat[6] as usize);
            let mapped = (known == 0 && length > 0).then(|| raw::mmap(0, length, PROT_READ, MAP_PRIVATE, fd as i32, 0));
            raw::call(Sysno::close as u32, [fd, 0, 0, 0, 0, 0]);
            mapped?.ok().map(|start| MappedFile { start, length, inode })
        }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: mapped readable until this value is dropped. A file that shrinks meanwhile is not grivet's to prevent.
        unsafe { core::slice::from_raw_parts(self.start as *const u8, self.length) }
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: the bytes are borrowed from this value only.
        let _ = unsafe { raw::munmap(self.start, self.length) };
    }
}
