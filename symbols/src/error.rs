//! Why a rule means no function, said in one line that helps to mend the rule.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Names that a message lists at most.
pub(crate) const LISTED: usize = 5;

/// Why a rule means no function, or not one. Displayed as one line, without a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindError {
    /// No object that was searched has such a function. `nearest`: names that resemble it, best first, at most five.
    /// `is_stripped`: the program has no symbol table, so its own functions have no names.
    NotFound { symbol: String, nearest: Vec<String>, is_stripped: bool },
    /// Several functions fit. `matches`: at most five of them, with address and object; `total`: how many there are.
    Ambiguous { symbol: String, matches: Vec<String>, total: usize },
    /// The compiler put the function into its callers; the debug information tells of it, but it has no code of its own.
    Inlined { symbol: String },
    /// The name or address is there, but a function does not begin there. `reason` completes "X …".
    NotAFunction { symbol: String, reason: String },
    /// The program has no such object. `loaded`: the file names of those it has.
    NoSuchObject { object: String, loaded: Vec<String> },
    /// The file is damaged, or not an x86-64 ELF file.
    Unreadable { object: String },
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindError::NotFound { symbol, nearest, is_stripped } => {
                write!(f, "no function `{symbol}`")?;
                if *is_stripped {
                    write!(f, "; the program is stripped: install its debug symbols or give an address, as 0x1234")?;
                }
                if nearest.is_empty() { Ok(()) } else { write!(f, "; nearest: {}", Listed(nearest, nearest.len())) }
            }
            FindError::Ambiguous { symbol, matches, total } => {
                write!(
                    f,
                    "`{symbol}` is any of {total} functions; give more of the name, or the address: {}",
                    Listed(matches, *total)
                )
            }
            FindError::Inlined { symbol } => {
                write!(
                    f,
                    "`{symbol}` was inlined into its callers and has no code of its own; name a function that calls it"
                )
            }
            FindError::NotAFunction { symbol, reason } => write!(f, "`{symbol}` {reason}"),
            FindError::NoSuchObject { object, loaded } => {
                write!(f, "the program has no object `{object}`; it has {}", Listed(loaded, loaded.len()))
            }
            FindError::Unreadable { object } => write!(f, "{object} is not an x86-64 ELF file, or is damaged"),
        }
    }
}

impl core::error::Error for FindError {}

/// Names, of so many.
struct Listed<'a>(&'a [String], usize);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listed(names, total) = self;
        let shown = &names[..names.len().min(LISTED)];
        f.write_str(&shown.join(", "))?;
        match total - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
