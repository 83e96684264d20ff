//! Images made up for tests: hand-written machine code with the unwind tables that a linker would
//! write for it.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::{Image, Segment, Site, find};

/// Where the text of every synthetic image is: high, as a biased shared object is.
pub const TEXT: u64 = 0x7f12_3456_7000;
/// Where its read-only data begins: whatever the test wants there, then the unwind tables.
pub const DATA: u64 = TEXT + 0x10000;

/// `syscall`.
pub const SYSCALL: &[u8] = &[0x0f, 0x05];
/// `mov eax, 202`: futex.
pub const MOV_FUTEX: &[u8] = &[0xb8, 202, 0, 0, 0];
/// `ret`.
pub const RET: &[u8] = &[0xc3];

/// Code that the unwind tables describe as one function.
struct Entry {
    range: Range<u64>,
    exceptions: Option<u64>,
    signal_trampoline: bool,
}

/// An image in the making.
#[derive(Default)]
pub struct Synthetic {
    text: Vec<u8>,
    data: Vec<u8>,
    entries: Vec<Entry>,
}

impl Synthetic {
    /// An image of one function.
    pub fn function(code: &[&[u8]]) -> Self {
        let mut image = Self::default();
        image.add(code);
        image
    }

    /// Appends a function; its address.
    pub fn add(&mut self, code: &[&[u8]]) -> u64 {
        let start = self.add_uncovered(code);
        self.entries.push(Entry { range: start..self.end(), exceptions: None, signal_trampoline: false });
        start
    }

    /// Appends a function whose landing pads, as distances from its start, are `pads`.
    pub fn add_with_pads(&mut self, code: &[&[u8]], pads: &[u8]) -> u64 {
        let start = self.add(code);
        // No @LPStart, no types, call sites as uleb128; each: start, length, pad, action.
        let mut table = vec![0xff, 0xff, 0x01, 4 * pads.len() as u8];
        pads.iter().for_each(|&pad| table.extend([0, 1, pad, 0]));
        self.entries.last_mut().unwrap().exceptions = Some(self.add_data(&table));
        start
    }

    /// Appends a signal trampoline, whose entry begins one byte before its code; its address.
    pub fn add_signal_trampoline(&mut self, code: &[&[u8]]) -> u64 {
        // The last byte of a longer no-op: decoding from here goes wrong.
        let padding = self.add_uncovered(&[&[0x00]]);
        let start = self.add_uncovered(code);
        self.entries.push(Entry { range: padding..self.end(), exceptions: None, signal_trampoline: true });
        start
    }

    /// Appends code without an unwind entry; its address.
    pub fn add_uncovered(&mut self, code: &[&[u8]]) -> u64 {
        let start = self.end();
        code.iter().for_each(|part| self.text.extend_from_slice(part));
        start
    }

    /// Appends to the read-only data, aligned to 4 bytes; its address.
    pub fn add_data(&mut self, bytes: &[u8]) -> u64 {
        self.data.resize(self.data.len().next_multiple_of(4), 0);
        let address = DATA + self.data.len() as u64;
        self.data.extend_from_slice(bytes);
        address
    }

    fn end(&self) -> u64 {
        TEXT + self.text.len() as u64
    }

    /// Bytes of the text.
    pub fn code(&self, range: Range<u64>) -> &[u8] {
        &self.text[(range.start - TEXT) as usize..(range.end - TEXT) as usize]
    }

    /// The sites that are found, when `wanted` are the calls to be rewritten.
    pub fn sites(&self, wanted: &[u32]) -> Vec<Site> {
        let mut data = self.data.clone();
        let header = append_unwind_tables(&mut data, &self.entries);
        let text = [Segment { address: TEXT, bytes: &self.text }];
        let data = [Segment { address: DATA, bytes: &data }];
        let image = Image { text: &text, data: &data, eh_frame_hdr: (!self.entries.is_empty()).then_some(header) };
        let mut sites = Vec::new();
        find(&image, &|number| wanted.contains(&number), &mut |site| sites.push(site));
        sites
    }

    /// The one site that is found, when futex is wanted.
    pub fn site(&self) -> Site {
        let mut sites = self.sites(&[202]);
        assert_eq!(sites.len(), 1, "{sites:#x?}");
        sites.remove(0)
    }
}

/// Writes `.eh_frame` and `.eh_frame_hdr` as GCC and ld do (pc-relative and header-relative 32-bit
/// values); the latter's address.
fn append_unwind_tables(data: &mut Vec<u8>, entries: &[Entry]) -> u64 {
    let here = |data: &Vec<u8>| DATA + data.len() as u64;
    let relative =
        |data: &mut Vec<u8>, target: u64, base: u64| data.extend((target.wrapping_sub(base) as i32).to_le_bytes());
    let word = |data: &mut Vec<u8>, value: u32| data.extend(value.to_le_bytes());
    data.resize(data.len().next_multiple_of(8), 0);
    let frames = here(data);
    let mut rows = Vec::new();
    for entry in entries {
        let common = here(data);
        let (augmentation, encodings): (&[u8], &[u8]) = match (entry.exceptions, entry.signal_trampoline) {
            (Some(_), _) => (b"zLR\0", &[0x1b, 0x1b]),
            (None, true) => (b"zRS\0", &[0x1b]),
            (None, false) => (b"zR\0", &[0x1b]),
        };
        // Version, augmentation, code and data alignment factors (1, -8), return address register,
        // encodings.
        let body = [&[1], augmentation, &[1, 0x78, 16, encodings.len() as u8], encodings].concat();
        word(data, 4 + body.len() as u32);
        word(data, 0);
        data.extend(body);
        rows.push((entry.range.start, here(data)));
        word(data, 12 + 1 + if entry.exceptions.is_some() { 4 } else { 0 });
        let to_common = (here(data) - common) as u32;
        word(data, to_common);
        let field = here(data);
        relative(data, entry.range.start, field);
        word(data, (entry.range.end - entry.range.start) as u32);
        match entry.exceptions {
            Some(table) => {
                data.push(4);
                let field = here(data);
                relative(data, table, field);
            }
            None => data.push(0),
        }
    }
    word(data, 0);
    let header = here(data);
    data.extend([1, 0x1b, 0x03, 0x3b]);
    relative(data, frames, header + 4);
    word(data, rows.len() as u32);
    rows.sort_unstable();
    for (start, entry) in rows {
        relative(data, start, header);
        relative(data, entry, header);
    }
    header
}
