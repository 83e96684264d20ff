//! The assembly of spawn rules: what a rewritten function entry runs into, and where a spawned call begins.
//!
//! A stub (sites::encode_entry) arrives at `grivet_spawn_hook` with all registers as the caller left them:
//!
//! ```text
//!   +---------------------------+
//!   | stack arguments           |   Arguments::stack is copied from here
//!   +---------------------------+
//!   | return address            |
//!   +---------------------------+
//!   | address of the Rule       |   pushed by the stub
//!   +---------------------------+ <- rsp on arrival, 16-aligned
//!   | xmm15 .. xmm0             |
//!   | r11 r10 rax r9 r8 rcx rdx |
//!   | rsi rdi                   |
//!   +---------------------------+ <- Registers: rdi of spawn::call::decide
//! ```
//!
//! `decide` says whether the function itself goes on (at `Rule::body`) or the caller is given the rule's value at once. Either
//! way all other registers are restored, those too that a call may change: compilers know what a function of the same
//! file really changes, and keep values in the rest (GCC's -fipa-ra).

use super::call::{Call, decide, finish};
use super::rules::{Result, Rule};
use core::mem::offset_of;

/// The registers that a call may change, as the hook lays them down.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Registers {
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub r8: u64,
    pub r9: u64,
    /// al: the number of vector registers used by a call with a variable number of arguments.
    pub rax: u64,
    /// The static chain of nested functions.
    pub r10: u64,
    pub r11: u64,
    padding: u64,
    /// The first eight may be arguments.
    pub xmm: [[u64; 2]; 16],
}

/// Bytes of stack arguments that a spawned call is given.
pub const STACK_ARGUMENTS: usize = 256;

const FRAME: usize = size_of::<Registers>();
const _: () = assert!(FRAME.is_multiple_of(16) && STACK_ARGUMENTS.is_multiple_of(16));

