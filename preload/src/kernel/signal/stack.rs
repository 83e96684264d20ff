//! stack_t: an alternate signal stack, and when it is in use (sigaltstack(2)).

use linux_raw_sys::general::{SS_DISABLE, SS_ONSTACK};

/// SS_AUTODISARM: the stack is taken away while a handler runs.
pub const AUTODISARM: i32 = i32::MIN;

/// stack_t.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StackT {
    pub address: u64,
    pub flags: i32,
    _padding: u32,
    pub size: u64,
}

impl StackT {
    /// No alternate stack (SS_DISABLE).
    pub const NONE: StackT = StackT { address: 0, flags: 2, _padding: 0, size: 0 };

    pub fn new(address: u64, size: u64, flags: i32) -> StackT {
        StackT { address, flags, _padding: 0, size }
    }

    /// Whether a thread whose stack pointer is `rsp` is on it. One that is disarmed while it is used never is.
    pub fn is_in_use(&self, rsp: u64) -> bool {
        self.flags & AUTODISARM == 0 && rsp > self.address && rsp - self.address <= self.size
    }

    /// As sigaltstack(2) tells of it.
    pub fn as_told(&self, rsp: u64) -> StackT {
        let state = match self.size {
            0 => SS_DISABLE,
            _ if self.is_in_use(rsp) => SS_ONSTACK,
            _ => 0,
        };
        StackT::new(self.address, self.size, state as i32 | self.flags & AUTODISARM)
    }
}

impl Default for StackT {
    fn default() -> StackT {
        StackT::NONE
    }
}
