//! Futexes that other processes may share: besides the local table their waiters stand in a list here, whose words are
//! watched. While the worker is idle it waits for them in the kernel (futex_waitv(2)); while tasks run, words that have
//! changed are looked for now and then.

use super::{error, futex, priority_inheritance};
use crate::arch::x86_64::gate::idle_call;
use crate::arch::x86_64::user_memory as user;
use crate::sched::idle::timespec;
use crate::sched::task::{NONE, State, TaskId, Wait};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    CLOCK_MONOTONIC, FUTEX_32, FUTEX_CLOCK_REALTIME, FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAIT_BITSET, futex_waitv,
};
use syscalls::{Errno, Sysno};

/// FUTEX_WAITV_MAX.
pub const KERNEL_WAITERS: usize = 128;

/// What is no part of an operation's number.
const FLAGS: u32 = FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME;

/// How often shared futexes beyond `KERNEL_WAITERS` are looked at, ns.
const SHARED_LOOK: u64 = 1_000_000;

/// Puts a waiter, parked with the word at `expected`, into the list, which has room for it.
pub fn enter(worker: &mut Worker, id: TaskId, expected: u32) {
    worker.tasks[id].is_shared_wait = true;
    worker.tasks[id].expected = expected;
    // A parked task is in no run queue: its link holds its place in this list.
    worker.tasks[id].next = worker.shared_waiters.len() as u32;
    worker.shared_waiters.push(id);
}

/// There is a kernel thread that is no task's: it may wake those who wait for a private futex already.
pub fn enter_all(worker: &mut Worker) {
    let waits = |&id: &TaskId| waits_plainly(worker, id) && !worker.tasks[id].is_shared_wait;
    let waiters: Vec<TaskId> = worker.tasks.iter().filter(waits).collect();
    worker.shared_waiters.reserve(waiters.len());
    for id in waiters {
        let now = user::load_u32(worker.tasks[id].key as usize).unwrap_or_default();
        enter(worker, id, now);
    }
}

/// All tasks wait for futexes. If some futex is no longer what it was when its waiter came, it was woken by a call that
/// grivet has not seen (`unseen`), or will be: those waiters go on, and such calls are reckoned with. Whether there were any.
pub fn wake_missed(worker: &mut Worker) -> bool {
    let has_changed = |&id: &TaskId| {
        let task = &worker.tasks[id];
        let Some(call) = task.resume.as_gate().filter(|call| !call.is_null()) else { return false };
        // SAFETY: a parked task's frame lies untouched on its stack until it goes on.
        let expected = unsafe { (*call).rdx } as u32;
        waits_plainly(worker, id) && user::load_u32(task.key as usize).is_ok_and(|now| now != expected)
    };
    let missed: Vec<TaskId> = worker.tasks.iter().filter(has_changed).collect();
    for &id in &missed {
        worker.parking.leave(&mut worker.tasks, id);
        futex::complete(worker, id);
    }
    if !missed.is_empty() && !worker.has_strangers() {
        worker.set_strangers(true);
        enter_all(worker);
    }
    !missed.is_empty()
}

/// Whether a task is parked in a wait for the wake-up of one futex.
fn waits_plainly(worker: &Worker, id: TaskId) -> bool {
    let task = &worker.tasks[id];
    let is_plain = |operation: u32| matches!(operation & !FLAGS, FUTEX_WAIT | FUTEX_WAIT_BITSET);
    task.state == State::Parked && task.wait == Wait::Futex && operation(worker, id).is_some_and(is_plain)
}

/// The operation of the futex(2) call that a task is parked in; None for one of the futexes of futex_waitv(2).
fn operation(worker: &Worker, id: TaskId) -> Option<u32> {
    let frame = worker.tasks[id].resume.as_gate().filter(|frame| !frame.is_null())?;
    // SAFETY: a parked task's frame lies untouched on its stack until it goes on.
    let frame = unsafe { &*frame };
    (frame.number() == Sysno::futex as u32).then_some(frame.rsi as u32)
}

/// Takes a waiter out of the list.
pub fn forget(worker: &mut Worker, id: TaskId) {
    worker.tasks[id].is_shared_wait = false;
    let place = worker.tasks[id].next;
    if place == NONE {
        return;
    }
    worker.shared_waiters.swap_remove(place as usize);
    if let Some(&moved) = worker.shared_waiters.get(place as usize) {
        worker.tasks[moved].next = place;
    }
}

/// Wakes the waiters of shared futexes whose word has changed: another process may have done it.
pub fn check(worker: &mut Worker) {
    let mut place = 0;
    while let Some(&id) = worker.shared_waiters.get(place) {
        if user::load_u32(worker.tasks[id].key as usize) == Ok(worker.tasks[id].expected) {
            place += 1;
        } else {
            worker.parking.leave(&mut worker.tasks, id);
            futex::complete(worker, id);
        }
    }
}

/// Sleeps until another process wakes one of the shared futexes that tasks wait for, or `timeout` ns are over.
pub fn wait(worker: &mut Worker, timeout: Option<u64>) {
    let mut waits: [futex_waitv; KERNEL_WAITERS] =
        core::array::from_fn(|_| futex_waitv { val: 0, uaddr: 0, flags: 0, __reserved: 0 });
    let count = worker.shared_waiters.len().min(KERNEL_WAITERS);
    for (wait, &id) in waits.iter_mut().zip(&worker.shared_waiters) {
        *wait = futex_waitv {
            val: u64::from(worker.tasks[id].expected),
            uaddr: worker.tasks[id].key,
            flags: FUTEX_32 | operation(worker, id).unwrap_or_default() & FUTEX_PRIVATE_FLAG,
            __reserved: 0,
        };
    }
    // The kernel wakes nobody when the owner of a priority-inheritance lock dies, of whose waiters it does not know.
    let are_looked_at = (0..count).any(|place| priority_inheritance::is_lock(worker, worker.shared_waiters[place]));
    let timeout = if worker.shared_waiters.len() > KERNEL_WAITERS || are_looked_at {
        Some(timeout.map_or(SHARED_LOOK, |ns| ns.min(SHARED_LOOK)))
    } else {
        timeout
    };
    let time = timeout.map(|ns| timespec(worker.clock.now().saturating_add(ns)));
    let pointer = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the waits and the time live across the call.
    let answer = unsafe {
        idle_call(
            Sysno::futex_waitv as u32,
            [waits.as_ptr() as usize, count, 0, pointer as usize, CLOCK_MONOTONIC as usize, 0],
            worker.attention.as_ptr(),
        )
    };
    if let Ok(index) = usize::try_from(answer) {
        if let Some(&id) = worker.shared_waiters.get(index) {
            worker.parking.leave(&mut worker.tasks, id);
            futex::complete(worker, id);
        }
    } else if answer == error(Errno::ENOSYS) || answer == error(Errno::EPERM) {
        // Before Linux 5.16 there is no such call: look again and again.
        let pause = timespec(timeout.map_or(SHARED_LOOK, |ns| ns.min(SHARED_LOOK)));
        // SAFETY: no files; the timespec lives across the call.
        unsafe {
            idle_call(Sysno::ppoll as u32, [0, 0, &raw const pause as usize, 0, 8, 0], worker.attention.as_ptr())
        };
    }
    check(worker);
}
