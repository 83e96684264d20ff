//! What differs from one x86-64 processor to another: how the fs base is written, and which extended registers exist.

use crate::raw;
use core::arch::asm;
use syscalls::Sysno;

/// AT_HWCAP2 bit 1: the kernel lets programs use the fsgsbase instructions (arch/x86/include/uapi/asm/hwcap2.h).
const HWCAP2_FSGSBASE: u64 = 2;
const ARCH_SET_FS: usize = 0x1002;
const ARCH_GET_FS: usize = 0x1003;

/// Extended state that code other than a C library may expect to survive a system call: x87 (bit 0), AVX upper halves
/// (bit 2), AVX-512 masks and registers (bits 5, 6, 7). xmm is in the frame already.
const EXTENDED_COMPONENTS: u64 = 1 << 0 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7;

/// What this processor can do, found once at activation.
#[derive(Clone, Copy)]
pub struct Cpu {
    fsgsbase: bool,
    /// Components that xsavec and xrstor handle here; 0 if the processor has no xsavec.
    components: u64,
    /// Bytes of an XSAVE area for them in the compacted format.
    area: usize,
    /// xgetbv tells which of them are in use.
    tells_use: bool,
    /// Where each component stands in the compacted format and in the standard one, and its size; size 0 if there is none.
    places: [Place; 8],
}

/// Where a component of the extended state stands.
#[derive(Clone, Copy)]
struct Place {
    compacted: u16,
    standard: u16,
    size: u16,
}

/// Bytes that the standard format's components, up to AVX-512, take at most.
pub const STANDARD_LIMIT: usize = 2688;
/// Bytes of the legacy part of an XSAVE area, and of the header behind it.
const LEGACY: usize = 512;
const HEADER: usize = 64;

impl Cpu {
    /// Nothing known yet.
    pub const NONE: Cpu = Cpu {
        fsgsbase: false,
        components: 0,
        area: 0,
        tells_use: false,
        places: [Place { compacted: 0, standard: 0, size: 0 }; 8],
    };

