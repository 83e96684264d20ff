//! Memory for stubs: one region an object, within the reach of a 32-bit displacement from all of
//! it.
//!
//! A region begins with two words that hold the addresses of the two gates, and is filled while it
//! is writable; then it is sealed: executable, and not written again.

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ops::Range;

use grivet_sites::{STUB_LIMIT, Stub};
use linux_raw_sys::general::{MAP_ANONYMOUS, MAP_FIXED_NOREPLACE, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE};

use super::Refused;
use crate::raw::{self, Errno};
use crate::{allocator, arch};

const PAGE: usize = 4096;

/// How far a displacement reaches, less what an instruction may be long.
const REACH: usize = (1 << 31) - PAGE;

/// Distance between the places that are tried one after the other, in bytes.
const STEP: usize = 1 << 20;

/// Which of the two gates a stub enters.
#[derive(Clone, Copy)]
pub enum Gate {
    /// Saves what C library code can have in use at a system call.
    Narrow,
    /// Saves the wide vector registers too.
    Wide,
}

/// A mapping that holds stubs. Dropping it unmaps it.
pub struct Region {
    start: usize,
    length: usize,
    used: usize,
    /// Where each stub begins and its system call is, from the region's start, in order.
    places: Vec<(u32, u32)>,
}

/// A region in use, as `original` looks it up.
struct Listed {
    span: Range<usize>,
    places: Vec<(u32, u32)>,
}

/// The regions in use.
struct List(UnsafeCell<Vec<Listed>>);

// SAFETY: only the worker's kernel thread touches it, and no signal handler does, but for the one that has interrupted the
// program's own code (`unseen`), and not grivet's.
unsafe impl Sync for List {}

static LIST: List = List(UnsafeCell::new(Vec::new()));

/// The address in the program's original code that `rip`, an address in a stub, stands for. None if it is in no stub, or
/// among moved instructions that have no such address.
pub fn original(rip: u64) -> Option<u64> {
    let rip = rip as usize;
    // SAFETY: see `List`; nothing called here changes it.
    let listed = unsafe { &*LIST.0.get() }.iter().find(|listed| listed.span.contains(&rip))?;
    let offset = (rip - listed.span.start) as u32;
    let after = listed.places.partition_point(|&(start, _)| start <= offset);
    let &(start, syscall) = listed.places.get(after.checked_sub(1)?)?;
    let end = listed.places.get(after).map_or(listed.span.end, |&(next, _)| listed.span.start + next as usize);
    let address = listed.span.start + start as usize;
    // SAFETY: a listed region is sealed, and mapped until it is taken off the list.
    let bytes = unsafe { core::slice::from_raw_parts(address as *const u8, end - address) };
    grivet_sites::original(bytes, address as u64, (syscall - start) as usize, rip - address)
}

impl Region {
    /// An empty region for `stubs` stubs, in reach of all addresses in `span`.
    pub fn near(span: Range<usize>, stubs: usize) -> Result<Self, Refused> {
        let slots = [arch::gate_addresses().0, arch::gate_addresses().1];
        let length = (size_of_val(&slots) + stubs * STUB_LIMIT).next_multiple_of(PAGE);
        let start =
            map_near(&span, length).map_err(|errno| Refused { step: "finding room for stubs near the code", errno })?;
        allocator::name_mapping(start, length, c"grivet stubs");
        let mut region = Region { start, length, used: 0, places: Vec::new() };
        slots.iter().for_each(|slot| region.push(&slot.to_le_bytes()));
        Ok(region)
    }

    /// Address of the word that holds the gate's address.
    pub fn slot(&self, gate: Gate) -> usize {
        self.start + gate as usize * size_of::<u64>()
    }

    /// Where the next stub will stand.
    pub fn next(&self) -> usize {
        self.start + self.used
    }