core::arch::global_asm!(
    ".pushsection .tbss,\"awT\",@nobits",
    ".balign 8",
    // The spawned call that this thread runs, or null; and what counts the calls that it has spawned itself.
    ".hidden grivet_call_word", ".globl grivet_call_word",
    ".type grivet_call_word, @object", ".size grivet_call_word, 8",
    "grivet_call_word: .zero 8",
    ".hidden grivet_nursery_word", ".globl grivet_nursery_word",
    ".type grivet_nursery_word, @object", ".size grivet_nursery_word, 8",
    "grivet_nursery_word: .zero 8",
    ".popsection",
    ".pushsection .text.grivet_spawn,\"ax\",@progbits",
    ".hidden grivet_spawn_hook", ".globl grivet_spawn_hook",
    "grivet_spawn_hook:",
    ".cfi_startproc",
    ".cfi_def_cfa_offset 16",
    "sub rsp, {frame}",
    ".cfi_adjust_cfa_offset {frame}",
    "mov [rsp + {rdi}], rdi",
    "mov [rsp + {rsi}], rsi",
    "mov [rsp + {rdx}], rdx",
    "mov [rsp + {rcx}], rcx",
    "mov [rsp + {r8}], r8",
    "mov [rsp + {r9}], r9",
    "mov [rsp + {rax}], rax",
    "mov [rsp + {r10}], r10",
    "mov [rsp + {r11}], r11",
    "movups [rsp + {xmm} + 0], xmm0",
    "movups [rsp + {xmm} + 16], xmm1",
    "movups [rsp + {xmm} + 32], xmm2",
    "movups [rsp + {xmm} + 48], xmm3",
    "movups [rsp + {xmm} + 64], xmm4",
    "movups [rsp + {xmm} + 80], xmm5",
    "movups [rsp + {xmm} + 96], xmm6",
    "movups [rsp + {xmm} + 112], xmm7",
    "movups [rsp + {xmm} + 128], xmm8",
    "movups [rsp + {xmm} + 144], xmm9",
    "movups [rsp + {xmm} + 160], xmm10",
    "movups [rsp + {xmm} + 176], xmm11",
    "movups [rsp + {xmm} + 192], xmm12",
    "movups [rsp + {xmm} + 208], xmm13",
    "movups [rsp + {xmm} + 224], xmm14",
    "movups [rsp + {xmm} + 240], xmm15",
    "mov rdi, rsp",
    "mov rsi, [rsp + {frame}]",
    "lea rdx, [rsp + {frame} + 16]",
    "call {decide}",
    "mov r11, [rsp + {frame}]",
    "mov rdi, [rsp + {rdi}]",
    "mov rsi, [rsp + {rsi}]",
    "mov rdx, [rsp + {rdx}]",
    "mov rcx, [rsp + {rcx}]",
    "mov r8, [rsp + {r8}]",
    "mov r9, [rsp + {r9}]",
    "mov r10, [rsp + {r10}]",
    "movups xmm0, [rsp + {xmm} + 0]",
    "movups xmm1, [rsp + {xmm} + 16]",
    "movups xmm2, [rsp + {xmm} + 32]",
    "movups xmm3, [rsp + {xmm} + 48]",
    "movups xmm4, [rsp + {xmm} + 64]",
    "movups xmm5, [rsp + {xmm} + 80]",
    "movups xmm6, [rsp + {xmm} + 96]",
    "movups xmm7, [rsp + {xmm} + 112]",
    "movups xmm8, [rsp + {xmm} + 128]",
    "movups xmm9, [rsp + {xmm} + 144]",
    "movups xmm10, [rsp + {xmm} + 160]",
    "movups xmm11, [rsp + {xmm} + 176]",
    "movups xmm12, [rsp + {xmm} + 192]",
    "movups xmm13, [rsp + {xmm} + 208]",
    "movups xmm14, [rsp + {xmm} + 224]",
    "movups xmm15, [rsp + {xmm} + 240]",
    "test eax, eax",
    "jnz 2f",
    // The rule's word becomes the address to go on at.
    "mov rax, [r11 + {body}]",
    "mov [rsp + {frame}], rax",
    "mov rax, [rsp + {rax}]",
    "mov r11, [rsp + {r11}]",
    "add rsp, {frame}",
    ".cfi_adjust_cfa_offset -{frame}",
    "ret",
    "2:",
    ".cfi_def_cfa_offset {frame} + 16",
    "mov rax, [r11 + {value}]",
    "cmp dword ptr [r11 + {result}], {integer}",
    "je 3f",
    "movq xmm0, rax",
    "cmp dword ptr [r11 + {result}], {zero}",
    "je 3f",
    "mov rax, [rsp + {rax}]",
    "3:",
    "mov r11, [rsp + {r11}]",
    "add rsp, {frame} + 8",
    ".cfi_def_cfa_offset 8",
    "ret",
    ".cfi_endproc",
    // void *grivet_spawn_start(Call *): the start routine of the thread that runs a spawned call.
    ".hidden grivet_spawn_start", ".globl grivet_spawn_start",
    "grivet_spawn_start:",
    ".cfi_startproc",
    "push rbx",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbx, -16",
    "mov rbx, rdi",
    "mov rax, qword ptr [rip + grivet_call_word@GOTTPOFF]",
    "mov fs:[rax], rbx",
    "lea rcx, [rbx + {nursery}]",
    "mov rax, qword ptr [rip + grivet_nursery_word@GOTTPOFF]",
    "mov fs:[rax], rcx",
    "sub rsp, {stack_size}",
    ".cfi_adjust_cfa_offset {stack_size}",
    "lea rsi, [rbx + {stack}]",
    "mov rdi, rsp",
    "mov ecx, {stack_size} / 8",
    "rep movsq",
    "lea r11, [rbx + {registers}]",
    "mov rdi, [r11 + {rdi}]",
    "mov rsi, [r11 + {rsi}]",
    "mov rdx, [r11 + {rdx}]",
    "mov rcx, [r11 + {rcx}]",
    "mov r8, [r11 + {r8}]",
    "mov r9, [r11 + {r9}]",
    "mov rax, [r11 + {rax}]",
    "mov r10, [r11 + {r10}]",
    "movups xmm0, [r11 + {xmm} + 0]",
    "movups xmm1, [r11 + {xmm} + 16]",
    "movups xmm2, [r11 + {xmm} + 32]",
    "movups xmm3, [r11 + {xmm} + 48]",
    "movups xmm4, [r11 + {xmm} + 64]",
    "movups xmm5, [r11 + {xmm} + 80]",
    "movups xmm6, [r11 + {xmm} + 96]",
    "movups xmm7, [r11 + {xmm} + 112]",
    "mov r11, [rbx + {rule}]",
    "call qword ptr [r11 + {body}]",
    "add rsp, {stack_size}",
    ".cfi_adjust_cfa_offset -{stack_size}",
    "mov rdi, rbx",
    "call {finish}",
    "xor eax, eax",
    "pop rbx",
    ".cfi_def_cfa_offset 8",
    "ret",
    ".cfi_endproc",
    ".popsection",
    frame = const FRAME,
    stack_size = const STACK_ARGUMENTS,
    rdi = const offset_of!(Registers, rdi),
    rsi = const offset_of!(Registers, rsi),
    rdx = const offset_of!(Registers, rdx),
    rcx = const offset_of!(Registers, rcx),
    r8 = const offset_of!(Registers, r8),
    r9 = const offset_of!(Registers, r9),
    rax = const offset_of!(Registers, rax),
    r10 = const offset_of!(Registers, r10),
    r11 = const offset_of!(Registers, r11),
    xmm = const offset_of!(Registers, xmm),
    body = const offset_of!(Rule, body),
    value = const offset_of!(Rule, value),
    result = const offset_of!(Rule, result),
    integer = const Result::Integer as u32,
    zero = const Result::Zero as u32,
    rule = const offset_of!(Call, rule),
    registers = const offset_of!(Call, registers),
    stack = const offset_of!(Call, stack),
    nursery = const offset_of!(Call, nursery),
    decide = sym decide,
    finish = sym finish,
);

