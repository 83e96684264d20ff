//! Scattered buffers (struct iovec): copies of a program's parts, from which what is done already is left out.

use crate::arch::x86_64::user_memory as user;
use syscalls::Errno;

/// MAX_RW_COUNT: no call transfers more.
pub const MOST_BYTES: usize = 0x7fff_f000;
/// UIO_MAXIOV.
const MOST_PARTS: usize = 1024;

/// One part of a scattered buffer (struct iovec).
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Part {
    pub base: usize,
    pub length: usize,
}

/// A copy of a program's parts, without the bytes done already.
pub struct Parts {
    parts: [Part; MOST_PARTS],
    first: usize,
    count: usize,
}

impl Parts {
    /// Copies `count` parts at `address` and leaves out the first `done` bytes. EINVAL if there are too many, EFAULT.
    pub fn read(address: usize, count: usize, done: usize) -> Result<Parts, Errno> {
        if count > MOST_PARTS {
            return Err(Errno::EINVAL);
        }
        let mut copy = Parts { parts: [Part::default(); MOST_PARTS], first: 0, count };
        // SAFETY: a part is two plain words, and there is room for `count`.
        unsafe { user::copy(copy.parts.as_mut_ptr() as usize, address, count * size_of::<Part>()) }?;
        let mut left = done;
        while copy.first < count && left >= copy.parts[copy.first].length {
            left -= copy.parts[copy.first].length;
            copy.first += 1;
        }
        if copy.first < count {
            copy.parts[copy.first].base += left;
            copy.parts[copy.first].length -= left;
        }
        Ok(copy)
    }

    /// Address and number of what is left.
    pub fn rest(&self) -> (usize, usize) {
        (&raw const self.parts[self.first.min(MOST_PARTS - 1)] as usize, self.count - self.first)
    }

    /// Bytes that are left, as far as one call transfers them.
    pub fn bytes(&self) -> usize {
        let sum = self.parts[self.first..self.count].iter().fold(0, |sum: usize, part| sum.saturating_add(part.length));
        sum.min(MOST_BYTES)
    }
}

/// The parts' bytes in all; of very many parts none are counted.
pub fn bytes_of(address: usize, count: usize) -> usize {
    const FEW: usize = 8;
    let mut parts = [Part::default(); FEW];
    // SAFETY: a part is two plain words, and there is room for `count`.
    if count > FEW || unsafe { user::copy(parts.as_mut_ptr() as usize, address, count * size_of::<Part>()) }.is_err() {
        return 0;
    }
    parts[..count].iter().fold(0, |sum: usize, part| sum.saturating_add(part.length)).min(MOST_BYTES)
}

/// The parts' bytes in all, 0 if they can't be read.
#[inline(never)]
pub fn count_all(address: usize, count: usize) -> usize {
    Parts::read(address, count, 0).map_or(0, |parts| parts.bytes())
}
