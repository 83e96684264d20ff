//! The gate: where a rewritten `syscall` instruction arrives, and where a task goes on.
//!
//! A stub comes here with rcx = the address of its own `syscall` instruction; all other registers are the program's.
//! If the calling kernel thread belongs to grivet (its thread-local word `grivet_current` is not null), the registers
//! are saved on the task's stack and the answer runs on the worker's:
//!
//! ```text
//!   task's stack                                 worker's stack
//!   +---------------------------+                +--------------------+
//!   | the program's frames      |                | address of Frame   | <- Worker::stack_top
//!   +---------------------------+ <- rsp at the  | return address     |
//!   | red zone, 128 bytes       |    syscall     | kernel::enter's    |
//!   +---------------------------+                | frames (none while |
//!   | xmm15 .. xmm0             |                |    a task runs)    |
//!   | extended, rsp, number,    |
//!   | site, rip, rax            |                +--------------------+
//!   | rdx rsi rdi r8 r9 r10     |
//!   | rbx rbp r12 .. r15        |
//!   +---------------------------+ <- Frame: rdi of kernel::enter
//!   | XSAVE area, 64-aligned    |    only for a parked caller that is not a C library
//!   +---------------------------+
//! ```
//!
//! `kernel::enter` returns in rax how to go on (`Resume`): the same frame, or another task's. If the program's call was
//! not answered, the frame's rip is the stub's `syscall` and everything else is as it was: the call is then made there,
//! with nothing of grivet's on any stack.
//!
//! ## Signals
//! While rip is in this library a signal is only noted in `Worker::attention`. The way out looks at that word last; from
//! `grivet_resume` to `grivet_resume_end` the frame is still whole and rax (or rsp, at the sigreturn) names it, so the
//! signal handler can send execution back to `grivet_recheck`. See `kernel/signal/arrival.rs`.
//!
//! ## A child that shares memory
//! Between `vfork` (or `posix_spawn`'s `clone`) and the child's `exec`, the child runs in this memory with this task's
//! thread-local storage. `Task::shares_memory` is set then; such a caller is told from the parent by the id that the kernel
//! gives it, and all its calls go to the kernel.

use super::frame::{Frame, RED_ZONE};
use crate::raw;
use crate::sched::task::Task;
use crate::sched::worker::Worker;
use core::mem::{offset_of, size_of};

/// From the program's rsp down to the frame.
const BELOW: usize = RED_ZONE + size_of::<Frame>();

/// A number below 2^14 in DWARF's form, in two bytes.
const fn uleb(number: usize) -> [u8; 2] {
    assert!(number < 1 << 14);
    [(number & 0x7f) as u8 | 0x80, (number >> 7) as u8]
}

/// Unwinding information from where rsp is the worker's, for debuggers: the word there is the address of the frame of the
/// task that came in, and two words before its `site` stands where in the program's own code that was (`sites::stub`).
/// As a signal's frame it may lie on another stack than its caller.
macro_rules! caller {
    () => {
        concat!(
            // DW_CFA_def_cfa_expression: DW_OP_breg7 0, DW_OP_deref, DW_OP_plus_uconst.
            ".cfi_escape 0x0f, 6, 0x77, 0, 0x06, 0x23, {below_low}, {below_high}\n",
            // DW_CFA_val_expression for rip: the same up to DW_OP_plus_uconst, DW_OP_deref, DW_OP_lit16, DW_OP_minus,
            // DW_OP_deref.
            ".cfi_escape 0x16, 16, 10, 0x77, 0, 0x06, 0x23, {site_low}, {site_high}, 0x06, 0x40, 0x1c, 0x06\n",
            ".cfi_offset rbx, {rbx} - {below}\n",
            ".cfi_offset rbp, {rbp} - {below}\n",
            ".cfi_offset r12, {r12} - {below}\n",
            ".cfi_offset r13, {r13} - {below}\n",
            ".cfi_offset r14, {r14} - {below}\n",
            ".cfi_offset r15, {r15} - {below}\n",
        )
    };
}

