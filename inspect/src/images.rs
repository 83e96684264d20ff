//! The files and other code that a process has mapped, opened only once an address in them is asked for. Where a file is
//! out of reach, what is in memory of it stands in for it: enough to unwind, not to name functions.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::ops::Range;

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::maps::{self, Mapping};
use crate::memory::{Files, Mapped, Memory};

/// No more is copied from memory in place of a file.
const LARGEST_COPY: u64 = 64 << 20;

/// An object that is mapped.
pub struct Image {
    /// As /proc/PID/maps has it.
    pub path: Vec<u8>,
    /// The last part of that.
    pub name: Vec<u8>,
    parts: Vec<Part>,
    device: (u32, u32),
    inode: u64,
    bytes: OnceCell<Mapped>,
    debug: OnceCell<Option<Mapped>>,
    bias: OnceCell<Option<u64>>,
}

struct Part {
    range: Range<u64>,
    offset: u64,
    is_executable: bool,
    /// Is as the file has it.
    is_constant: bool,
}

/// All that is mapped, with the means to read it.
pub struct Images<'a> {
    memory: &'a dyn Memory,
    files: &'a dyn Files,
    all: Vec<Image>,
    /// What is executable, in order, and the image it is of.
    code: Vec<(Range<u64>, Option<usize>)>,
}

impl<'a> Images<'a> {
    /// From the text of /proc/PID/maps.
    pub fn new(maps: &[u8], memory: &'a dyn Memory, files: &'a dyn Files) -> Self {
        let mut images = Images { memory, files, all: Vec::new(), code: Vec::new() };
        for mapping in maps::parse(maps) {
            let image = (mapping.is_file() || mapping.path == b"[vdso]").then(|| images.image_of(&mapping));
            if mapping.is_executable {
                images.code.push((mapping.range(), image));
            }
        }
        images.code.sort_by_key(|(range, _)| range.start);
        images
    }

    fn image_of(&mut self, mapping: &Mapping<'_>) -> usize {
        let part = Part {
            range: mapping.range(),
            offset: mapping.offset,
            is_executable: mapping.is_executable,
            is_constant: mapping.is_readable && !mapping.is_writable,
        };
        // The parts of an object lie together; the same file may be mapped again elsewhere as data.
        let known = self.all.iter().rposition(|image| {
            (image.device, image.inode) == (mapping.device, mapping.inode) && image.path == mapping.path
        });
        if let Some(known) = known {
            self.all[known].parts.push(part);
            return known;
        }
        self.all.push(Image {
            path: mapping.path.to_vec(),
            name: mapping.file_name().to_vec(),
            parts: Vec::from([part]),
            device: mapping.device,
            inode: mapping.inode,
            bytes: OnceCell::new(),
            debug: OnceCell::new(),
            bias: OnceCell::new(),
        });
        self.all.len() - 1
    }

    pub fn all(&self) -> &[Image] {
        &self.all
    }

    /// The executable mapping that `address` is in, and the index of its image.
    pub fn code_at(&self, address: u64) -> Option<(&Range<u64>, Option<usize>)> {
        let after = self.code.partition_point(|(range, _)| range.start <= address);
        let (range, image) = self.code.get(after.checked_sub(1)?)?;
        (address < range.end).then_some((range, *image))
    }

    /// The file's bytes; empty if nothing of it can be read.
    pub fn bytes(&self, index: usize) -> &[u8] {
        let image = &self.all[index];
        image.bytes.get_or_init(|| {
            let first = &image.parts[0];
            let mapping = Mapping {
                start: first.range.start,
                end: first.range.end,
                is_readable: true,
                is_writable: !first.is_constant,
                is_executable: first.is_executable,
                offset: first.offset,
                device: image.device,
                inode: image.inode,
                path: &image.path,
            };
            let file = if mapping.is_file() { self.files.open(&mapping) } else { None };
            file.unwrap_or_else(|| Box::new(self.copy(image)))
        })
    }

    /// The separate debug file's bytes, if there is one.
    pub fn debug_bytes(&self, index: usize) -> Option<&[u8]> {
        let image = &self.all[index];
        let debug = image.debug.get_or_init(|| self.files.debug_file(&image.path, self.bytes(index)));
        debug.as_deref().map(|bytes| &bytes[..])
    }

    /// How far above its addresses as linked the image is. None if it is no ELF object that can run.
    pub fn bias(&self, index: usize) -> Option<u64> {
        *self.all[index].bias.get_or_init(|| {
            let code = self.all[index].parts.iter().find(|part| part.is_executable)?;
            let (headers, _) = program_headers(self.bytes(index))?;
            let load = headers.iter().find(|header| {
                let offset = header.p_offset(LittleEndian);
                header.p_type(LittleEndian) == elf::PT_LOAD
                    && header.p_flags(LittleEndian).contains(elf::PF_X)
                    && (offset & !0xfff..offset + header.p_filesz(LittleEndian)).contains(&code.offset)
            })?;
            let linked = load.p_vaddr(LittleEndian).wrapping_sub(load.p_offset(LittleEndian));
            Some(code.range.start.wrapping_sub(code.offset.wrapping_add(linked)))
        })
    }

    /// The address in the program's own code that one in a stub of grivet's stands for; any other address as it is.
    pub fn original(&self, address: u64) -> u64 {
        let Some((range, None)) = self.code_at(address) else { return address };
        let start = address.saturating_sub(2 * grivet_sites::STUB_LIMIT as u64).max(range.start);
        let end = (address + 2 * grivet_sites::STUB_LIMIT as u64).min(range.end);
        let mut bytes = alloc::vec![0; (end - start) as usize];
        if !self.memory.read(start, &mut bytes) {
            return address;
        }
        grivet_sites::original_within(&bytes, start, address).unwrap_or(address)
    }

    /// What is in memory of the file, at the offsets of the file.
    fn copy(&self, image: &Image) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in image.parts.iter().filter(|part| part.is_constant) {
            let (start, end) = (part.offset, part.offset + (part.range.end - part.range.start));
            if end > LARGEST_COPY {
                continue;
            }
            if bytes.len() < end as usize {
                bytes.resize(end as usize, 0);
            }
            self.memory.read(part.range.start, &mut bytes[start as usize..end as usize]);
        }
        bytes
    }
}

impl Image {
    /// Its mappings' addresses, from the lowest to the highest.
    pub fn span(&self) -> Range<u64> {
        let start = self.parts.iter().map(|part| part.range.start).min();
        let end = self.parts.iter().map(|part| part.range.end).max();
        start.unwrap_or(0)..end.unwrap_or(0)
    }
}

/// The program headers of an ELF file, of which no more need be there.
pub(crate) fn program_headers(
    bytes: &[u8],
) -> Option<(&[elf::ProgramHeader64<LittleEndian>], &FileHeader64<LittleEndian>)> {
    let header = FileHeader64::<LittleEndian>::parse(bytes).ok()?;
    Some((header.program_headers(LittleEndian, bytes).ok()?, header))
}

/// The bytes from the linked address `address` to the end of the segment that it is in.
pub(crate) fn bytes_at(bytes: &[u8], address: u64) -> Option<&[u8]> {
    let (headers, _) = program_headers(bytes)?;
    let load = headers.iter().find(|header| {
        let start = header.p_vaddr(LittleEndian);
        header.p_type(LittleEndian) == elf::PT_LOAD && (start..start + header.p_filesz(LittleEndian)).contains(&address)
    })?;
    let within = load.data(LittleEndian, bytes).ok()?;
    within.get((address - load.p_vaddr(LittleEndian)) as usize..)
}