unsafe extern "C" {
    fn grivet_spawn_hook();
    fn grivet_spawn_start(call: *mut core::ffi::c_void) -> *mut core::ffi::c_void;
    fn grivet_call_offset() -> i64;
    fn grivet_nursery_offset() -> i64;
}

core::arch::global_asm!(
    ".pushsection .text.grivet_spawn,\"ax\",@progbits",
    ".hidden grivet_call_offset",
    ".globl grivet_call_offset",
    "grivet_call_offset:",
    "mov rax, qword ptr [rip + grivet_call_word@GOTTPOFF]",
    "ret",
    ".hidden grivet_nursery_offset",
    ".globl grivet_nursery_offset",
    "grivet_nursery_offset:",
    "mov rax, qword ptr [rip + grivet_nursery_word@GOTTPOFF]",
    "ret",
    ".popsection",
);

/// The address that entry stubs jump to.
pub fn hook_address() -> u64 {
    grivet_spawn_hook as *const () as u64
}

/// The start routine of threads that run spawned calls.
pub fn start_routine() -> extern "C" fn(*mut core::ffi::c_void) -> *mut core::ffi::c_void {
    // SAFETY: the assembly keeps the C calling convention; it is given a `Call` by `call::spawn` only.
    unsafe { core::mem::transmute(grivet_spawn_start as *const ()) }
}

/// The word of the thread with thread pointer `fs_base` that holds the `Call` it runs.
pub fn call_word(fs_base: u64) -> *mut *mut Call {
    // SAFETY: reads a constant of the global offset table.
    fs_base.wrapping_add_signed(unsafe { grivet_call_offset() }) as *mut *mut Call
}

/// The word of that thread that holds its `Nursery`.
pub fn nursery_word(fs_base: u64) -> *mut *mut super::call::Nursery {
    // SAFETY: reads a constant of the global offset table.
    fs_base.wrapping_add_signed(unsafe { grivet_nursery_offset() }) as *mut *mut super::call::Nursery
}

/// The calling thread's thread pointer: the x86-64 ABI keeps it at its own address.
pub fn thread_pointer() -> u64 {
    let base: u64;
    // SAFETY: fs:0 is readable in every thread.
    unsafe { core::arch::asm!("mov {}, fs:0", out(reg) base, options(nostack, readonly, preserves_flags)) };
    base
}