macro_rules! gate {
    ($name:literal, $extended:literal) => {
        concat!(
            ".globl ",
            $name,
            "\n.hidden ",
            $name,
            "\n.type ",
            $name,
            ", @function\n.balign 64\n",
            $name,
            ":\n",
            ".cfi_startproc simple\n",
            ".cfi_signal_frame\n",
            ".cfi_undefined rip\n",
            "mov r11, qword ptr [rip + grivet_current@GOTTPOFF]\n",
            "mov r11, qword ptr fs:[r11]\n",
            "test r11, r11\n",
            "jz 3f\n",
            "cmp dword ptr [r11 + {shares_memory}], 0\n",
            "jne 2f\n",
            "1:\n",
            "lea rsp, [rsp - {below}]\n",
            "mov [rsp + {r15}], r15\n",
            "mov [rsp + {r14}], r14\n",
            "mov [rsp + {r13}], r13\n",
            "mov [rsp + {r12}], r12\n",
            "mov [rsp + {rbp}], rbp\n",
            "mov [rsp + {rbx}], rbx\n",
            "mov [rsp + {r10}], r10\n",
            "mov [rsp + {r9}], r9\n",
            "mov [rsp + {r8}], r8\n",
            "mov [rsp + {rdi}], rdi\n",
            "mov [rsp + {rsi}], rsi\n",
            "mov [rsp + {rdx}], rdx\n",
            "mov [rsp + {rax}], rax\n",
            "mov [rsp + {number}], rax\n",
            "mov [rsp + {rip}], rcx\n",
            "mov [rsp + {site}], rcx\n",
            "lea rcx, [rsp + {below}]\n",
            "mov [rsp + {rsp}], rcx\n",
            "mov qword ptr [rsp + {extended}], ",
            $extended,
            "\n",
            "movups [rsp + {xmm} + 0], xmm0\n",
            "movups [rsp + {xmm} + 16], xmm1\n",
            "movups [rsp + {xmm} + 32], xmm2\n",
            "movups [rsp + {xmm} + 48], xmm3\n",
            "movups [rsp + {xmm} + 64], xmm4\n",
            "movups [rsp + {xmm} + 80], xmm5\n",
            "movups [rsp + {xmm} + 96], xmm6\n",
            "movups [rsp + {xmm} + 112], xmm7\n",
            "movups [rsp + {xmm} + 128], xmm8\n",
            "movups [rsp + {xmm} + 144], xmm9\n",
            "movups [rsp + {xmm} + 160], xmm10\n",
            "movups [rsp + {xmm} + 176], xmm11\n",
            "movups [rsp + {xmm} + 192], xmm12\n",
            "movups [rsp + {xmm} + 208], xmm13\n",
            "movups [rsp + {xmm} + 224], xmm14\n",
            "movups [rsp + {xmm} + 240], xmm15\n",
            "mov rdi, rsp\n",
            "mov rsi, qword ptr [r11 + {worker}]\n",
            "mov rsp, qword ptr [rsi + {stack_top}]\n",
            "mov qword ptr [rsp], rdi\n",
            ".cfi_remember_state\n",
            caller!(),
            "call {enter}\n",
            "jmp grivet_resume\n",
            ".cfi_restore_state\n",
            // Perhaps a child that shares this memory: ask the kernel who we are, on the caller's own stack.
            "2:\n",
            "lea rsp, [rsp - {red_zone}]\n",
            "push rcx\n",
            "push rax\n",
            "push r11\n",
            "mov eax, {gettid}\n",
            "syscall\n",
            "pop r11\n",
            "cmp eax, dword ptr [rip + grivet_kernel_thread]\n",
            "pop rax\n",
            "pop rcx\n",
            "lea rsp, [rsp + {red_zone}]\n",
            "jne 3f\n",
            // It is the parent. After vfork the child is gone by now, and the question need not be asked again.
            "cmp dword ptr [r11 + {shares_memory}], 1\n",
            "jne 1b\n",
            "mov dword ptr [r11 + {shares_memory}], 0\n",
            "jmp 1b\n",
            "3:\n",
            "jmp rcx\n",
            ".cfi_endproc\n",
            ".size ",
            $name,
            ", . - ",
            $name,
            "\n",
        )
    };
}

