//! The register frame that the gate saves, and the tagged word that says how a task goes on. Layout is shared with the
//! assembly in `gate.rs`, which takes every offset from here.

/// What a task's registers were when it entered grivet, kept on the task's own stack below its red zone.
///
/// rcx and r11 are absent: the `syscall` instruction destroys them, so no program relies on them.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    /// The call's number on entry, its result on return.
    pub rax: u64,
    /// Where to go on: on entry `site`, so that an untouched frame makes the call in the kernel.
    pub rip: u64,
    /// The address of the stub's own `syscall` instruction.
    pub site: u64,
    /// The call's number.
    pub number: u64,
    pub rsp: u64,
    /// 0: the call came from a C library, whose callers expect no vector register to survive beyond xmm; 1: from
    /// other code, for which all extended state is kept; otherwise the address of an XSAVE area holding that state.
    pub extended: u64,
    pub xmm: [[u64; 2]; 16],
}

/// Bytes that a leaf function may use below its stack pointer (System V ABI).
pub const RED_ZONE: usize = 128;

/// Offset from a stub's `syscall` instruction back to the word that holds the address at which an answered call goes on.
const BACK_ADDRESS: u64 = 8;

impl Frame {
    /// The six arguments of the system call.
    #[inline(always)]
    pub fn arguments(&self) -> [usize; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9].map(|word| word as usize)
    }

    /// The call's number.
    #[inline(always)]
    pub fn number(&self) -> u32 {
        self.number as u32
    }

    /// Completes the call with `result` (a negated errno for an error): execution goes on behind the rewritten
    /// instructions.
    #[inline(always)]
    pub fn answer(&mut self, result: isize) {
        self.rax = result as u64;
        self.rip = self.back_address();
    }

    #[inline(always)]
    fn back_address(&self) -> u64 {
        // SAFETY: every stub holds this word eight bytes before its syscall instruction (sites::encode), and stubs
        // are not unmapped while a task is in one.
        unsafe { ((self.site - BACK_ADDRESS) as *const u64).read() }
    }

    /// Prepares the call to be made again: it enters the gate anew. What was moved along with it is not done twice.
    pub fn restart(&mut self) {
        self.rip = self.site - grivet_sites::GATE_ENTRY;
        self.rax = self.number;
    }

    /// The call is left to the kernel, and has not been made yet.
    pub fn is_passed(&self) -> bool {
        self.rip == self.site
    }
}

/// How a task that is not running goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Resume(pub usize);

impl Resume {
    /// From a frame that the gate saved.
    #[inline(always)]
    pub fn gate(frame: *mut Frame) -> Resume {
        Resume(frame as usize)
    }

    /// From a signal frame as the kernel lays it out (the task was interrupted in its own code).
    pub fn signal(frame: usize) -> Resume {
        Resume(frame | 1)
    }

    /// The gate frame, if that is what it is.
    #[inline(always)]
    pub fn as_gate(self) -> Option<*mut Frame> {
        if self.0 & 1 == 0 { Some(self.0 as *mut Frame) } else { None }
    }

    /// The address of the signal frame, if that is what it is.
    pub fn as_signal(self) -> Option<usize> {
        if self.0 & 1 == 1 { Some(self.0 & !1) } else { None }
    }
}
