//! Source files, lines and inlined functions for the addresses of one object, from its debug information (DWARF), which
//! `addr2line` reads. Compressed debug sections are passed over: expanding them takes more code than this crate may bring
//! into a program.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr2line::Context;
use gimli::{Dwarf, EndianSlice, LittleEndian};
use grivet_symbols::demangled;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};

use crate::symbols::Function;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Functions inlined into one another at one place.
const DEEPEST: usize = 32;

/// The debug information of one object.
pub struct Lines<'a>(Context<Slice<'a>>);

impl<'a> Lines<'a> {
    /// None if the file `bytes` has none.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let header = FileHeader64::<object::LittleEndian>::parse(bytes).ok()?;
        let sections = header.sections(object::LittleEndian, bytes).ok()?;
        let section = |name: &str| {
            let (_, section) = sections.section_by_name(object::LittleEndian, name.as_bytes())?;
            let is_compressed = section.sh_flags(object::LittleEndian).contains(elf::SHF_COMPRESSED);
            section.data(object::LittleEndian, bytes).ok().filter(|_| !is_compressed)
        };
        section(".debug_info").filter(|bytes| !bytes.is_empty())?;
        section(".debug_abbrev")?;
        let load = |id: gimli::SectionId| {
            Ok::<_, gimli::Error>(EndianSlice::new(section(id.name()).unwrap_or_default(), LittleEndian))
        };
        Context::from_dwarf(Dwarf::load(load).ok()?).ok().map(Lines)
    }

    /// The functions at `address`, as linked: the innermost inlined one first, the one whose code it is last. Empty if
    /// nothing is known of it.
    pub fn functions(&self, address: u64) -> Vec<Function> {
        let mut functions = Vec::new();
        let Ok(mut frames) = self.0.find_frames(address).skip_all_loads() else { return functions };
        while let Ok(Some(frame)) = frames.next() {
            if functions.len() == DEEPEST {
                break;
            }
            let name = frame.function.as_ref().and_then(|name| name.raw_name().map(|raw| demangled(&raw)).ok());
            let (file, line) =
                frame.location.map_or((None, None), |place| (place.file.map(ToString::to_string), place.line));
            functions.push(Function { name, file, line: line.filter(|&line| line != 0), is_inlined: true });
        }
        if let Some(last) = functions.last_mut() {
            last.is_inlined = false;
        }
        functions
    }
}

/// What comes behind the last slash.
pub(crate) fn base_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_string()
}
