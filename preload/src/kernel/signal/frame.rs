//! The frames that x86-64 Linux puts on a stack to run a signal handler, and takes back by rt_sigreturn
//! (arch/x86/include/uapi/asm/sigcontext.h, arch/x86/kernel/signal_64.c): reading the ones the kernel made, copying them to
//! a task's stack, and making them for tasks that were parked.

use crate::arch::Frame;
use crate::arch::x86_64::cpu::{Cpu, FloatControl, STANDARD_LIMIT};
use crate::arch::x86_64::frame::RED_ZONE;
use crate::arch::x86_64::user_memory as user;
use crate::rewrite;
use core::mem::offset_of;
use syscalls::Errno;

pub use super::info::{SI_TKILL, SigInfo};
pub use super::stack::{AUTODISARM, StackT};

/// struct sigcontext.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SigContext {
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rsp: u64,
    pub rip: u64,
    pub eflags: u64,
    /// cs, gs, fs, ss, 16 bits each.
    pub selectors: u64,
    pub err: u64,
    pub trapno: u64,
    pub oldmask: u64,
    pub cr2: u64,
    pub fpstate: u64,
    /// Neither the kernel's nor libc's: while `rip` is `shown`, execution goes on at `goes_on_at` (`show_original`).
    pub shown: u64,
    pub goes_on_at: u64,
    _reserved: [u64; 6],
}

/// ucontext_t as the kernel has it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct UContext {
    pub flags: u64,
    pub link: u64,
    pub stack: StackT,
    pub registers: SigContext,
    pub mask: u64,
}

/// struct rt_sigframe.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SignalFrame {
    /// Where the handler returns to.
    pub return_address: u64,
    pub context: UContext,
    pub info: SigInfo,
}

const USER_CS: u64 = 0x33;
const USER_SS: u64 = 0x2b;
const UC_FP_XSTATE: u64 = 1;
const UC_SIGCONTEXT_SS: u64 = 2;
const UC_STRICT_RESTORE_SS: u64 = 4;
const EFLAGS_RESERVED: u64 = 0x202;
/// Direction, trap and resume flags, which a handler starts without.
const EFLAGS_CLEARED: u64 = 1 << 10 | 1 << 8 | 1 << 16;

/// Bytes of an FXSAVE image.
const FXSAVE: usize = 512;
/// sw_reserved in the FXSAVE image: magic1, extended_size.
const SW_RESERVED: usize = 464;
const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;

/// Bytes of the floating point state at `fpstate` of a frame that the kernel wrote.
///
/// # Safety
/// `fpstate` is 0 or such an address.
unsafe fn float_size(fpstate: u64) -> usize {
    if fpstate == 0 {
        return 0;
    }
    // SAFETY: the caller vouches for the address; the image is at least FXSAVE bytes long.
    let [magic, size] = unsafe { ((fpstate as usize + SW_RESERVED) as *const [u32; 2]).read_unaligned() };
    if magic == FP_XSTATE_MAGIC1 { size as usize } else { FXSAVE }
}

/// Copies the kernel-made frame `from` so that it ends below `below`, with the alignment that a handler expects; its new
/// address. EFAULT if there is no room.
///
/// # Safety
/// `from` is a signal frame; the memory below `below` is free stack (or the destination's own).
pub unsafe fn copy_below(from: usize, below: u64) -> Result<u64, Errno> {
    // SAFETY: the caller vouches for the source.
    let mut frame = unsafe { (from as *const SignalFrame).read() };
    // SAFETY: the frame is the kernel's.
    let size = unsafe { float_size(frame.context.registers.fpstate) };
    let (float, place) = places(size, below);
    if size != 0 {
        // SAFETY: the range below `below` is free.
        unsafe { user::copy(float as usize, frame.context.registers.fpstate as usize, size) }?;
        frame.context.registers.fpstate = float;
    }
    user::write(place as usize, &frame)?;
    Ok(place)
}

/// Where a frame with `size` bytes of floating point state lies below `below`: the state, and the frame itself, aligned as
/// after a call.
fn places(size: usize, below: u64) -> (u64, u64) {
    let float = below.wrapping_sub(size as u64) & !63;
    (float, (float.wrapping_sub(size_of::<SignalFrame>() as u64) & !15).wrapping_sub(8))
}

