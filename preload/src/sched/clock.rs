//! Reading clocks without a system call, through the vDSO: the C library's way is closed, because its functions may not be
//! called from beneath it. All times are nanoseconds.

use crate::raw;
use crate::vdso;
use linux_raw_sys::general::{__kernel_timespec, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
use syscalls::Sysno;

pub const NS_PER_S: u64 = 1_000_000_000;

type ClockGettime = unsafe extern "C" fn(i32, *mut __kernel_timespec) -> i32;

/// How this process reads clocks.
pub struct Clock {
    vdso: Option<ClockGettime>,
}

impl Clock {
    /// By system call, until `use_vdso` has found better.
    pub const fn new() -> Clock {
        Clock { vdso: None }
    }

    /// Looks `__vdso_clock_gettime` up in the vDSO that begins at `base` (AT_SYSINFO_EHDR).
    pub fn use_vdso(&mut self, base: usize) {
        // SAFETY: the kernel maps a complete ELF image there for the life of the process.
        let found = unsafe { vdso::find_symbol(base, b"__vdso_clock_gettime") };
        // SAFETY: the symbol is a function of this type (vdso(7)).
        self.vdso = found.map(|found| unsafe { core::mem::transmute::<usize, ClockGettime>(found.start) });
    }

    /// What clock `id` shows. None if there is no such clock.
    pub fn read(&self, id: i32) -> Option<u64> {
        let mut now = __kernel_timespec { tv_sec: 0, tv_nsec: 0 };
        let answer = match self.vdso {
            // The vDSO makes a system call for these, which is rewritten.
            // SAFETY: the kernel writes one timespec.
            _ if is_of_cpu_time(id) => unsafe {
                raw::call(Sysno::clock_gettime as u32, [id as usize, &raw mut now as usize, 0, 0, 0, 0])
            },
            // SAFETY: the function writes one timespec.
            Some(clock_gettime) => unsafe { clock_gettime(id, &raw mut now) as isize },
            // SAFETY: the kernel writes one timespec.
            None => unsafe { raw::call(Sysno::clock_gettime as u32, [id as usize, &raw mut now as usize, 0, 0, 0, 0]) },
        };
        (answer == 0).then_some((now.tv_sec as u64).wrapping_mul(NS_PER_S).wrapping_add(now.tv_nsec as u64))
    }

    /// CLOCK_MONOTONIC, on which all deadlines are kept.
    #[inline]
    pub fn now(&self) -> u64 {
        self.read(CLOCK_MONOTONIC as i32).unwrap_or(0)
    }
}

fn is_of_cpu_time(id: i32) -> bool {
    id < 0 || matches!(id as u32, CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vdso_agrees_with_the_kernel() {
        let auxv = std::fs::read("/proc/self/auxv").unwrap();
        let base = auxv.chunks(16).find(|pair| pair[..8] == 33u64.to_ne_bytes()).unwrap();
        let mut fast = Clock::new();
        fast.use_vdso(u64::from_ne_bytes(base[8..].try_into().unwrap()) as usize);
        assert!(fast.vdso.is_some());
        let slow = Clock::new();
        let (before, between, after) = (slow.now(), fast.now(), slow.now());
        assert!(before <= between && between <= after);
        assert_eq!(fast.read(9999), None);
    }
}
