//! x86-64: one file for each of the things that only assembly can do.

pub mod cpu;
pub mod frame;
pub mod gate;
mod thread;
pub mod user_memory;

pub use thread::start_thread;
