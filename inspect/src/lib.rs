//! Looks at the green threads of a process: what each is doing, what it waits for, where it is in its code. The process
//! may be this one or another, running or stopped: its memory and the files it has mapped are reached through traits.
//! Nothing here needs std.
//!
//! | file | answers for |
//! |---|---|
//! | `memory` | the traits through which a process is reached |
//! | `layout` | where libgrivet.so keeps what |
//! | `process`, `threads` | all green threads, as their records have them |
//! | `locks` | what a futex address is a part of, and who holds that lock |
//! | `maps`, `images` | what is mapped where, and the files behind it |
//! | `registers`, `stack`, `rules`, `unwind` | backtraces |
//! | `symbols`, `lines` | functions, source files and lines for addresses |
//! | `backtraces`, `group` | those of all threads, each once; threads that are alike |
//! | `report`, `cause`, `amounts`, `text`, `json` | what people and programs read |
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod amounts;
pub mod backtraces;
pub mod cause;
pub mod group;
pub mod images;
pub mod json;
pub mod layout;
mod lines;
pub mod locks;
pub mod maps;
pub mod memory;
pub mod process;
pub mod registers;
pub mod report;
mod rules;
mod stack;
pub mod symbols;
pub mod text;
pub mod threads;
pub mod unwind;
