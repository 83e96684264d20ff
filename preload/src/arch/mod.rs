//! Everything that depends on the processor: the gate through which system calls enter grivet, the register frame, the
//! fs base, extended register state, and the memory functions that the compiler expects. All assembly is here.

pub mod memory;
pub mod x86_64;

pub use x86_64::frame::{Frame, Resume};
pub use x86_64::gate::gate_addresses;
