//! All functions of an object, for who shows them or looks for the one at an address.

use alloc::string::String;
use core::str::from_utf8;

use crate::ObjectFile;
use crate::clones::Name;
use crate::elf::{Entries, Kind};
use crate::names::shown;

/// One function, as the symbol table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFunction {
    /// Demangled, as [`crate::Function::name`].
    pub name: String,
    /// As linked.
    pub address: u64,
    /// In bytes; 0 if not known.
    pub size: u64,
}

/// The functions of `object` in the order of its tables; aliases and what two tables repeat come more than once, and halves
/// of functions (`.cold`) not at all. None if the file cannot be read. Each name is demangled as the iterator reaches it.
pub fn all_functions<'a>(object: &ObjectFile<'a>) -> impl Iterator<Item = ListedFunction> + use<'a> {
    Entries::of(object).filter(|entry| entry.kind == Kind::Function).filter_map(|entry| {
        let name = from_utf8(entry.name).map(Name::split).ok().filter(|name| !name.is_cold_half())?;
        Some(ListedFunction { name: shown(name.base) + name.suffix, address: entry.address, size: entry.size })
    })
}

/// A symbol that stands for code, and halves of functions too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeSymbol<'a> {
    /// As in the table, without a version.
    pub name: &'a [u8],
    /// As linked.
    pub address: u64,
    /// In bytes; 0 if not known.
    pub size: u64,
}

/// The symbols of `object` for code, in the order of its tables: for who has an address and looks for its function.
pub fn code_symbols<'a>(object: &ObjectFile<'a>) -> impl Iterator<Item = CodeSymbol<'a>> + use<'a> {
    Entries::of(object).filter(|entry| matches!(entry.kind, Kind::Function | Kind::Indirect)).map(|entry| CodeSymbol {
        name: entry.name,
        address: entry.address,
        size: entry.size,
    })
}

/// The name of the symbol `raw` as [`ListedFunction::name`].
pub fn demangled(raw: &str) -> String {
    let name = Name::split(raw);
    shown(name.base) + name.suffix
}