    /// Asks the processor; `hwcap2` is the process's AT_HWCAP2.
    pub fn detect(hwcap2: u64) -> Cpu {
        use core::arch::x86_64::{__cpuid, __cpuid_count};
        let mut cpu = Cpu { fsgsbase: hwcap2 & HWCAP2_FSGSBASE != 0, ..Cpu::NONE };
        let osxsave = __cpuid(1).ecx & 1 << 27 != 0;
        if __cpuid(0).eax < 0xd || !osxsave || __cpuid_count(0xd, 1).eax & 1 << 1 == 0 {
            return cpu;
        }
        let (low, high): (u32, u32);
        // SAFETY: OSXSAVE says that xgetbv may be used; register 0 exists.
        unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack)) };
        cpu.components = (u64::from(high) << 32 | u64::from(low)) & EXTENDED_COMPONENTS;
        cpu.tells_use = __cpuid_count(0xd, 1).eax & 1 << 2 != 0;
        cpu.area = 576;
        for component in 2..8 {
            if cpu.components & 1 << component != 0 {
                let leaf = __cpuid_count(0xd, component);
                if leaf.ecx & 2 != 0 {
                    cpu.area = cpu.area.next_multiple_of(64);
                }
                cpu.places[component as usize] =
                    Place { compacted: cpu.area as u16, standard: leaf.ebx as u16, size: leaf.eax as u16 };
                cpu.area += leaf.eax as usize;
            }
        }
        cpu
    }

    /// Bytes that `save_extended` needs; 0 if there is nothing to save.
    pub fn extended_size(&self) -> usize {
        if self.components == 0 { 0 } else { self.area }
    }

    /// Whether vector registers hold anything beyond xmm now, as far as the processor can tell.
    #[inline(always)]
    pub fn uses_upper_halves(&self) -> bool {
        const UPPER: u64 = EXTENDED_COMPONENTS & !1;
        if self.components & UPPER == 0 {
            return false;
        }
        if !self.tells_use {
            return true;
        }
        let low: u32;
        // SAFETY: CPUID says that register 1 (XINUSE) may be read.
        unsafe { asm!("xgetbv", in("ecx") 1, out("eax") low, out("edx") _, options(nomem, nostack)) };
        u64::from(low) & self.components & UPPER != 0
    }

    /// Saves the extended registers to `area`; whether x87 registers were in use.
    ///
    /// # Safety
    /// `area` is 64-byte aligned and has `extended_size()` writable bytes.
    pub unsafe fn save_extended(&self, area: *mut u8) -> bool {
        let (low, high) = (self.components as u32, (self.components >> 32) as u32);
        // SAFETY: the header's 64 bytes must be zero before xsavec/xrstor; the caller vouches for the area.
        unsafe {
            core::ptr::write_bytes(area.add(512), 0, 64);
            asm!("xsavec [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack));
            area.add(LEGACY).read() & 1 != 0
        }
    }

    /// Turns the area at `from`, which `save_extended` filled, into the standard format, which signal frames have, but for
    /// xmm registers and settings. The image's bytes, and the components that it has room for.
    ///
    /// # Safety
    /// `from` is such an area.
    pub unsafe fn standard_image(&self, from: *const u8, image: &mut [u8; STANDARD_LIMIT]) -> (usize, u64) {
        const X87: u64 = 1;
        // Control, status and tag words, last instruction; the eight registers.
        const X87_WORDS: core::ops::Range<usize> = 0..24;
        const X87_REGISTERS: core::ops::Range<usize> = 32..160;
        // SAFETY: the caller vouches for the area.
        let area = unsafe { core::slice::from_raw_parts(from, self.area) };
        let in_use = u64::from_le_bytes(area[LEGACY..LEGACY + 8].try_into().unwrap_or_default());
        if in_use & X87 != 0 {
            image[X87_WORDS].copy_from_slice(&area[X87_WORDS]);
            image[X87_REGISTERS].copy_from_slice(&area[X87_REGISTERS]);
        }
        let (mut size, mut present) = (LEGACY + HEADER, in_use & X87);
        for (component, place) in self.places.iter().enumerate().filter(|(_, place)| place.size != 0) {
            let (from, to, length) = (place.compacted as usize, place.standard as usize, place.size as usize);
            if to + length > STANDARD_LIMIT {
                continue;
            }
            size = size.max(to + length);
            if in_use & 1 << component != 0 {
                present |= 1 << component;
                image[to..to + length].copy_from_slice(&area[from..from + length]);
            }
        }
        image[LEGACY..LEGACY + 8].copy_from_slice(&present.to_le_bytes());
        (size, self.components)
    }

    /// Loads the extended registers from `area`.
    ///
    /// # Safety
    /// `area` was filled by `save_extended`.
    pub unsafe fn load_extended(&self, area: *const u8) {
        let (low, high) = (self.components as u32, (self.components >> 32) as u32);
        // SAFETY: the area holds a compacted image of these components; the Rust code around uses none of them.
        unsafe { asm!("xrstor [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack)) };
    }

    /// Sets the fs base of the running kernel thread.
    ///
    /// # Safety
    /// Nothing that runs afterwards may expect the former thread-local storage.
    #[inline(always)]
    pub unsafe fn set_fs_base(&self, base: u64) {
        if self.fsgsbase {
            // SAFETY: HWCAP2 says that the instruction may be used.
            unsafe { asm!("wrfsbase {}", in(reg) base, options(nostack, nomem, preserves_flags)) };
        } else {
            // SAFETY: arch_prctl with ARCH_SET_FS takes a plain address.
            unsafe { raw::call(Sysno::arch_prctl as u32, [ARCH_SET_FS, base as usize, 0, 0, 0, 0]) };
        }
    }

    /// The fs base of the running kernel thread.
    pub fn fs_base(&self) -> u64 {
        let mut base: u64 = 0;
        // SAFETY: the kernel writes one word to `base`.
        unsafe { raw::call(Sysno::arch_prctl as u32, [ARCH_GET_FS, &raw mut base as usize, 0, 0, 0, 0]) };
        base
    }
}

/// The floating point control settings, which the ABI keeps across calls and which are each thread's own.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct FloatControl {
    /// Rounding, masks and, in its low six bits, the sticky exception flags of SSE.
    pub mxcsr: u32,
    /// The x87 control word.
    pub x87: u16,
}

impl FloatControl {
    /// Not known.
    pub const NONE: FloatControl = FloatControl { mxcsr: 0, x87: 0 };

    /// What a signal handler begins with, and a program.
    pub const DEFAULT: FloatControl = FloatControl { mxcsr: 0x1f80, x87: 0x37f };

    /// Empties the x87 registers, and gives it to the processor.
    pub fn load_afresh(&self) {
        // SAFETY: the instruction changes x87 state only, of which Rust code uses none.
        unsafe { asm!("fninit", options(nostack, preserves_flags)) };
        self.load();
    }

    /// What the processor has now.
    #[inline(always)]
    pub fn current() -> FloatControl {
        let mut control = FloatControl::NONE;
        control.store();
        control
    }

    /// Overwrites this with what the processor has now.
    #[inline(always)]
    pub fn store(&mut self) {
        // SAFETY: both instructions store to their operand only.
        unsafe {
            asm!("stmxcsr [{}]", "fnstcw [{}]", in(reg) &raw mut self.mxcsr, in(reg) &raw mut self.x87, options(nostack, preserves_flags));
        }
    }

    /// Gives it to the processor.
    pub fn load(&self) {
        // SAFETY: both values came from `store`, so they are valid settings.
        unsafe {
            asm!("ldmxcsr [{}]", "fldcw [{}]", in(reg) &raw const self.mxcsr, in(reg) &raw const self.x87, options(nostack, preserves_flags));
        }
    }
}

unsafe extern "C" {
    fn grivet_current_offset() -> i64;
}

core::arch::global_asm!(
    ".pushsection .text.grivet_current_offset,\"ax\",@progbits",
    ".hidden grivet_current_offset",
    "grivet_current_offset:",
    "mov rax, qword ptr [rip + grivet_current@GOTTPOFF]",
    "ret",
    ".popsection",
);

/// The thread-local word `grivet_current` of the thread whose thread pointer is `fs_base`.
pub fn current_word(fs_base: u64) -> *mut usize {
    // SAFETY: reads a constant from the global offset table.
    let offset = unsafe { grivet_current_offset() };
    fs_base.wrapping_add_signed(offset) as *mut usize
}

/// The time stamp counter: ticks at a constant rate, of which only differences mean something.
#[inline(always)]
pub fn time_stamp() -> u64 {
    // SAFETY: the instruction reads a counter; it is on all x86-64 processors, and Linux forbids it to nobody unasked.
    unsafe { core::arch::x86_64::_rdtsc() }
}
