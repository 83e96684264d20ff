//! futex_waitv(2): one task waits for up to 128 futexes, and is told which was woken (kernel/futex/waitwake.c,
//! futex_wait_multiple). In the table of waiters each of them has a record of its own, a *part*, which is no task.
//!
//! ```text
//!   the task, Wait::Several: key = its first part
//!   part: clear_tid = the task, robust_list = its index, fs_base = the next part
//! ```

use super::{Outcome, error, shared_futex, time};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::sched::task::{NONE, State, TaskId, Wait};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    __kernel_timespec, CLOCK_MONOTONIC, CLOCK_REALTIME, FUTEX_32, FUTEX_BITSET_MATCH_ANY, FUTEX_PRIVATE_FLAG,
};
use syscalls::Errno;

/// One futex of the list: struct futex_waitv.
#[derive(Clone, Copy)]
struct One {
    value: u64,
    address: usize,
    flags: u32,
}

/// futex_waitv(2). EAGAIN if a word is not as expected; EINVAL, EFAULT, ETIMEDOUT.
pub fn wait(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let list = match read(call) {
        Ok(list) => list,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    let deadline = match deadline(worker, call) {
        Ok(deadline) => deadline,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    for one in &list {
        match user::load_u32(one.address) {
            Ok(value) if u64::from(value) == one.value => {}
            Ok(_) => return Outcome::Done(error(Errno::EAGAIN)),
            Err(errno) => return Outcome::Done(error(errno)),
        }
    }
    let id = worker.current;
    if worker.shared_waiters.try_reserve(list.len()).is_err() {
        return Outcome::Done(error(Errno::ENOMEM));
    }
    if let Some(deadline) = deadline {
        if worker.timers.insert(id, deadline).is_err() {
            return Outcome::Done(error(Errno::ENOMEM));
        }
        worker.tasks[id].deadline = deadline.max(1);
    }
    let mut first = NONE;
    for (index, one) in list.iter().enumerate().rev() {
        let this: *mut Worker = worker;
        let Ok(part) = worker.tasks.allocate_part(this) else {
            give_back(worker, first);
            worker.timers.remove(id);
            worker.tasks[id].deadline = 0;
            return Outcome::Done(error(Errno::ENOMEM));
        };
        let priority = worker.tasks[id].priority;
        let record = &mut worker.tasks[part];
        record.priority = priority;
        record.clear_tid = u64::from(id);
        record.robust_list = index as u64;
        record.fs_base = u64::from(first);
        record.next = NONE;
        record.is_shared_wait = true;
        worker.parking.enter(&mut worker.tasks, part, one.address as u64, FUTEX_BITSET_MATCH_ANY);
        if one.flags & FUTEX_PRIVATE_FLAG == 0 && !worker.arena.contains(one.address, 4) {
            shared_futex::enter(worker, part, one.value as u32);
        }
        first = part;
    }
    worker.park(call, Wait::Several);
    worker.tasks[id].key = u64::from(first);
    worker.stats.parks_futex += 1;
    Outcome::Switch
}

fn read(call: &Frame) -> Result<Vec<One>, Errno> {
    let [address, count, flags, ..] = call.arguments();
    if flags as u32 != 0 || address == 0 || !(1..=shared_futex::KERNEL_WAITERS).contains(&(count as u32 as usize)) {
        return Err(Errno::EINVAL);
    }
    let mut list = Vec::new();
    list.try_reserve_exact(count as u32 as usize).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count as u32 as usize {
        // SAFETY: struct futex_waitv is three words of plain integers: value, address, flags with a reserved half.
        let [value, futex, flags] = unsafe { user::read::<[u64; 3]>(address + index * 24) }?;
        let is_known = flags as u32 & !FUTEX_PRIVATE_FLAG == FUTEX_32 && flags >> 32 == 0;
        if !is_known || futex & 3 != 0 || value > u64::from(u32::MAX) {
            return Err(Errno::EINVAL);
        }
        list.push(One { value, address: futex as usize, flags: flags as u32 });
    }
    Ok(list)
}

/// When the wait ends, on CLOCK_MONOTONIC.
fn deadline(worker: &Worker, call: &Frame) -> Result<Option<u64>, Errno> {
    let [_, _, _, timeout, clock, _] = call.arguments();
    if timeout == 0 {
        return Ok(None);
    }
    if !matches!(clock as u32, CLOCK_MONOTONIC | CLOCK_REALTIME) {
        return Err(Errno::EINVAL);
    }
    // SAFETY: a timespec is two plain integers.
    let time = time::to_ns(unsafe { user::read::<__kernel_timespec>(timeout) }?)?;
    if clock as u32 == CLOCK_MONOTONIC {
        return Ok(Some(time));
    }
    let there = worker.clock.read(clock as i32).ok_or(Errno::EINVAL)?;
    Ok(Some(worker.clock.now().saturating_add(time.saturating_sub(there))))
}

/// A part has left the table because its futex was woken: its task goes on, and is told which it was.
pub fn woken(worker: &mut Worker, part: TaskId) {
    let (id, index) = (worker.tasks[part].clear_tid as TaskId, worker.tasks[part].robust_list);
    let first = worker.tasks[id].key as TaskId;
    // Out of the chain, so that only the others are taken out of the table.
    let after = worker.tasks[part].fs_base;
    if first == part {
        worker.tasks[id].key = after;
    } else {
        let mut at = first;
        while worker.tasks[at].fs_base != u64::from(part) {
            at = worker.tasks[at].fs_base as TaskId;
        }
        worker.tasks[at].fs_base = after;
    }
    worker.tasks.release_part(part);
    withdraw(worker, id);
    worker.timers.remove(id);
    worker.wake(id, index as isize);
}

/// Takes all parts of a task's wait out of the table.
pub fn withdraw(worker: &mut Worker, id: TaskId) {
    let first = worker.tasks[id].key as TaskId;
    give_back(worker, first);
    worker.tasks[id].key = u64::from(NONE);
    worker.tasks[id].deadline = 0;
}

fn give_back(worker: &mut Worker, first: TaskId) {
    let mut part = first;
    while part != NONE {
        let next = worker.tasks[part].fs_base as TaskId;
        worker.parking.leave(&mut worker.tasks, part);
        shared_futex::forget(worker, part);
        worker.tasks.release_part(part);
        part = next;
    }
}

/// In the child of a fork, where nobody waits: gives all records back.
pub fn clear(worker: &mut Worker) {
    for place in 0..worker.tasks.used() {
        if worker.tasks[place].state == State::Part {
            worker.tasks.release_part(place);
        }
    }
}

/// The wait's time is over.
pub fn time_out(worker: &mut Worker, id: TaskId) {
    withdraw(worker, id);
    worker.wake(id, error(Errno::ETIMEDOUT));
}
