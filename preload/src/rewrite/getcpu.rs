//! The vDSO's getcpu, which asks the processor and so says where the worker runs, becomes a system call: grivet then answers
//! for the calling task. That is done only when a task is to be somewhere else, because it takes ten times as long.

use alloc::vec::Vec;
use core::ops::Range;
use grivet_sites::{Window, encode, jump};

use super::object::Object;
use super::patch::{Patch, PatchedText};
use super::stubs::{Gate, Region};
use super::{Refused, Rewriting, apply};
use crate::raw::Errno;
use crate::vdso;

/// `mov $309, %eax; syscall`: what is to stand in the function's place.
const CALL: [u8; 7] = [0xb8, 0x35, 0x01, 0, 0, 0x0f, 0x05];
const SYSCALL: usize = 5;
const RET: u8 = 0xc3;

/// The instructions that are to be overwritten in the vDSO at `base`. None if it has no such function.
pub fn place(base: usize) -> Option<Range<usize>> {
    // SAFETY: the kernel maps a complete ELF image there for the life of the process.
    let function = unsafe { vdso::find_symbol(base, b"__vdso_getcpu") }?;
    let end = function.start + CALL.len() + size_of_val(&RET);
    (end <= function.end).then_some(function.start..end)
}

/// Rewrites it; no task may be in the middle of `place`.
pub fn make_call(base: usize, place: &Range<usize>) -> Result<(), Refused> {
    let refused = |errno| Refused { step: "rewriting the vDSO", errno };
    // SAFETY: as in `place`.
    let (bias, headers) = unsafe { vdso::program_headers(base) };
    // SAFETY: the kernel vouches that what the headers describe is mapped.
    let object = unsafe { Object::any(bias, headers) }.ok_or(refused(Errno::ENOEXEC))?;
    let start = place.start as u64;
    let window = Window { start, syscall: start + SYSCALL as u64, end: start + CALL.len() as u64 };
    let mut stubs = Region::near(object.span(), 1)?;
    let address = stubs.next() as u64;
    let stub = encode(&window, &CALL, address, stubs.slot(Gate::Narrow) as u64);
    let (Ok(stub), Some(mut bytes)) = (stub, jump(&window, address)) else { return Err(refused(Errno::ERANGE)) };
    bytes.push(RET);
    stubs.push_stub(&stub);
    stubs.seal()?;
    let mut texts: Vec<PatchedText> = object.text().map(PatchedText::new).collect();
    let text = texts.iter_mut().find(|text| text.holds(place.start, bytes.len())).ok_or(refused(Errno::EFAULT))?;
    text.patches.push(Patch { address: place.start, bytes });
    apply(alloc::vec![Rewriting { stubs, texts }])
}
