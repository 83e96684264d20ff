//! Which functions the SYMBOL of a rule means: `--spawn app::fetch=-1` becomes addresses in the objects of a program.
//!
//! Names come from an object's `.symtab`, else its `.dynsym`, and from the `.symtab` of a separate debug file; C++ and Rust
//! names are matched as people write them. The crate reads bytes that its caller has mapped and touches nothing else: no
//! file, no std and no C library, so that it serves `libgrivet.so` beneath libc as well as the `grivet` command.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod address;
mod clones;
mod debug_file;
mod elf;
mod error;
mod find;
mod inlined;
mod listing;
mod names;
mod nearest;
mod nesting;
mod pattern;
mod reserved;
mod rule;

use alloc::string::String;

pub use debug_file::{DebugFileNames, debug_file_names, debug_matches};
pub use error::FindError;
pub use find::find;
pub use listing::{CodeSymbol, ListedFunction, all_functions, code_symbols, demangled};
pub use reserved::{RESERVED, is_reserved};
pub use rule::{Rule, RuleError, Value, parse_rule, parse_rules};

/// An object of the program, as the caller has mapped it.
#[derive(Clone, Copy)]
pub struct ObjectFile<'a> {
    /// Path or soname, as messages show it and as the part of a rule before `:` is compared with.
    pub name: &'a str,
    /// The whole file, from an address divisible by 8, as mappings are.
    pub bytes: &'a [u8],
    /// The whole separate debug file, if there is one ([`debug_matches`] tells whether a file found is the right one).
    pub debug: Option<&'a [u8]>,
    /// The program itself, not a library.
    pub is_program: bool,
}

/// A function that a rule means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Index into the objects that were searched.
    pub object: usize,
    /// Of the first instruction, as linked: relative to the object's load bias.
    pub address: u64,
    /// In bytes; 0 if not known.
    pub size: u64,
    /// Demangled, with C++'s parameters; the compiler's suffix of a clone follows it (`fetch.constprop.0`). For a rule that
    /// gives an address without a symbol, that address.
    pub name: String,
}
