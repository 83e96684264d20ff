//! Files that the process writes about itself: private to the user, never through a symbolic link, never over what
//! another process has written. Made by raw system calls; a file is open only while it is written.

use crate::raw;
use crate::report::fixed_text::FixedText;
use alloc::vec::Vec;
use grivet_timeline::Sink;
use linux_raw_sys::general::{AT_FDCWD, O_CLOEXEC, O_CREAT, O_EXCL, O_NOFOLLOW, O_TRUNC, O_WRONLY};
use syscalls::{Errno, Sysno};

/// Longest path that the kernel takes (PATH_MAX).
const LONGEST: usize = 4096;

/// Names that are tried, besides the one asked for.
const MOST_NAMES: u32 = 100;

/// Where a file goes: absolute, for the program may change its directory.
pub struct Path {
    /// As asked for.
    wanted: Vec<u8>,
    /// Where it goes, with a zero at its end.
    chosen: Vec<u8>,
    /// That file was made by this process.
    is_claimed: bool,
}

impl Path {
    /// Makes an empty file at `wanted`, so that errors are known at once. If there is one already it stays as it is, and
    /// this one gets the process's number in its name: another process of the same program may be about to write it.
    pub fn claim(wanted: &[u8], pid: i32) -> Result<Path, Errno> {
        let mut absolute = Vec::new();
        absolute.try_reserve(LONGEST + wanted.len()).map_err(|_| Errno::ENOMEM)?;
        if !wanted.starts_with(b"/") {
            let mut directory = [0u8; LONGEST];
            let arguments = [directory.as_mut_ptr() as usize, LONGEST, 0, 0, 0, 0];
            // SAFETY: the kernel writes at most as much as there is room for, and counts the zero at the end.
            let length = raw::check(unsafe { raw::call(Sysno::getcwd as u32, arguments) })?;
            absolute.extend_from_slice(&directory[..length.saturating_sub(1)]);
            absolute.push(b'/');
        }
        absolute.extend_from_slice(wanted);
        let mut path = Path { chosen: terminated(&absolute)?, wanted: absolute, is_claimed: true };
        let mut others = 0;
        loop {
            match open(&path.chosen, O_CREAT | O_EXCL) {
                Err(Errno::EEXIST) if others < MOST_NAMES => path.take_name_of(pid, others),
                other => {
                    close(other?);
                    path.is_claimed = true;
                    return Ok(path);
                }
            }
            others += 1;
        }
    }

    /// The file of process `pid`, which is not the one that claimed it: `trace.PID.json` for `trace.json`.
    pub fn be_child(&mut self, pid: i32) {
        self.take_name_of(pid, 0);
    }

    /// The same if `others` files with the number of such a process are there: a program that took its place by exec has it, too.
    fn take_name_of(&mut self, pid: i32, others: u32) {
        let name = self.wanted.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let dot = self.wanted.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > name);
        let (stem, ending) = self.wanted.split_at(dot.unwrap_or(self.wanted.len()));
        let number = match others {
            0 => FixedText::<24>::of(format_args!(".{pid}")),
            _ => FixedText::of(format_args!(".{pid}-{others}")),
        };
        let parts = [stem, number.bytes(), ending, b"\0"];
        let mut chosen = Vec::new();
        if chosen.try_reserve(parts.iter().map(|part| part.len()).sum()).is_ok() {
            parts.into_iter().for_each(|part| chosen.extend_from_slice(part));
            self.chosen = chosen;
            self.is_claimed = false;
        }
    }

    /// The name, for messages.
    pub fn name(&self) -> &[u8] {
        self.chosen.strip_suffix(b"\0").unwrap_or(&self.chosen)
    }

    /// Opens it, empty. EEXIST if it is there and another process's.
    pub fn open(&self) -> Result<Output, Errno> {
        open(&self.chosen, O_CREAT | if self.is_claimed { O_TRUNC } else { O_EXCL })
            .map(|fd| Output { fd, error: None })
    }
}

fn terminated(path: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut chosen = Vec::new();
    chosen.try_reserve(path.len() + 1).map_err(|_| Errno::ENOMEM)?;
    chosen.extend_from_slice(path);
    chosen.push(0);
    Ok(chosen)
}

fn open(path: &[u8], flags: u32) -> Result<i32, Errno> {
    const PRIVATE: usize = 0o600;
    let flags = (O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags) as usize;
    let arguments = [AT_FDCWD as isize as usize, path.as_ptr() as usize, flags, PRIVATE, 0, 0];
    // SAFETY: every path here ends with a zero.
    raw::check(unsafe { raw::call(Sysno::openat as u32, arguments) }).map(|fd| fd as i32)
}

fn close(fd: i32) {
    // SAFETY: the descriptor is ours.
    unsafe { raw::call(Sysno::close as u32, [fd as usize, 0, 0, 0, 0, 0]) };
}

/// A file that is being written.
pub struct Output {
    fd: i32,
    pub error: Option<Errno>,
}

impl Sink for Output {
    fn write(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() && self.error.is_none() {
            match raw::write(self.fd, rest) {
                Ok(written) => rest = &rest[written.min(rest.len())..],
                Err(Errno::EINTR) => {}
                Err(errno) => self.error = Some(errno),
            }
        }
        self.error.is_none()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        close(self.fd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_for(wanted: &str, pid: i32) -> String {
        let mut path = Path { wanted: wanted.as_bytes().to_vec(), chosen: Vec::new(), is_claimed: true };
        path.be_child(pid);
        String::from_utf8(path.name().to_vec()).unwrap()
    }

    #[test]
    fn children_have_their_number_before_the_ending() {
        assert_eq!(named_for("/a/trace.json", 17), "/a/trace.17.json");
        assert_eq!(named_for("/a.b/stats", 4194304), "/a.b/stats.4194304");
        assert_eq!(named_for("/a/.html", 2), "/a/.html.2");
    }

    #[test]
    fn a_file_that_is_there_stays_as_it_is() {
        use std::os::unix::fs::MetadataExt;
        let folder = std::env::temp_dir().join(format!("grivet-output-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("x.json");
        let name = file.to_str().unwrap().as_bytes();
        let first = Path::claim(name, 1).unwrap();
        assert!(first.open().unwrap().write(b"first"));
        let second = Path::claim(name, 2).unwrap();
        assert!(second.open().unwrap().write(b"second"));
        assert_eq!(std::fs::read(&file).unwrap(), b"first");
        assert_eq!(std::fs::read(folder.join("x.2.json")).unwrap(), b"second");
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        std::os::unix::fs::symlink("/dev/null", folder.join("link.svg")).unwrap();
        let chosen = [folder.join("link.svg").to_str().unwrap().as_bytes(), b"\0"].concat();
        let linked = Path { wanted: Vec::new(), chosen, is_claimed: true };
        assert_eq!(linked.open().err(), Some(Errno::ELOOP));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
