//! A rule that gives an address instead of a name, for a file without symbols. The address must be a function's first: what
//! is rewritten there is the entry. Symbols tell where functions begin, or else the unwind tables, which `strip` leaves.

use alloc::format;
use alloc::string::{String, ToString};
use core::str::from_utf8;

use gimli::{BaseAddresses, EhFrame, LittleEndian, UnwindSection};

use crate::clones::Name;
use crate::elf::{Elf, Entries, Kind};
use crate::find::Numbered;
use crate::names::shown;
use crate::{FindError, Function};

/// The address that `symbol` is, if it is one: hexadecimal digits behind `0x`.
pub fn parse(symbol: &str) -> Option<u64> {
    let digits = symbol.strip_prefix("0x").or_else(|| symbol.strip_prefix("0X"))?;
    u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
}

/// The function that begins at `address`, written as `symbol`, in `object`.
pub fn find(symbol: &str, address: u64, (index, object): Numbered<'_, '_>) -> Result<Function, FindError> {
    let refuse = |reason: String| FindError::NotAFunction { symbol: symbol.to_string(), reason };
    let elf = Elf::parse(object.bytes).ok_or_else(|| FindError::Unreadable { object: object.name.to_string() })?;
    if !elf.is_code(address) {
        return Err(refuse(format!("is not in the code of {}", object.name)));
    }
    let mut around = None;
    let mut exact: Option<Function> = None;
    for entry in Entries::of(object).filter(|entry| matches!(entry.kind, Kind::Function | Kind::Untyped)) {
        let Some(offset) = address.checked_sub(entry.address) else { continue };
        if offset != 0 && offset >= entry.size {
            continue;
        }
        let Ok(name) = from_utf8(entry.name).map(Name::split) else { continue };
        let name = shown(name.base) + name.suffix;
        if offset != 0 {
            around = Some((name, entry.address));
        } else if exact.as_ref().is_none_or(|exact| exact.size < entry.size) {
            exact = Some(Function { object: index, address, size: entry.size, name });
        }
    }
    if let Some(function) = exact {
        return Ok(function);
    }
    if let Some((name, start)) = around {
        return Err(refuse(format!("lies inside {name}, which begins at {start:#x}")));
    }
    match unwind_range(&elf, address) {
        Some((start, _)) if start != address => {
            Err(refuse(format!("lies inside a function that begins at {start:#x}")))
        }
        range => {
            let size = range.map_or(0, |(_, length)| length);
            Ok(Function { object: index, address, size, name: format!("{address:#x}") })
        }
    }
}

/// Start and length of the code around `address` that one entry of `.eh_frame` describes.
fn unwind_range(elf: &Elf<'_>, address: u64) -> Option<(u64, u64)> {
    let (frame_address, bytes) = elf.section(".eh_frame")?;
    let text = elf.section(".text").map_or(0, |(address, _)| address);
    let bases = BaseAddresses::default().set_eh_frame(frame_address).set_text(text);
    let entry = EhFrame::new(bytes, LittleEndian).fde_for_address(&bases, address, EhFrame::cie_from_offset).ok()?;
    Some((entry.initial_address(), entry.len()))
}
