//! Images made up for tests of function entries: named functions with padding between them.

use alloc::vec::Vec;
use core::ops::Range;

use crate::synthetic::TEXT;
use crate::{Entry, EntryReason, Image, Patch, Segment, entry};

/// Where the read-only data begins: what the test wants there, then the unwind tables.
pub const DATA: u64 = TEXT + 0x10000;

/// `push rbp; mov rbp, rsp; push rbx; nop; ret`: a window of five bytes, and a byte behind it.
pub const PLAIN: &[u8] = &[0x55, 0x48, 0x89, 0xe5, 0x53, 0x90, 0xc3];
/// `mov eax, 1; ret`.
pub const SIX_BYTES: &[u8] = &[0xb8, 1, 0, 0, 0, 0xc3];

/// An image in the making.
#[derive(Default)]
pub struct Layout {
    pub text: Vec<u8>,
    data: Vec<u8>,
    functions: Vec<Range<u64>>,
}

impl Layout {
    /// An image of one function at the beginning of the text, with no padding.
    pub fn function(code: &[&[u8]]) -> Self {
        let mut layout = Self::default();
        layout.add(code);
        layout
    }

    /// Appends a function; its address.
    pub fn add(&mut self, code: &[&[u8]]) -> u64 {
        let start = self.add_uncovered(code);
        self.functions.push(start..TEXT + self.text.len() as u64);
        start
    }

    /// Appends bytes without an unwind entry; their address.
    pub fn add_uncovered(&mut self, code: &[&[u8]]) -> u64 {
        let start = TEXT + self.text.len() as u64;
        code.iter().for_each(|part| self.text.extend_from_slice(part));
        start
    }

    /// Appends to the read-only data; its address.
    pub fn add_data(&mut self, bytes: &[u8]) -> u64 {
        let address = DATA + self.data.len() as u64;
        self.data.extend_from_slice(bytes);
        address
    }

    /// Bytes of the text.
    pub fn code(&self, range: &Range<u64>) -> &[u8] {
        &self.text[(range.start - TEXT) as usize..(range.end - TEXT) as usize]
    }

    /// The entry of the function at `address`, its end taken from the unwind tables.
    pub fn entry(&self, address: u64) -> Result<Entry, EntryReason> {
        self.with_image(|image| entry(image, address..address))
    }

    /// Writes `patch` into the text.
    pub fn apply(&mut self, patch: &Patch) {
        let offset = (patch.address - TEXT) as usize;
        self.text[offset..offset + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }

    pub fn with_image<T>(&self, look: impl FnOnce(&Image<'_>) -> T) -> T {
        let mut data = self.data.clone();
        let header = append_unwind_tables(&mut data, &self.functions);
        let text = [Segment { address: TEXT, bytes: &self.text }];
        let data = [Segment { address: DATA, bytes: &data }];
        look(&Image { text: &text, data: &data, eh_frame_hdr: Some(header) })
    }
}

/// Writes one CIE, an FDE for each function, and the header with its table, all with 32-bit
/// pc-relative or header-relative values; the header's address.
fn append_unwind_tables(data: &mut Vec<u8>, functions: &[Range<u64>]) -> u64 {
    fn put(data: &mut Vec<u8>, value: u64) {
        data.extend_from_slice(&(value as u32).to_le_bytes());
    }
    data.resize(data.len().next_multiple_of(8), 0);
    let common = DATA + data.len() as u64;
    data.extend_from_slice(b"\x0c\0\0\0\0\0\0\0\x01zR\0\x01\x78\x10\x01\x1b");
    let length = data.len() as u64 - (common - DATA) - 4;
    data[(common - DATA) as usize] = length as u8;
    let mut rows = Vec::new();
    for function in functions {
        let entry = DATA + data.len() as u64;
        rows.push((function.start, entry));
        put(data, 13);
        put(data, entry + 4 - common);
        put(data, function.start.wrapping_sub(entry + 8));
        put(data, function.end - function.start);
        data.push(0);
    }
    put(data, 0);
    let header = DATA + data.len() as u64;
    data.extend_from_slice(&[1, 0x1b, 0x03, 0x3b]);
    put(data, common.wrapping_sub(header + 4));
    put(data, rows.len() as u64);
    for (start, entry) in rows {
        put(data, start.wrapping_sub(header));
        put(data, entry.wrapping_sub(header));
    }
    header
}