core::arch::global_asm!(
    // The thread-local word that tells a grivet thread from any other: null, or the task that runs.
    ".pushsection .tbss,\"awT\",@nobits",
    ".balign 8",
    ".hidden grivet_current",
    ".globl grivet_current",
    ".type grivet_current, @object",
    ".size grivet_current, 8",
    "grivet_current: .zero 8",
    ".popsection",
    ".pushsection .bss.grivet_kernel_thread,\"aw\",@nobits",
    ".balign 4",
    ".hidden grivet_kernel_thread",
    ".globl grivet_kernel_thread",
    "grivet_kernel_thread: .zero 4",
    ".popsection",
    ".pushsection .text.grivet_gate,\"ax\",@progbits",
    gate!("grivet_gate_narrow", "0"),
    gate!("grivet_gate_wide", "1"),
    // rax = Resume. From here to grivet_resume_end a signal sends execution to grivet_recheck.
    ".globl grivet_resume", ".hidden grivet_resume",
    ".balign 64",
    "grivet_resume:",
    "lea r11, [rip + {the_worker}]",
    "cmp dword ptr [r11 + {attention}], 0",
    "jne grivet_recheck",
    "test al, 1",
    "jnz 4f",
    "mov r15, [rax + {r15}]",
    "mov r14, [rax + {r14}]",
    "mov r13, [rax + {r13}]",
    "mov r12, [rax + {r12}]",
    "mov rbp, [rax + {rbp}]",
    "mov rbx, [rax + {rbx}]",
    "mov r10, [rax + {r10}]",
    "mov r9, [rax + {r9}]",
    "mov r8, [rax + {r8}]",
    "mov rdi, [rax + {rdi}]",
    "mov rsi, [rax + {rsi}]",
    "mov rdx, [rax + {rdx}]",
    "movups xmm0, [rax + {xmm} + 0]",
    "movups xmm1, [rax + {xmm} + 16]",
    "movups xmm2, [rax + {xmm} + 32]",
    "movups xmm3, [rax + {xmm} + 48]",
    "movups xmm4, [rax + {xmm} + 64]",
    "movups xmm5, [rax + {xmm} + 80]",
    "movups xmm6, [rax + {xmm} + 96]",
    "movups xmm7, [rax + {xmm} + 112]",
    "movups xmm8, [rax + {xmm} + 128]",
    "movups xmm9, [rax + {xmm} + 144]",
    "movups xmm10, [rax + {xmm} + 160]",
    "movups xmm11, [rax + {xmm} + 176]",
    "movups xmm12, [rax + {xmm} + 192]",
    "movups xmm13, [rax + {xmm} + 208]",
    "movups xmm14, [rax + {xmm} + 224]",
    "movups xmm15, [rax + {xmm} + 240]",
    "mov rcx, [rax + {rip}]",
    "mov rsp, [rax + {rsp}]",
    "mov rax, [rax + {rax}]",
    ".globl grivet_resume_jump", ".hidden grivet_resume_jump",
    "grivet_resume_jump:",
    "jmp rcx",
    // A signal frame: rsp = frame + 8, as if its handler had returned, and rt_sigreturn(2).
    "4:",
    "lea rsp, [rax + 7]",
    "mov eax, {rt_sigreturn}",
    ".globl grivet_resume_sigreturn", ".hidden grivet_resume_sigreturn",
    "grivet_resume_sigreturn:",
    "syscall",
    ".globl grivet_resume_end", ".hidden grivet_resume_end",
    "grivet_resume_end:",
    "ud2",
    // rax = Resume of the current task, with attention wanted.
    ".globl grivet_recheck", ".hidden grivet_recheck",
    "grivet_recheck:",
    ".cfi_startproc simple",
    ".cfi_signal_frame",
    ".cfi_undefined rip",
    "lea rsi, [rip + {the_worker}]",
    "mov rsp, qword ptr [rsi + {stack_top}]",
    "mov rdi, rax",
    "mov qword ptr [rsp], rdi",
    "cld",
    caller!(),
    "call {attend}",
    "jmp grivet_resume",
    ".cfi_endproc",
    // What the kernel returns to after grivet's own signal handler.
    ".globl grivet_restorer", ".hidden grivet_restorer",
    "grivet_restorer:",
    "mov eax, {rt_sigreturn}",
    "syscall",
    "ud2",
    // isize grivet_idle_call(number, &arguments, &attention): a system call that is not begun once attention is wanted.
    ".globl grivet_idle_call", ".hidden grivet_idle_call",
    "grivet_idle_call:",
    "mov eax, edi",
    "mov r11, rdx",
    "mov rdi, [rsi]",
    "mov rdx, [rsi + 16]",
    "mov r10, [rsi + 24]",
    "mov r8, [rsi + 32]",
    "mov r9, [rsi + 40]",
    "mov rsi, [rsi + 8]",
    ".globl grivet_idle_check", ".hidden grivet_idle_check",
    "grivet_idle_check:",
    "cmp dword ptr [r11], 0",
    "jne grivet_idle_skip",
    ".globl grivet_idle_syscall", ".hidden grivet_idle_syscall",
    "grivet_idle_syscall:",
    "syscall",
    "ret",
    ".globl grivet_idle_skip", ".hidden grivet_idle_skip",
    "grivet_idle_skip:",
    "mov rax, -4",
    "ret",
    ".popsection",
    below = const BELOW,
    below_low = const uleb(BELOW)[0],
    below_high = const uleb(BELOW)[1],
    site_low = const uleb(offset_of!(Frame, site))[0],
    site_high = const uleb(offset_of!(Frame, site))[1],
    red_zone = const RED_ZONE,
    r15 = const offset_of!(Frame, r15),
    r14 = const offset_of!(Frame, r14),
    r13 = const offset_of!(Frame, r13),
    r12 = const offset_of!(Frame, r12),
    rbp = const offset_of!(Frame, rbp),
    rbx = const offset_of!(Frame, rbx),
    r10 = const offset_of!(Frame, r10),
    r9 = const offset_of!(Frame, r9),
    r8 = const offset_of!(Frame, r8),
    rdi = const offset_of!(Frame, rdi),
    rsi = const offset_of!(Frame, rsi),
    rdx = const offset_of!(Frame, rdx),
    rax = const offset_of!(Frame, rax),
    rip = const offset_of!(Frame, rip),
    rsp = const offset_of!(Frame, rsp),
    site = const offset_of!(Frame, site),
    number = const offset_of!(Frame, number),
    extended = const offset_of!(Frame, extended),
    xmm = const offset_of!(Frame, xmm),
    worker = const offset_of!(Task, worker),
    shares_memory = const offset_of!(Task, shares_memory),
    stack_top = const offset_of!(Worker, stack_top),
    attention = const offset_of!(Worker, attention),
    gettid = const syscalls::Sysno::gettid as u32,
    enter = sym crate::kernel::enter,
    attend = sym crate::kernel::attend,
    the_worker = sym crate::sched::worker::WORKER,
    rt_sigreturn = const syscalls::Sysno::rt_sigreturn as u32,
);

