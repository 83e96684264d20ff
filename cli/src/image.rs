//! An ELF file's code as `grivet-sites` wants it: its segments at the addresses that the file was linked for.

use grivet_sites::{Image, Segment};
use object::elf;
use object::read::elf::ProgramHeader;

use crate::elf::Elf;
use crate::status::Refusal;

/// What the program headers of a file say is loaded.
pub struct Segments<'a> {
    text: Vec<Segment<'a>>,
    data: Vec<Segment<'a>>,
    eh_frame_hdr: Option<u64>,
}

impl<'a> Segments<'a> {
    pub fn of(file: &'a Elf) -> Result<Self, Refusal> {
        let parsed = file.parsed()?;
        let endian = parsed.endian();
        let mut segments = Self { text: Vec::new(), data: Vec::new(), eh_frame_hdr: None };
        for header in parsed.elf_program_headers() {
            let address = header.p_vaddr(endian);
            match header.p_type(endian) {
                elf::PT_LOAD => {
                    let bytes = header.data(endian, file.bytes()).unwrap_or_default();
                    let flags = header.p_flags(endian);
                    if flags.contains(elf::PF_X) {
                        segments.text.push(Segment { address, bytes });
                    }
                    if flags.contains(elf::PF_R) {
                        segments.data.push(Segment { address, bytes });
                    }
                }
                elf::PT_GNU_EH_FRAME => segments.eh_frame_hdr = Some(address),
                _ => {}
            }
        }
        Ok(segments)
    }

    pub fn image(&self) -> Image<'_> {
        Image { text: &self.text, data: &self.data, eh_frame_hdr: self.eh_frame_hdr }
    }
}
