//! The report of a thread that has run off its stack.

use super::say;
use crate::sched::worker::Worker;
use crate::spawn;

/// Says so if the fault at `address` was in the guard below the running task's stack; whether it was. `rsp` is where its stack
/// pointer is.
pub fn report(worker: &Worker, address: u64, rsp: u64) -> bool {
    let Some(slot) = worker.arena.slot_of(address as usize) else { return false };
    // The stack pointer may have jumped past the guard's end, into it, or still be just above.
    let is_near = (slot.start as u64..(slot.start + slot.len) as u64).contains(&rsp) || rsp.abs_diff(address) < 1 << 20;
    if address as usize >= slot.start + slot.guard_len || !is_near {
        return false;
    }
    let task = &worker.tasks[worker.current];
    let size = (slot.len - slot.guard_len) / 1024;
    if let Some(call) = spawn::call::running_in(task.fs_base) {
        say!("a spawned call of {call} overflowed its stack of {size} KiB; GRIVET_SPAWN_STACK makes it larger");
        return true;
    }
    say!(
        "thread {} ({}) overflowed its stack of {size} KiB; GRIVET_STACK, or the program's own stack size, makes it larger",
        task.tid,
        worker.name_of(worker.current).escape_ascii(),
    );
    true
}
