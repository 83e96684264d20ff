//! The rules in force: which function entries were rewritten, and what is to happen there.

use alloc::string::String;

/// What happens when the function is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The call becomes a task; the caller goes on at once.
    Spawn,
    /// The caller first waits for the calls that it has spawned.
    Join,
    /// exit(3): outside of spawned calls, waits for all of them.
    Exit,
    /// longjmp(3) and its kin: may not leave a spawned call.
    Jump,
}

/// Where the value goes. The assembly knows the numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Result {
    /// To rax; xmm0 stays.
    Integer = 0,
    /// To xmm0; rax stays.
    Double = 1,
    /// To both: zero, which is right for either kind.
    Zero = 2,
}

/// One rewritten entry. The assembly knows the first three fields; a rule lives as long as the process.
#[repr(C)]
pub struct Rule {
    /// Where the function goes on behind its rewritten entry.
    pub body: u64,
    /// What the caller of a spawned call gets.
    pub value: u64,
    pub result: Result,
    pub kind: Kind,
    pub name: String,
}
