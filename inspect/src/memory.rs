//! How a process is reached: its memory, the files it has mapped, the time. Who looks from outside implements these with
//! system calls on the other process; libgrivet.so implements them for the process it is in.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Deref;

use crate::maps::Mapping;

/// A process's memory. Addresses may be anything: they come from memory that may be damaged.
pub trait Memory {
    /// Fills `into` from `address` on; false if not all of it can be read.
    fn read(&self, address: u64, into: &mut [u8]) -> bool;

    /// Reads many parts, faster than one by one where that is possible.
    fn read_parts(&self, parts: &mut [Part<'_>]) {
        for part in parts {
            part.is_read = self.read(part.address, part.into);
        }
    }

    /// Eight bytes.
    fn read_u64(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes).then(|| u64::from_le_bytes(bytes))
    }
}

/// One of many parts to be read.
pub struct Part<'a> {
    pub address: u64,
    pub into: &'a mut [u8],
    /// Set by the reader: all of it was.
    pub is_read: bool,
}

impl<'a> Part<'a> {
    pub fn new(address: u64, into: &'a mut [u8]) -> Self {
        Part { address, into, is_read: false }
    }
}

/// The bytes of a file.
pub type Mapped = Box<dyn Deref<Target = [u8]>>;

/// What a process has open or mapped.
pub trait Files {
    /// The whole file behind `mapping`, from an address divisible by 8. None if it is out of reach: then what is needed is read from the process's
    /// memory.
    fn open(&self, mapping: &Mapping<'_>) -> Option<Mapped>;

    /// The separate debug file of the object at `path` with these bytes.
    fn debug_file(&self, _path: &[u8], _object: &[u8]) -> Option<Mapped> {
        None
    }

    /// What a descriptor is, as the link /proc/PID/fd/N has it.
    fn descriptor(&self, _descriptor: u32) -> Option<Vec<u8>> {
        None
    }
}

/// The time on the clocks that deadlines are in, ns.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub monotonic: u64,
    pub real: u64,
}

impl Now {
    /// The time on clock `id` (clockid_t). The others run like the monotonic one, nearly.
    pub fn on(&self, id: u32) -> u64 {
        const CLOCK_REALTIME: u32 = 0;
        if id == CLOCK_REALTIME { self.real } else { self.monotonic }
    }
}

/// A little-endian word in `bytes`; 0 beyond their end.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..offset + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// As `u64_at`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..offset + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes)
}
