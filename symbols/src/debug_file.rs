//! Where the separate debug file of an object may be, and whether a file found is the right one. Conventions: "Separate Debug
//! Files" in the GDB manual.

use alloc::format;
use alloc::string::String;

use object::Object;

use crate::elf::Elf;

/// Names under which the debug file may lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebugFileNames {
    /// `.build-id/ab/cdef….debug`, to be looked up below a debug directory such as `/usr/lib/debug`.
    pub by_build_id: Option<String>,
    /// A file name, to be looked up beside the object, in `.debug` beside it, and below the debug directory in the directory
    /// of the object's path.
    pub by_link: Option<DebugLink>,
}

/// The contents of `.gnu_debuglink`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugLink {
    pub file_name: String,
    /// CRC-32 (that of IEEE 802.3) of the whole debug file.
    pub crc: u32,
}

/// Names for the debug file of the file in `object`; none if it has neither build-id nor link, or cannot be read.
pub fn debug_file_names(object: &[u8]) -> DebugFileNames {
    let Some(elf) = Elf::parse(object) else { return DebugFileNames::default() };
    let by_build_id = elf.file.build_id().ok().flatten().and_then(|id| {
        let (first, rest) = id.split_first()?;
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!(".build-id/{first:02x}/{rest}.debug"))
    });
    let by_link = elf.file.gnu_debuglink().ok().flatten().and_then(|(name, crc)| {
        let file_name = core::str::from_utf8(name).ok().filter(|name| !name.is_empty() && !name.contains('/'))?;
        Some(DebugLink { file_name: file_name.into(), crc })
    });
    DebugFileNames { by_build_id, by_link }
}

/// Whether the file in `candidate` is the debug file of the one in `object`: they have the same build-id or, where one of them
/// has none, the checksum in `.gnu_debuglink` is right. A checksum takes about a millisecond a megabyte.
pub fn debug_matches(object: &[u8], candidate: &[u8]) -> bool {
    let (Some(object), Some(debug)) = (Elf::parse(object), Elf::parse(candidate)) else { return false };
    let id = |elf: &Elf<'_>| elf.file.build_id().ok().flatten().map(<[u8]>::to_vec);
    match (id(&object), id(&debug)) {
        (Some(of_object), Some(of_debug)) => of_object == of_debug,
        _ => {
            let link = object.file.gnu_debuglink().ok().flatten();
            link.is_some_and(|(_, crc)| crc32fast::hash(candidate) == crc)
        }
    }
}
