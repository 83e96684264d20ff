//! Finds the separate debug file of a program or library, where gdb finds it ("Separate Debug Files" in its manual): it
//! holds the names of functions that the file itself was stripped of. Reads files only.

use std::path::{Path, PathBuf};

use grivet_symbols::{debug_file_names, debug_matches};
use memmap2::Mmap;

use crate::elf::{self, Elf};

/// Where distributions install debug files.
const ROOT: &str = "/usr/lib/debug";

/// The debug file of `elf`, if one is installed that belongs to this very build of it.
pub fn find(elf: &Elf) -> Option<Mmap> {
    find_of(&elf.path, elf.bytes())
}

/// The same of the object with these `bytes` at `path`.
pub fn find_of(path: &Path, bytes: &[u8]) -> Option<Mmap> {
    let candidates = places(path, bytes).into_iter().filter_map(|place| elf::map(&place).ok());
    candidates.into_iter().find(|file| debug_matches(bytes, file))
}

/// By build-id below the root; by name beside the file, in `.debug` beside it, and below the root.
fn places(path: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    let names = debug_file_names(bytes);
    let mut places: Vec<PathBuf> = names.by_build_id.iter().map(|name| root.join(name)).collect();
    if let Some(link) = &names.by_link {
        // The directory as named and, behind links such as /lib -> /usr/lib, the real one.
        for path in [std::path::absolute(path), path.canonicalize()].into_iter().flatten() {
            let directory = path.parent().unwrap_or(Path::new("/"));
            places.push(directory.join(&link.file_name));
            places.push(directory.join(".debug").join(&link.file_name));
            places.push(root.join(directory.strip_prefix("/").unwrap_or(directory)).join(&link.file_name));
        }
    }
    places
}
