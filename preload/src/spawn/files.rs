//! The files of the loaded objects, mapped for reading while the symbols of rules are looked up: the names of static functions are
//! in the files only, not in memory. Separate debug files are found where gdb finds them.

use crate::mapped_file::MappedFile;
use crate::raw;
use crate::rewrite::Loaded;
use alloc::string::String;
use alloc::vec::Vec;
use grivet_symbols::{ObjectFile, debug_file_names, debug_matches};
use linux_raw_sys::general::AT_FDCWD;
use syscalls::Sysno;

/// One loaded object's file.
pub struct File {
    pub loaded: Loaded,
    name: String,
    file: MappedFile,
    debug: Option<MappedFile>,
    is_program: bool,
}

impl File {
    /// The file of `loaded`, which is the program itself if it is the first.
    pub fn open(loaded: Loaded, is_program: bool) -> Option<File> {
        // Neither grivet itself nor the vDSO has functions that rules mean.
        loaded.object()?;
        let path = if is_program { program_path() } else { loaded.name.to_vec() };
        let file = MappedFile::open(if is_program { b"/proc/self/exe" } else { &path })?;
        let debug = debug_file(&file, &path);
        Some(File { loaded, name: String::from_utf8(path).ok()?, file, debug, is_program })
    }

    /// As the symbol search takes it.
    pub fn as_object(&self) -> ObjectFile<'_> {
        ObjectFile { name: &self.name, bytes: &self.file, debug: self.debug.as_deref(), is_program: self.is_program }
    }
}

/// Where the program's file is.
fn program_path() -> Vec<u8> {
    let mut path = alloc::vec![0u8; 4096];
    let link = c"/proc/self/exe".as_ptr() as usize;
    let arguments = [AT_FDCWD as isize as usize, link, path.as_mut_ptr() as usize, path.len(), 0, 0];
    // SAFETY: the link is a C string, and the buffer has room for what is written.
    let length = unsafe { raw::call(Sysno::readlinkat as u32, arguments) };
    path.truncate(length.max(0) as usize);
    path
}

/// The separate debug file of an object: by build-id below /usr/lib/debug, by name beside the object, in `.debug`, and below
/// /usr/lib/debug.
fn debug_file(object: &[u8], path: &[u8]) -> Option<MappedFile> {
    const ROOT: &[u8] = b"/usr/lib/debug/";
    let names = debug_file_names(object);
    let directory = &path[..path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1)];
    let mut places: Vec<Vec<u8>> = Vec::new();
    if let Some(build_id) = &names.by_build_id {
        places.push([ROOT, build_id.as_bytes()].concat());
    }
    if let Some(link) = &names.by_link {
        let link = link.file_name.as_bytes();
        places.push([directory, link].concat());
        places.push([directory, b".debug/", link].concat());
        places.push([ROOT, directory.strip_prefix(b"/").unwrap_or(directory), link].concat());
    }
    places.iter().filter_map(|place| MappedFile::open(place)).find(|file| debug_matches(object, file))
}