    /// Appends a stub.
    pub fn push(&mut self, bytes: &[u8]) {
        assert!(self.used + bytes.len() <= self.length);
        // SAFETY: the region is this value's own, writable until it is sealed, and the bytes fit.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.next() as *mut u8, bytes.len()) };
        self.used += bytes.len();
    }

    /// Appends the stub of a system call.
    pub fn push_stub(&mut self, stub: &Stub) {
        if self.places.try_reserve(1).is_ok() {
            self.places.push((self.used as u32, self.used as u32 + stub.syscall_offset));
        }
        self.push(&stub.bytes);
    }

    /// From now on `original` knows the stubs that are there.
    pub fn enlist(&mut self) {
        // SAFETY: see `List`.
        let list = unsafe { &mut *LIST.0.get() };
        let places = core::mem::take(&mut self.places);
        let span = self.start..self.start + self.used;
        if let Some(listed) = list.iter_mut().find(|listed| listed.span.start == self.start) {
            if listed.places.try_reserve(places.len()).is_ok() {
                listed.places.extend(places);
                listed.span = span;
            }
        } else if list.try_reserve(1).is_ok() {
            list.push(Listed { span, places });
        }
    }

    /// Whether a stub for the code in `span` may be added to those that are there.
    pub fn has_room_for(&self, span: &Range<usize>) -> bool {
        self.used + STUB_LIMIT <= self.length
            && span.end.max(self.start + self.length) - span.start.min(self.start) <= REACH
    }

    /// Makes a sealed region writable, and not executable, for further stubs: nobody is in one of these now.
    pub fn open(&mut self) -> Result<(), Refused> {
        // SAFETY: the caller's thread is the only one that ever executes these stubs, and seals the region before it does.
        unsafe { raw::mprotect(self.start, self.length, PROT_READ | PROT_WRITE) }
            .map_err(|errno| Refused { step: "making stubs writable", errno })
    }

    /// Makes the region executable, until it is opened again, if ever.
    pub fn seal(&mut self) -> Result<(), Refused> {
        // SAFETY: nothing writes to the region from here on: `push` is called only by the code that
        // seals last, or has opened it.
        unsafe { raw::mprotect(self.start, self.length, PROT_READ | PROT_EXEC) }
            .map_err(|errno| Refused { step: "making stubs executable", errno })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: see `List`.
        unsafe { &mut *LIST.0.get() }.retain(|listed| listed.span.start != self.start);
        // SAFETY: a region is dropped before any jump leads to it, or once the code with these
        // jumps is unmapped. Failure leaves it mapped.
        let _ = unsafe { raw::munmap(self.start, self.length) };
    }
}

/// Maps `length` bytes, writable, within reach of `span`.
fn map_near(span: &Range<usize>, length: usize) -> Result<usize, Errno> {
    let below = (span.start & !(PAGE - 1)).saturating_sub(length);
    let above = span.end.next_multiple_of(PAGE);
    // Where the kernel would put it by itself is mostly good enough, and next to other mappings.
    map_at(below, length, 0, span).or_else(|_| {
        let places = (0..REACH / STEP)
            .flat_map(|step| [below.checked_sub(step * STEP), above.checked_add(step * STEP)])
            .flatten();
        places
            .map(|place| map_at(place, length, MAP_FIXED_NOREPLACE, span))
            .find(Result::is_ok)
            .unwrap_or(Err(Errno::ENOMEM))
    })
}

/// Maps `length` bytes at or, without `flags`, near `place`. An error if the kernel chose a place
/// out of reach.
fn map_at(place: usize, length: usize, flags: u32, span: &Range<usize>) -> Result<usize, Errno> {
    // SAFETY: without MAP_FIXED an existing mapping is never replaced.
    let address =
        unsafe { raw::mmap(place, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0)? };
    if span.end.max(address + length) - span.start.min(address) <= REACH {
        return Ok(address);
    }
    // SAFETY: just mapped, not used.
    unsafe { raw::munmap(address, length)? };
    Err(Errno::ENOMEM)
}
