//! mmap, mprotect, munmap, madvise: thread stacks come from the arena; all else goes to the kernel. Mappings of files are made
//! here, because the loader makes them when it brings a new object, whose system calls must be found.

use super::{Outcome, error};
use crate::arch::Frame;
use crate::raw;
use crate::report::say;
use crate::rewrite::late::{self, Kept};
use crate::sched::arena::StackArena;
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_PRIVATE, MAP_STACK, PROT_NONE,
    PROT_READ, PROT_WRITE,
};
use syscalls::{Errno, Sysno};

/// mmap(2).
#[inline]
pub fn mmap(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [address, length, protection, flags, fd, offset] = call.arguments();
    let (protection, flags, fd) = (protection as u32, flags as u32, fd as i32);
    let is_stack = flags & (MAP_STACK | MAP_PRIVATE | MAP_ANONYMOUS) == MAP_STACK | MAP_PRIVATE | MAP_ANONYMOUS
        && flags & (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN) == 0;
    if is_stack && address == 0 && length != 0 && (protection == PROT_NONE || protection == PROT_READ | PROT_WRITE) {
        let answer = worker.arena.map(length, protection as i32);
        if let Err(errno) = answer
            && !worker.run_queue.is_empty()
            && !worker.preemption.is_forbidden()
        {
            // Natively the threads that are about to end would do so on other processors while the caller tries again.
            call.answer(error(errno));
            worker.suspend(call);
            worker.yield_current();
            return Outcome::Switch;
        }
        return answer.into();
    }
    if fd < 0 || flags & MAP_ANONYMOUS != 0 {
        return Outcome::Pass;
    }
    // SAFETY: the program's own call.
    let answer = unsafe { raw::call(Sysno::mmap as u32, call.arguments()) };
    if answer > 0 {
        worker.program_rings.mapped(fd, answer as usize, offset);
    }
    let Ok(mapped) = raw::check(answer) else { return Outcome::Done(answer) };
    match late::mapped(mapped, length, protection, flags, fd, offset) {
        Some(Err(Kept::Go)) => {
            say!(
                "a library written in Go, which schedules for itself, comes after the first thread: it is not loaded; \
                 run the program with GRIVET=off"
            );
            // The dynamic linker takes down what it has mapped of the object, and dlopen(3) fails.
            return Outcome::Done(error(Errno::ENOEXEC));
        }
        Some(Err(Kept::Refused(refused))) if !core::mem::replace(&mut worker.stats.said_late, true) => {
            say!("a library loaded later cannot be rewritten ({refused}): its own system calls go to the kernel");
        }
        _ => {}
    }
    Outcome::Done(answer)
}

/// mprotect(2).
#[inline]
pub fn mprotect(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [address, length, protection, ..] = call.arguments();
    if let Some(answer) = worker.arena.protect(address, length, protection as i32) {
        if worker.arena.unguarded() > 0 && !core::mem::replace(&mut worker.stats.said_unguarded, true) {
            say!(
                "no more guard pages can be made on this kernel (before Linux 6.13): further threads' stacks have none"
            );
        }
        return answer.map(|()| 0).into();
    }
    Outcome::Pass
}

/// munmap(2).
#[inline]
pub fn munmap(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [address, length, ..] = call.arguments();
    if worker.arena.contains(address, length) {
        worker.discards.forget(&worker.arena, address + length);
    }
    if let Some(answer) = worker.arena.unmap(address, length) {
        return answer.map(|()| 0).into();
    }
    // SAFETY: the program's own call.
    let answer = unsafe { raw::call(Sysno::munmap as u32, call.arguments()) };
    if answer == 0 {
        late::unmapped(address, length);
    }
    Outcome::Done(answer)
}

/// madvise(2): the C library drops the pages of a stack that its thread is about to leave. That is put off, for the next
/// thread often takes over the stack, and what lies below the stack pointer is nobody's.
#[inline]
pub fn madvise(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [address, length, advice, ..] = call.arguments();
    if advice as u32 != MADV_DONTNEED || !worker.arena.contains(address, length) {
        return Outcome::Pass;
    }
    let end = address as u64 + length as u64;
    let is_own_stack = end <= call.rsp && call.rsp - end < LEFT_ALONE;
    if is_own_stack && worker.discards.put_off(&mut worker.arena, address, length) {
        return Outcome::Done(0);
    }
    worker.arena.discard(address, length).map_or(Outcome::Pass, |answer| answer.map(|()| 0).into())
}

/// How far above the dropped pages the stack pointer of an ending thread may be: glibc leaves PTHREAD_STACK_MIN and a page.
const LEFT_ALONE: u64 = 64 << 10;

/// Stacks whose pages are still to be dropped: a table with one place for each of the stacks that hash to it, so that
/// all operations take the same short time. It is emptied when the worker is idle, and with every time slice.
pub struct Discards {
    /// Start of the stack's slot, and the range to drop.
    places: Vec<(usize, usize, usize)>,
    count: usize,
}

impl Discards {
    const PLACES: usize = 1024;

    pub const fn new() -> Discards {
        Discards { places: Vec::new(), count: 0 }
    }

    fn place(slot: usize) -> usize {
        ((slot >> 12) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 32 & (Discards::PLACES - 1)
    }

    /// Notes the range for later. False if it cannot be.
    fn put_off(&mut self, arena: &mut StackArena, address: usize, length: usize) -> bool {
        let Some(slot) = arena.slot_of(address) else { return false };
        if self.places.is_empty() {
            if self.places.try_reserve_exact(Discards::PLACES).is_err() {
                return false;
            }
            self.places.resize(Discards::PLACES, (0, 0, 0));
        }
        let place = &mut self.places[Discards::place(slot.start)];
        if place.0 == 0 {
            self.count += 1;
        } else if place.0 != slot.start {
            let _ = arena.discard(place.1, place.2);
        }
        *place = (slot.start, address, length);
        true
    }

    /// The stack that ends at `top` has a new thread, or is unmapped: nothing of it is to be dropped any more.
    #[inline]
    pub fn forget(&mut self, arena: &StackArena, top: usize) {
        if self.count == 0 {
            return;
        }
        let Some(slot) = arena.slot_of(top - 1) else { return };
        let place = &mut self.places[Discards::place(slot.start)];
        if place.0 == slot.start {
            place.0 = 0;
            self.count -= 1;
        }
    }

    /// Drops the pages of all of them.
    pub fn flush(&mut self, arena: &mut StackArena) {
        if self.count == 0 {
            return;
        }
        self.count = 0;
        for place in &mut self.places {
            if core::mem::take(&mut place.0) != 0 {
                let _ = arena.discard(place.1, place.2);
            }
        }
    }
}
