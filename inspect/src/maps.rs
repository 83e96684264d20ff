//! Reads the text of /proc/PID/maps (proc_pid_maps(5)).

use core::ops::Range;
use core::str::from_utf8;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    pub start: u64,
    pub end: u64,
    pub is_readable: bool,
    pub is_writable: bool,
    pub is_executable: bool,
    /// Where in the file.
    pub offset: u64,
    /// The device, as major and minor number; 0 if there is no file.
    pub device: (u32, u32),
    pub inode: u64,
    /// Of the file, as escaped there; or a name such as `[vdso]`; or empty.
    pub path: &'a [u8],
}

/// How the kernel marks files without a name.
pub const DELETED: &[u8] = b" (deleted)";

impl<'a> Mapping<'a> {
    pub fn range(&self) -> Range<u64> {
        self.start..self.end
    }

    /// Whether there is a file behind it.
    pub fn is_file(&self) -> bool {
        self.path.first() == Some(&b'/')
    }

    /// The last part of its path.
    pub fn file_name(&self) -> &'a [u8] {
        let path = self.path.strip_suffix(DELETED).unwrap_or(self.path);
        path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
    }

    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut rest = line;
        let mut word = || {
            let start = rest.iter().position(|&byte| byte != b' ')?;
            let length = rest[start..].iter().position(|&byte| byte == b' ').unwrap_or(rest.len() - start);
            let (word, after) = rest[start..].split_at(length);
            rest = after;
            from_utf8(word).ok()
        };
        let (start, end) = word()?.split_once('-')?;
        let permissions = word()?.as_bytes();
        let offset = word()?;
        let (major, minor) = word()?.split_once(':')?;
        let inode = word()?;
        let path_start = rest.iter().position(|&byte| byte != b' ').unwrap_or(rest.len());
        let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
        Some(Mapping {
            start: hexadecimal(start)?,
            end: hexadecimal(end)?,
            is_readable: permissions.first() == Some(&b'r'),
            is_writable: permissions.get(1) == Some(&b'w'),
            is_executable: permissions.get(2) == Some(&b'x'),
            offset: hexadecimal(offset)?,
            device: (hexadecimal(major)? as u32, hexadecimal(minor)? as u32),
            inode: inode.parse().ok()?,
            path: &rest[path_start..],
        })
    }
}

/// All lines of `text` that can be read.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Mapping<'_>> {
    text.split(|&byte| byte == b'\n').filter_map(Mapping::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_a_path() {
        let text = b"55d0c0a2b000-55d0c0a2d000 r-xp 00002000 08:1e 1234                       /usr/bin/a b (deleted)\n\
            7ffd1000-7ffd2000 rw-p 00000000 00:00 0 \n7fff0000-7fff1000 r-xp 00000000 00:00 0                          [vdso]\n";
        let all: Vec<_> = parse(text).collect();
        assert_eq!(all.len(), 3);
        assert_eq!((all[0].offset, all[0].device, all[0].inode), (0x2000, (8, 0x1e), 1234));
        assert_eq!((all[0].path, all[0].file_name()), (&b"/usr/bin/a b (deleted)"[..], &b"a b"[..]));
        assert!(all[0].is_executable && !all[0].is_writable && all[0].is_file());
        assert!(all[1].is_writable && all[1].path.is_empty());
        assert_eq!(all[2].path, b"[vdso]");
    }
}
