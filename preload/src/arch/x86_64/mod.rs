//! x86-64: one file for each of the things that only assembly can do.

pub mod cpu;
pub mod frame;
pub mod gate;
pub mod user_memory;
