//! Bytes from one task's write straight into another's read: if a pipe or socket pair is this process's alone, empty,
//! and a task waits in a read of its other end, the kernel need not see them. What the reader has no room for goes the
//! usual way.
//!
//! A pair is private if it was made under grivet's eyes and has not been duplicated, passed on or inherited since
//! (`Descriptors::share`), and it is empty for certain if the kernel has said so and all that was written and read
//! since was counted (`Descriptor::is_exact`). Nothing is ever kept here: bytes are in a task's own buffer or in the
//! kernel.

use super::{Call, complete};
use crate::arch::x86_64::user_memory as user;
use crate::sched::descriptors::Direction;
use crate::sched::task::{NONE, TaskId};
use crate::sched::worker::Worker;
use syscalls::Sysno;

/// How often a write lets the reader run first, before it goes to the kernel. More would serve even more of them by
/// hand, and make a write wait longer when many tasks are ready.
const PATIENCE: u32 = 4;

/// Gives as many of the `count` bytes at `address` to the task that waits at the other end of `fd` as it has room for;
/// how many.
#[inline(always)]
pub fn give(worker: &mut Worker, fd: i32, address: usize, count: usize) -> usize {
    let Some(entry) = worker.descriptors.get(fd) else { return 0 };
    let peer = entry.peer;
    let Some(other) = worker.descriptors.get(peer) else { return 0 };
    if !other.is_exact || other.level != 0 || other.readers == NONE || other.low_water > 1 {
        return 0;
    }
    if worker.descriptors.is_private_pair(fd) { serve(worker, peer, other.readers, address, count) } else { 0 }
}

fn serve(worker: &mut Worker, fd: i32, reader: TaskId, address: usize, count: usize) -> usize {
    let frame = worker.frame_of(reader);
    let [_, buffer, room, flags, sender, _] = frame.arguments();
    let is_plain = match Sysno::new(frame.number() as usize) {
        Some(Sysno::read) => true,
        Some(Sysno::recvfrom) => flags == 0 && sender == 0,
        _ => false,
    };
    let bytes = count.min(room);
    // SAFETY: the reader's own buffer; that it can be read into is for the copy to find out.
    if !is_plain || bytes == 0 || unsafe { user::copy(buffer, address, bytes) }.is_err() {
        return 0;
    }
    worker.descriptors.leave(&mut worker.tasks, reader);
    if let Some(entry) = worker.descriptors.get_mut(fd) {
        entry.was_served = true;
        entry.assumed |= Direction::Read.bit();
    }
    if worker.tasks[reader].deadline != 0 {
        worker.timers.remove(reader);
        worker.tasks[reader].deadline = 0;
    }
    complete(worker, reader, bytes as isize);
    bytes
}

/// Whether a write to `fd` had better let the reader run first: it was served and would wait again, and could then be
/// served again.
#[inline(always)]
pub fn should_wait_for_reader(worker: &mut Worker, call: &Call) -> bool {
    if worker.run_queue.is_empty() || worker.tasks[call.id].bitset >= PATIENCE {
        return false;
    }
    let Some(entry) = worker.descriptors.get(call.fd) else { return false };
    let is_served = worker
        .descriptors
        .get(entry.peer)
        .is_some_and(|other| other.was_served && other.is_exact && other.level == 0 && other.readers == NONE);
    let waits = is_served && worker.preemption.is_calm(worker.stats.switches);
    worker.tasks[call.id].bitset += u32::from(waits);
    waits
}
