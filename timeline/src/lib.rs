//! Timelines: what each green thread did when, as files that people look at. The library in the program records events
//! ([`event`]) and, when the program ends, writes them out through a renderer of this crate. Nothing here needs std.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod event;
