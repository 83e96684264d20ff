//! Looks at the green threads of a process: what each is doing, what it waits for, where it is in its code. The process
//! may be this one or another, running or stopped: its memory and the files it has mapped are reached through traits.
//! Nothing here needs std.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod layout;
