//! Which function an address lies in, by the unwind tables that every object compiled for
//! exceptions or for debugging carries: the binary search table in `.eh_frame_hdr` gives the
//! `.eh_frame` entry, and that the extent. Format: Linux Standard Base Core 5.0, sections 10.5 and
//! 10.6.

use core::ops::Range;

use gimli::{BaseAddresses, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, ParsedEhFrameHdr, Pointer, UnwindSection};

use crate::Image;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Extent of a function, and where its exception table is.
pub struct Function {
    pub range: Range<u64>,
    /// Address of the language-specific data area, if the function has one.
    pub exceptions: Option<u64>,
}

/// The unwind tables of one image.
pub struct Functions<'a>(Option<Tables<'a>>);

struct Tables<'a> {
    header: ParsedEhFrameHdr<Slice<'a>>,
    frames: EhFrame<Slice<'a>>,
    bases: BaseAddresses,
}

impl<'a> Functions<'a> {
    /// The tables of `image`; without them, or if they cannot be read, no address has a function.
    pub fn of(image: &Image<'a>) -> Self {
        Functions(Tables::of(image))
    }

    /// The function around `address`.
    pub fn containing(&self, address: u64) -> Option<Function> {
        self.at_or_before(address).filter(|function| function.range.contains(&address))
    }

    /// The function around a short gap in the unwind tables at `address`: glibc's `clone` and
    /// `clone3` end their entry at the system call and begin another one a few instructions later,
    /// since between the two no unwinder could tell parent from child.
    pub fn around_gap(&self, address: u64) -> Option<Function> {
        const GAP: u64 = 32;
        let before = self
            .at_or_before(address)
            .filter(|before| address.checked_sub(before.range.end).is_some_and(|gap| gap <= GAP))?;
        let after = (address..address + GAP).find_map(|later| self.containing(later))?;
        Some(Function { range: before.range.start..after.range.end, exceptions: before.exceptions })
    }

    /// The last function that begins at or before `address`.
    fn at_or_before(&self, address: u64) -> Option<Function> {
        let Tables { header, frames, bases } = self.0.as_ref()?;
        let table = header.table()?;
        let offset = table.lookup(address, bases).and_then(|entry| table.pointer_to_offset(entry)).ok()?;
        let entry = frames.fde_from_offset(bases, offset, EhFrame::cie_from_offset).ok()?;
        if entry.initial_address() > address {
            return None;
        }
        // Unwinders look up the address before a return address. The C libraries therefore let the
        // entry of a signal trampoline, which nothing calls, begin one byte before its code.
        let first = entry.initial_address() + u64::from(entry.is_signal_trampoline());
        let exceptions = match entry.lsda() {
            Some(Pointer::Direct(0)) | None => None,
            Some(pointer) => Some(pointer.pointer()),
        };
        Some(Function { range: first..entry.end_address(), exceptions })
    }
}

impl<'a> Tables<'a> {
    fn of(image: &Image<'a>) -> Option<Self> {
        let header_address = image.eh_frame_hdr?;
        let bases = BaseAddresses::default().set_eh_frame_hdr(header_address);
        let header = EhFrameHdr::new(image.bytes_from(header_address)?, LittleEndian).parse(&bases, 8).ok()?;
        let frames_address = header.eh_frame_ptr().direct().ok()?;
        let frames = EhFrame::new(image.bytes_from(frames_address)?, LittleEndian);
        Some(Tables { header, frames, bases: bases.set_eh_frame(frames_address) })
    }
}