unsafe extern "C" {
    fn grivet_gate_narrow();
    fn grivet_gate_wide();
    fn grivet_resume();
    fn grivet_resume_jump();
    fn grivet_resume_sigreturn();
    fn grivet_resume_end();
    fn grivet_recheck();
    fn grivet_restorer();
    fn grivet_idle_call(number: u32, arguments: *const [usize; 6], attention: *const u32) -> isize;
    fn grivet_idle_check();
    fn grivet_idle_syscall();
    fn grivet_idle_skip();
    static mut grivet_kernel_thread: i32;
}

/// The addresses of the two gates: (for C libraries, for all other code).
pub fn gate_addresses() -> (u64, u64) {
    (grivet_gate_narrow as *const () as u64, grivet_gate_wide as *const () as u64)
}

/// Where grivet's signal handler returns to (`sa_restorer`).
pub fn restorer() -> usize {
    grivet_restorer as *const () as usize
}

/// Records the kernel thread that is the worker; a child that only shares memory is another.
pub fn set_kernel_thread(tid: i32) {
    // SAFETY: a plain word, written by the only kernel thread at activation and after fork.
    unsafe { grivet_kernel_thread = tid };
}

/// The kernel thread that is the worker.
pub fn kernel_thread() -> i32 {
    // SAFETY: a plain word, written at activation and after fork only.
    unsafe { grivet_kernel_thread }
}

/// A system call that may wait. It returns −EINTR at once if `attention` is, or becomes, non-zero before the call has
/// begun, so that no signal is slept through.
///
/// # Safety
/// As for the system call `number`.
pub unsafe fn idle_call(number: u32, arguments: [usize; 6], attention: *const u32) -> isize {
    raw::count();
    // SAFETY: the caller vouches for the call; the assembly keeps the C calling convention and reads the array first.
    unsafe { grivet_idle_call(number, &raw const arguments, attention) }
}

/// Where an interrupted instruction pointer lies, seen from the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The way out, with the frame's address still in rax.
    Leaving,
    /// The last instruction of the way out: the registers are the program's, rcx is its instruction pointer.
    LeavingJump,
    /// The way out of a signal frame, whose address plus 8 is in rsp.
    LeavingSigreturn,
    /// About to sleep; execution may be sent to the address given instead.
    GoingIdle(u64),
    Elsewhere,
}

/// Tells where `rip` lies.
pub fn place(rip: u64) -> Place {
    let at = |label: unsafe extern "C" fn()| label as *const () as u64;
    if rip == at(grivet_resume_jump) {
        Place::LeavingJump
    } else if rip == at(grivet_resume_sigreturn) {
        Place::LeavingSigreturn
    } else if rip >= at(grivet_resume) && rip < at(grivet_resume_end) {
        Place::Leaving
    } else if rip >= at(grivet_idle_check) && rip <= at(grivet_idle_syscall) {
        Place::GoingIdle(at(grivet_idle_skip))
    } else {
        Place::Elsewhere
    }
}

/// The address that takes the current task's `Resume` in rax, looks after what needs attention, and continues.
pub fn recheck_address() -> u64 {
    grivet_recheck as *const () as u64
}
