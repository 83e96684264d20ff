//! Making a kernel thread that is no task's (`kernel::pool`): clone(2) on a stack of its own, which a C library's
//! function is not to be asked for here.

core::arch::global_asm!(
    // isize grivet_start_thread(flags, stack_top, &word, function, argument): in the new thread, function(argument) on
    // the new stack, which it never leaves; rdx and r10 are clone's parent_tid and child_tid.
    ".pushsection .text.grivet_start_thread,\"ax\",@progbits",
    ".globl grivet_start_thread",
    ".hidden grivet_start_thread",
    ".type grivet_start_thread, @function",
    "grivet_start_thread:",
    "mov r9, rcx",
    "mov r10, rdx",
    "mov eax, {clone}",
    "and rsi, -16",
    "push r12",
    "push r13",
    "mov r12, r9",
    "mov r13, r8",
    "xor r8d, r8d",
    "syscall",
    "test rax, rax",
    "jz 1f",
    "pop r13",
    "pop r12",
    "ret",
    "1:",
    "xor ebp, ebp",
    "mov rdi, r13",
    "call r12",
    "ud2",
    ".size grivet_start_thread, . - grivet_start_thread",
    ".popsection",
    clone = const syscalls::Sysno::clone as u32,
);

unsafe extern "C" {
    fn grivet_start_thread(
        flags: usize,
        stack_top: usize,
        word: *mut i32,
        function: extern "C" fn(usize) -> !,
        argument: usize,
    ) -> isize;
}

/// clone(2) with `flags`: `function(argument)` runs in a new thread below `stack_top`. `word` is for
/// CLONE_PARENT_SETTID and CLONE_CHILD_CLEARTID. The thread's id, or a negated errno.
///
/// # Safety
/// The stack must be nobody else's until the thread has ended, and `flags` must make a thread that shares this memory.
pub unsafe fn start_thread(
    flags: usize,
    stack_top: usize,
    word: *mut i32,
    function: extern "C" fn(usize) -> !,
    argument: usize,
) -> isize {
    // SAFETY: the caller vouches for the stack and the flags; the assembly keeps the C calling convention.
    unsafe { grivet_start_thread(flags, stack_top, word, function, argument) }
}