/// As `copy_below`, of a frame that may lie there already, or in part. In that case it stays where it is.
///
/// # Safety
/// As for `copy_below`.
pub unsafe fn move_below(from: usize, below: u64) -> Result<u64, Errno> {
    // SAFETY: the caller vouches for the frame.
    let size = unsafe { float_size((*(from as *const SignalFrame)).context.registers.fpstate) };
    let (_, place) = places(size, below);
    if place < (from + size_of::<SignalFrame>() + size + 128) as u64 && (from as u64) < below {
        return Ok(from as u64);
    }
    // SAFETY: as above.
    unsafe { copy_below(from, below) }
}

/// Bytes that a copy of the frame at `from` takes at most.
///
/// # Safety
/// As for `copy_below`.
pub unsafe fn room_for_copy(from: usize) -> usize {
    const ALIGNMENTS: usize = 64 + 16 + 8;
    // SAFETY: the caller vouches for the frame, and the frame is the kernel's.
    unsafe {
        float_size((*(from as *const SignalFrame)).context.registers.fpstate) + size_of::<SignalFrame>() + ALIGNMENTS
    }
}

/// Makes the frame from which rt_sigreturn continues the task whose gate frame is `call`; its address, below `below`.
pub fn make_below(cpu: &Cpu, call: &Frame, float_control: FloatControl, below: u64) -> Result<u64, Errno> {
    const MAGIC_SIZE: usize = size_of::<u32>();
    let mut image = [0u8; STANDARD_LIMIT + MAGIC_SIZE];
    let mut size = FXSAVE;
    if call.extended > 1 {
        const SSE: u64 = 2;
        // What the processor has beyond xmm was put below the gate's frame, which the new frame may overwrite.
        let Some((state, _)) = image.split_first_chunk_mut() else { return Err(Errno::EFAULT) };
        // SAFETY: that is what `extended` tells.
        let (length, components) = unsafe { cpu.standard_image(call.extended as *const u8, state) };
        image[FXSAVE] |= SSE as u8;
        image[length..length + MAGIC_SIZE].copy_from_slice(&FP_XSTATE_MAGIC2.to_ne_bytes());
        size = length + MAGIC_SIZE;
        image[SW_RESERVED..][..4].copy_from_slice(&FP_XSTATE_MAGIC1.to_ne_bytes());
        image[SW_RESERVED + 4..][..4].copy_from_slice(&(size as u32).to_ne_bytes());
        image[SW_RESERVED + 8..][..8].copy_from_slice(&(components | SSE).to_ne_bytes());
        image[SW_RESERVED + 16..][..4].copy_from_slice(&(length as u32).to_ne_bytes());
    }
    let (float, place) = places(size, below);
    image[..2].copy_from_slice(&float_control.x87.to_ne_bytes());
    image[24..28].copy_from_slice(&float_control.mxcsr.to_ne_bytes());
    for (index, register) in call.xmm.iter().enumerate() {
        image[160 + 16 * index..][..8].copy_from_slice(&register[0].to_ne_bytes());
        image[168 + 16 * index..][..8].copy_from_slice(&register[1].to_ne_bytes());
    }
    // SAFETY: the image is this function's.
    unsafe { user::copy(float as usize, image.as_ptr() as usize, size) }?;
    let extended = if call.extended > 1 { UC_FP_XSTATE } else { 0 };
    let frame = SignalFrame {
        return_address: 0,
        context: UContext {
            flags: UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | extended,
            link: 0,
            stack: StackT::NONE,
            registers: SigContext {
                r8: call.r8,
                r9: call.r9,
                r10: call.r10,
                r11: EFLAGS_RESERVED,
                r12: call.r12,
                r13: call.r13,
                r14: call.r14,
                r15: call.r15,
                rdi: call.rdi,
                rsi: call.rsi,
                rbp: call.rbp,
                rbx: call.rbx,
                rdx: call.rdx,
                rax: call.rax,
                rcx: call.rip,
                rsp: call.rsp,
                rip: call.rip,
                eflags: EFLAGS_RESERVED,
                selectors: USER_CS | USER_SS << 48,
                err: 0,
                trapno: 0,
                oldmask: 0,
                cr2: 0,
                fpstate: float,
                shown: 0,
                goes_on_at: 0,
                _reserved: [0; 6],
            },
            mask: 0,
        },
        info: SigInfo::NONE,
    };
    user::write(place as usize, &frame)?;
    Ok(place)
}

