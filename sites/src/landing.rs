//! Landing pads: where exceptions (and thread cancellation) enter a function. They are listed in
//! the function's language-specific data area, whose layout GCC and LLVM share (the "LSDA" of the
//! Itanium C++ ABI, as GCC's `except.cc` writes it).

use alloc::vec::Vec;

use gimli::{EndianSlice, LittleEndian, Reader, constants};

use crate::Image;

/// Adds to `targets` the landing pads that the table at `table` gives the function at `function`.
/// `None` if the table has a form that compilers do not write for code that stays in one piece.
pub fn add_pads(image: &Image<'_>, table: u64, function: u64, targets: &mut Vec<u64>) -> Option<()> {
    let mut reader = EndianSlice::new(image.bytes_from(table)?, LittleEndian);
    // Landing pads are counted from the function's start, unless the header says otherwise.
    if reader.read_u8().ok()? != constants::DW_EH_PE_omit.0 {
        return None;
    }
    if reader.read_u8().ok()? != constants::DW_EH_PE_omit.0 {
        reader.read_uleb128().ok()?;
    }
    let encoding = constants::DwEhPe(reader.read_u8().ok()?);
    let length = reader.read_uleb128().ok()?;
    let mut calls = reader.split(usize::try_from(length).ok()?).ok()?;
    while !calls.is_empty() {
        let _start = read(&mut calls, encoding)?;
        let _length = read(&mut calls, encoding)?;
        let pad = read(&mut calls, encoding)?;
        let _action = calls.read_uleb128().ok()?;
        if pad != 0 {
            targets.push(function.wrapping_add(pad));
        }
    }
    Some(())
}

fn read(reader: &mut EndianSlice<'_, LittleEndian>, encoding: constants::DwEhPe) -> Option<u64> {
    match encoding {
        constants::DW_EH_PE_uleb128 => reader.read_uleb128().ok(),
        constants::DW_EH_PE_udata4 => reader.read_u32().ok().map(u64::from),
        _ => None,
    }
}
