//! Another process's memory and files, as `grivet-inspect` wants them: read with process_vm_readv(2), or through
//! /proc/PID/mem where that is forbidden; files as the process sees them, deleted ones included.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::IoSliceMut;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use grivet_inspect::maps::{DELETED, Mapping};
use grivet_inspect::memory::{Files, Mapped, Memory, Part};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use crate::{debug_file, elf};

/// Parts read by one system call (IOV_MAX, limits.h).
const PARTS_AT_ONCE: usize = 1024;

/// The memory of a process.
pub struct RemoteMemory {
    pid: Pid,
    /// /proc/PID/mem, if it may be opened.
    file: Option<File>,
}

impl RemoteMemory {
    pub fn new(pid: Pid) -> Self {
        RemoteMemory { pid, file: File::open(format!("/proc/{pid}/mem")).ok() }
    }

    fn read_file(&self, address: u64, into: &mut [u8]) -> bool {
        self.file.as_ref().is_some_and(|file| file.read_exact_at(into, address).is_ok())
    }
}

impl Memory for RemoteMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let length = into.len();
        let remote = [RemoteIoVec { base: address as usize, len: length }];
        match process_vm_readv(self.pid, &mut [IoSliceMut::new(into)], &remote) {
            Ok(read) => read == length,
            Err(nix::Error::EPERM | nix::Error::ENOSYS) => self.read_file(address, into),
            Err(_) => false,
        }
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        let mut rest = parts;
        while !rest.is_empty() {
            let count = rest.len().min(PARTS_AT_ONCE);
            let some = &mut rest[..count];
            let remote: Vec<RemoteIoVec> =
                some.iter().map(|part| RemoteIoVec { base: part.address as usize, len: part.into.len() }).collect();
            let mut local: Vec<IoSliceMut<'_>> = some.iter_mut().map(|part| IoSliceMut::new(part.into)).collect();
            let mut left = process_vm_readv(self.pid, &mut local, &remote).unwrap_or(0);
            // The parts are read one after the other up to the first that cannot be.
            let mut done = 0;
            while done < count && left >= some[done].into.len() {
                left -= some[done].into.len();
                some[done].is_read = true;
                done += 1;
            }
            if done < count {
                some[done].is_read = self.read(some[done].address, some[done].into);
                done += 1;
            }
            rest = &mut rest[done..];
        }
    }
}

/// The files of a process.
pub struct RemoteFiles {
    pid: Pid,
    /// What its descriptors are, as far as they were asked for: many threads may wait for one.
    descriptors: RefCell<HashMap<u32, Option<Vec<u8>>>>,
}

impl RemoteFiles {
    pub fn new(pid: Pid) -> Self {
        RemoteFiles { pid, descriptors: RefCell::default() }
    }

    /// What descriptors are may have changed since.
    pub fn forget_descriptors(&self) {
        self.descriptors.borrow_mut().clear();
    }

    /// Where the process's own root directory has `path`.
    fn in_its_root(&self, path: &[u8]) -> PathBuf {
        let relative = path.strip_prefix(b"/").unwrap_or(path);
        Path::new(&format!("/proc/{}/root", self.pid)).join(OsStr::from_bytes(relative))
    }
}

impl Files for RemoteFiles {
    fn open(&self, mapping: &Mapping<'_>) -> Option<Mapped> {
        let path = self.in_its_root(mapping.path);
        let is_same = fs::metadata(&path).is_ok_and(|found| found.ino() == mapping.inode);
        let itself = PathBuf::from(format!("/proc/{}/map_files/{:x}-{:x}", self.pid, mapping.start, mapping.end));
        let program = PathBuf::from(format!("/proc/{}/exe", self.pid));
        let is_program = fs::metadata(&program).is_ok_and(|found| found.ino() == mapping.inode);
        // Some file systems show other numbers in maps than to stat(2): then its path is the next best.
        let by_name = !mapping.path.ends_with(DELETED);
        let candidates =
            [is_same.then_some(&path), Some(&itself), is_program.then_some(&program), by_name.then_some(&path)];
        let file = candidates.into_iter().flatten().find_map(|path| elf::map(path).ok())?;
        Some(Box::new(file))
    }

    fn debug_file(&self, path: &[u8], object: &[u8]) -> Option<Mapped> {
        let file = debug_file::find_of(Path::new(OsStr::from_bytes(path)), object)?;
        Some(Box::new(file))
    }

    fn descriptor(&self, descriptor: u32) -> Option<Vec<u8>> {
        let look = || {
            let link = fs::read_link(format!("/proc/{}/fd/{descriptor}", self.pid)).ok()?;
            Some(link.as_os_str().as_bytes().to_vec())
        };
        self.descriptors.borrow_mut().entry(descriptor).or_insert_with(look).clone()
    }
}