/// If the frame at `place` goes on in a stub, its handler, and unwinders, are shown where in the program's code that is.
/// Unless the handler changes it, execution goes on in the stub (`unshow`).
pub fn show_original(place: u64) -> Result<(), Errno> {
    let registers = place as usize + offset_of!(SignalFrame, context) + offset_of!(UContext, registers);
    // SAFETY: a plain word.
    let rip = unsafe { user::read::<u64>(registers + offset_of!(SigContext, rip)) }?;
    let shown = rewrite::original(rip).unwrap_or(rip);
    user::write(registers + offset_of!(SigContext, rip), &shown)?;
    user::write(registers + offset_of!(SigContext, shown), &[shown, rip])
}

/// The handler on the frame at `place` has returned: execution goes on where it was interrupted, or where it has put it.
pub fn unshow(place: usize) -> Result<(), Errno> {
    let registers = place + offset_of!(SignalFrame, context) + offset_of!(UContext, registers);
    // SAFETY: plain words.
    let (rip, [shown, goes_on_at]) = unsafe {
        let rip = user::read::<u64>(registers + offset_of!(SigContext, rip))?;
        (rip, user::read::<[u64; 2]>(registers + offset_of!(SigContext, shown))?)
    };
    if rip == shown && rip != goes_on_at {
        user::write(registers + offset_of!(SigContext, rip), &goes_on_at)?;
    }
    Ok(())
}

/// The gate frame that enters `handler` with the signal frame at `place`: rsp as after a call, the three arguments set.
/// It is laid below the signal frame's red zone; its address.
pub fn enter_handler(place: u64, signal: u32, handler: u64) -> Result<*mut Frame, Errno> {
    let at = (place as usize - RED_ZONE - size_of::<Frame>()) as *mut Frame;
    let frame = Frame {
        r15: 0,
        r14: 0,
        r13: 0,
        r12: 0,
        rbp: 0,
        rbx: 0,
        r10: 0,
        r9: 0,
        r8: 0,
        rdi: u64::from(signal),
        rsi: place + offset_of!(SignalFrame, info) as u64,
        rdx: place + offset_of!(SignalFrame, context) as u64,
        rax: 0,
        rip: handler,
        site: 0,
        number: 0,
        rsp: place,
        extended: 0,
        xmm: [[0; 2]; 16],
    };
    user::write(at as usize, &frame)?;
    Ok(at)
}

impl SigContext {
    /// Prepares these registers to go on at `rip` with `rax`, as grivet's own code expects.
    pub fn go_to(&mut self, rip: u64, rax: u64) {
        self.rip = rip;
        self.rax = rax;
        self.eflags &= !EFLAGS_CLEARED;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_the_kernels() {
        assert_eq!(size_of::<SigInfo>(), 128);
        assert_eq!(size_of::<SigContext>(), 256);
        assert_eq!(size_of::<UContext>(), 304);
        assert_eq!(size_of::<SignalFrame>(), 440);
        assert_eq!(offset_of!(SignalFrame, info), 312);
        assert_eq!(offset_of!(UContext, mask), 296);
    }

    #[test]
    fn a_copied_frame_is_aligned_as_after_a_call() {
        let call = Frame {
            r15: 15,
            r14: 0,
            r13: 0,
            r12: 0,
            rbp: 0,
            rbx: 3,
            r10: 0,
            r9: 0,
            r8: 0,
            rdi: 1,
            rsi: 0,
            rdx: 0,
            rax: 7,
            rip: 0x1234,
            site: 0,
            number: 7,
            rsp: 0x8888,
            extended: 0,
            xmm: [[5, 6]; 16],
        };
        let mut stack = std::vec![0u8; 8192];
        let top = stack.as_mut_ptr_range().end as u64;
        let made = make_below(&Cpu::NONE, &call, FloatControl { mxcsr: 0x1f80, x87: 0x37f }, top).unwrap();
        assert_eq!(made % 16, 8);
        let mut other = std::vec![0u8; 8192];
        // SAFETY: the frame was just made; the other buffer is large enough.
        let copy = unsafe { copy_below(made as usize, other.as_mut_ptr_range().end as u64) }.unwrap();
        assert_eq!(copy % 16, 8);
        // SAFETY: the copy is a whole frame.
        let copied = unsafe { &*(copy as *const SignalFrame) };
        assert_eq!((copied.context.registers.rip, copied.context.registers.rbx), (0x1234, 3));
        assert_eq!(copied.context.registers.fpstate % 64, 0);
        assert!(copied.context.registers.fpstate > copy);
    }
}
