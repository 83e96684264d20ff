//! futex(2) among tasks, as kernel/futex/ does it among threads: every lock of the C library, of libstdc++ and of Rust
//! ends here. Futexes that other processes may share (no FUTEX_PRIVATE_FLAG) are waited for in the local table and in the
//! kernel (`shared_futex`); a wake-up goes to both. So are all futexes once the program has made a kernel thread of its own,
//! whose calls are not grivet's.

use super::{Outcome, error};
use crate::arch::x86_64::user_memory as user;
use crate::arch::{Frame, Resume};
use crate::kernel::{priority_inheritance, several_futexes, shared_futex, time};
use crate::raw;
use crate::sched::task::{State, TaskId, Wait};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{
    __kernel_timespec, CLOCK_MONOTONIC, CLOCK_REALTIME, FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME,
    FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE,
    FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_WAKE,
    FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};
use syscalls::{Errno, Sysno};

/// Who may wait at and wake a futex: None for tasks only; otherwise the kernel is asked too, with this flag (FUTEX_PRIVATE_FLAG or
/// 0), as its queues of one and the other are different ones.
type Sharing = Option<u32>;

/// What a wait that is woken returns.
pub const WOKEN: isize = 0;

/// The two calls that nearly all locks make, FUTEX_WAKE and an unlimited FUTEX_WAIT (or _BITSET for any) of a private
/// futex, by the shortest way. None: not such a call, nothing was done.
#[inline(always)]
pub fn fast(worker: &mut Worker, call: &mut Frame) -> Option<Resume> {
    const WAKE: u64 = (FUTEX_WAKE | FUTEX_PRIVATE_FLAG) as u64;
    const WAIT: u64 = (FUTEX_WAIT | FUTEX_PRIVATE_FLAG) as u64;
    const WAIT_BITSET: u64 = (FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG) as u64;
    const CLOCK: u64 = FUTEX_CLOCK_REALTIME as u64;
    if call.rdi & worker.unfit_for_fast_futex != 0 {
        return None;
    }
    if call.rsi == WAKE {
        worker.stats.answered += 1;
        let woken = wake_local(worker, call.rdi, call.rdx as i32, FUTEX_BITSET_MATCH_ANY);
        call.answer(woken);
        return Some(Resume::gate(call));
    }
    let is_wait = call.rsi == WAIT || (call.rsi & !CLOCK == WAIT_BITSET && call.r9 as u32 == FUTEX_BITSET_MATCH_ANY);
    if !is_wait || call.r10 != 0 {
        return None;
    }
    match user::load_u32(call.rdi as usize) {
        Ok(value) if value == call.rdx as u32 => {}
        _ => return None,
    }
    worker.stats.answered += 1;
    worker.stats.parks_futex += 1;
    let id = worker.current;
    worker.parking.enter(&mut worker.tasks, id, call.rdi, FUTEX_BITSET_MATCH_ANY);
    call.answer(WOKEN);
    worker.park(call, Wait::Futex);
    Some(worker.schedule())
}

/// futex(2).
pub fn answer(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [address, operation, value, timeout, address2, value3] = call.arguments();
    let operation = operation as u32;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    // The only operations whose time limit can be on another clock (kernel/futex/syscalls.c, futex_cmd_has_timeout).
    let has_clock = matches!(command, FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2);
    if operation & FUTEX_CLOCK_REALTIME != 0 && !has_clock {
        return Outcome::Done(error(Errno::ENOSYS));
    }
    if address & 3 != 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    let is_shared = operation & FUTEX_PRIVATE_FLAG == 0 && !worker.arena.contains(address, 4);
    let shared: Sharing = (is_shared || worker.has_strangers()).then_some(operation & FUTEX_PRIVATE_FLAG);
    match command {
        FUTEX_WAKE => wake(worker, address, value as i32, FUTEX_BITSET_MATCH_ANY, shared),
        FUTEX_WAIT => wait(worker, call, address, value as u32, timeout, FUTEX_BITSET_MATCH_ANY, shared),
        FUTEX_WAIT_BITSET => wait(worker, call, address, value as u32, timeout, value3 as u32, shared),
        FUTEX_WAKE_BITSET => wake(worker, address, value as i32, value3 as u32, shared),
        FUTEX_REQUEUE => requeue(worker, address, value as i32, address2, timeout as i32, None, shared),
        FUTEX_CMP_REQUEUE => {
            requeue(worker, address, value as i32, address2, timeout as i32, Some(value3 as u32), shared)
        }
        FUTEX_WAKE_OP => wake_op(worker, address, value as i32, address2, timeout as i32, value3 as u32, shared),
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => priority_inheritance::lock(worker, call, address, timeout, is_shared),
        FUTEX_TRYLOCK_PI => priority_inheritance::try_lock(worker, address, is_shared),
        FUTEX_UNLOCK_PI => priority_inheritance::unlock(worker, address, is_shared),
        FUTEX_WAIT_REQUEUE_PI => priority_inheritance::wait_requeue(worker, call, value as u32),
        FUTEX_CMP_REQUEUE_PI => priority_inheritance::requeue(worker, call),
        _ => Outcome::Pass,
    }
}

fn wait(
    worker: &mut Worker,
    call: &mut Frame,
    address: usize,
    expected: u32,
    timeout: usize,
    bitset: u32,
    shared: Sharing,
) -> Outcome {
    if bitset == 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    let deadline = match deadline(worker, call, timeout) {
        Ok(deadline) => deadline,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    match user::load_u32(address) {
        Ok(value) if value == expected => {}
        Ok(_) => return Outcome::Done(error(Errno::EAGAIN)),
        Err(errno) => return Outcome::Done(error(errno)),
    }
    let id = worker.current;
    if shared.is_some() && worker.shared_waiters.try_reserve(1).is_err() {
        return Outcome::Done(error(Errno::ENOMEM));
    }
    if let Some(deadline) = deadline {
        if worker.timers.insert(id, deadline).is_err() {
            return Outcome::Done(error(Errno::ENOMEM));
        }
        worker.tasks[id].deadline = deadline.max(1);
    }
    worker.parking.enter(&mut worker.tasks, id, address as u64, bitset);
    call.answer(WOKEN);
    worker.park(call, Wait::Futex);
    worker.stats.parks_futex += 1;
    if shared.is_some() {
        shared_futex::enter(worker, id, expected);
    }
    Outcome::Switch
}

/// When a wait ends, on CLOCK_MONOTONIC: FUTEX_WAIT takes a span, all others a point in time.
pub fn deadline(worker: &Worker, call: &Frame, timeout: usize) -> Result<Option<u64>, Errno> {
    if timeout == 0 {
        return Ok(None);
    }
    // SAFETY: a timespec is two plain integers.
    let time = time::to_ns(unsafe { user::read::<__kernel_timespec>(timeout) }?)?;
    let operation = call.rsi as u32;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    let is_real = operation & FUTEX_CLOCK_REALTIME != 0 || command == FUTEX_LOCK_PI;
    let clock = if is_real { CLOCK_REALTIME } else { CLOCK_MONOTONIC };
    let now = worker.clock.now();
    if command == FUTEX_WAIT {
        return Ok(Some(now.saturating_add(time)));
    }
    if clock == CLOCK_MONOTONIC {
        return Ok(Some(time));
    }
    let there = worker.clock.read(clock as i32).ok_or(Errno::EINVAL)?;
    Ok(Some(now.saturating_add(time.saturating_sub(there))))
}

fn wake(worker: &mut Worker, address: usize, count: i32, bitset: u32, shared: Sharing) -> Outcome {
    if bitset == 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    let mut woken = wake_local(worker, address as u64, count, bitset);
    if woken < 0 {
        return Outcome::Done(woken);
    }
    if let Some(flag) = shared
        && woken < count.max(1) as isize
    {
        let operation = FUTEX_WAKE_BITSET | flag;
        // SAFETY: FUTEX_WAKE_BITSET does not write to the address.
        let answer = unsafe {
            raw::call(
                Sysno::futex as u32,
                [address, operation as usize, (count as isize - woken).max(1) as usize, 0, 0, bitset as usize],
            )
        };
        if answer < 0 && woken == 0 {
            return Outcome::Done(answer);
        }
        woken += answer.max(0);
    }
    Outcome::Done(woken)
}

/// Wakes up to `count` tasks (at least one, as the kernel does); how many. EINVAL if it meets one that waits for a
/// priority-inheritance lock.
#[inline(always)]
pub fn wake_local(worker: &mut Worker, key: u64, count: i32, bitset: u32) -> isize {
    let mut woken = 0;
    loop {
        let Some(id) = worker.parking.take(&mut worker.tasks, key, bitset) else {
            if worker.parking.first(&worker.tasks, key).is_some_and(|id| is_for_lock(worker, id)) {
                return error(Errno::EINVAL);
            }
            break;
        };
        complete(worker, id);
        woken += 1;
        if woken >= count as isize {
            break;
        }
    }
    woken
}

/// Whether a waiter waits for a priority-inheritance lock, or to be moved to one.
fn is_for_lock(worker: &Worker, id: TaskId) -> bool {
    worker.tasks[id].bitset == priority_inheritance::NO_PLAIN_WAKE
}

/// Ends the wait of a task that has left the table. Its frame has held the result since it was parked: waking it touches
/// its record only.
#[inline(always)]
pub fn complete(worker: &mut Worker, id: TaskId) {
    if worker.tasks[id].deadline != 0 {
        worker.timers.remove(id);
        worker.tasks[id].deadline = 0;
    }
    if worker.tasks[id].is_shared_wait && is_more_than_a_wait(worker, id) {
        return;
    }
    worker.make_ready(id);
}

/// What has left the table was no task's plain wait: takes it out of the list of shared ones, and does what has to be
/// done instead of making the task ready.
#[cold]
fn is_more_than_a_wait(worker: &mut Worker, id: TaskId) -> bool {
    shared_futex::forget(worker, id);
    if worker.tasks[id].state == State::Part {
        several_futexes::woken(worker, id);
        return true;
    }
    priority_inheritance::is_lock(worker, id) && {
        // Its owner was in another process: it tries for itself.
        worker.tasks[id].wait = Wait::Futex;
        worker.tasks[id].retries = true;
        worker.run_queue.push(&mut worker.tasks, id);
        true
    }
}

fn requeue(
    worker: &mut Worker,
    from: usize,
    wakes: i32,
    to: usize,
    moves: i32,
    expected: Option<u32>,
    shared: Sharing,
) -> Outcome {
    if wakes < 0 || moves < 0 || to & 3 != 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    match user::load_u32(from) {
        Err(errno) => return Outcome::Done(error(errno)),
        Ok(value) if expected.is_some_and(|expected| expected != value) => return Outcome::Done(error(Errno::EAGAIN)),
        Ok(_) => {}
    }
    let mut count = 0;
    while count < wakes as isize {
        let Some(id) = worker.parking.take(&mut worker.tasks, from as u64, FUTEX_BITSET_MATCH_ANY) else { break };
        complete(worker, id);
        count += 1;
    }
    if from != to {
        let mut moved = 0;
        while moved < moves {
            if worker.parking.first(&worker.tasks, from as u64).is_some_and(|id| is_for_lock(worker, id)) {
                return Outcome::Done(error(Errno::EINVAL));
            }
            if !worker.parking.requeue(&mut worker.tasks, from as u64, to as u64) {
                break;
            }
            moved += 1;
        }
        // The kernel counts both for both operations, whatever the manual page says of FUTEX_REQUEUE.
        count += moved as isize;
    }
    if let Some(flag) = shared {
        let operation = FUTEX_WAKE | flag;
        // SAFETY: a plain wake-up of other processes' waiters; moving those is not to be had without their kernel queue.
        let answer = unsafe {
            raw::call(Sysno::futex as u32, [from, operation as usize, wakes.saturating_add(moves) as usize, 0, 0, 0])
        };
        count += answer.max(0);
    }
    Outcome::Done(count)
}

/// FUTEX_WAKE_OP: changes the word at `second` atomically, wakes at `first`, and at `second` if its old value compares
/// (kernel/futex/waitwake.c, futex_wake_op).
fn wake_op(
    worker: &mut Worker,
    first: usize,
    wakes: i32,
    second: usize,
    wakes2: i32,
    code: u32,
    shared: Sharing,
) -> Outcome {
    if second & 3 != 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    let sign_extend = |field: u32| ((field << 20) as i32 >> 20) as u32;
    let mut operand = sign_extend(code >> 12 & 0xfff);
    let comparand = sign_extend(code & 0xfff) as i32;
    let operation = code >> 28;
    if operation & 8 != 0 {
        operand = 1u32.wrapping_shl(operand & 31);
    }
    let old = loop {
        let old = match user::load_u32(second) {
            Ok(old) => old,
            Err(errno) => return Outcome::Done(error(errno)),
        };
        let new = match operation & 7 {
            0 => operand,
            1 => old.wrapping_add(operand),
            2 => old | operand,
            3 => old & !operand,
            4 => old ^ operand,
            _ => return Outcome::Done(error(Errno::ENOSYS)),
        };
        match user::compare_exchange_u32(second, old, new) {
            Ok(found) if found == old => break old as i32,
            Ok(_) => {}
            Err(errno) => return Outcome::Done(error(errno)),
        }
    };
    let holds = match code >> 24 & 0xf {
        0 => old == comparand,
        1 => old != comparand,
        2 => old < comparand,
        3 => old <= comparand,
        4 => old > comparand,
        5 => old >= comparand,
        _ => return Outcome::Done(error(Errno::ENOSYS)),
    };
    let woken = wake(worker, first, wakes, FUTEX_BITSET_MATCH_ANY, shared);
    match (woken, holds) {
        (Outcome::Done(woken), true) if woken >= 0 => {
            match wake(worker, second, wakes2, FUTEX_BITSET_MATCH_ANY, shared) {
                Outcome::Done(more) if more >= 0 => Outcome::Done(woken + more),
                failed => failed,
            }
        }
        (woken, _) => woken,
    }
}

/// A futex wait's time is over.
pub fn time_out(worker: &mut Worker, id: TaskId) {
    worker.tasks[id].deadline = 0;
    withdraw(worker, id);
    worker.wake(id, error(Errno::ETIMEDOUT));
}

/// Takes a waiter out of the table.
pub fn withdraw(worker: &mut Worker, id: TaskId) {
    worker.tasks[id].deadline = 0;
    if core::mem::take(&mut worker.tasks[id].retries) {
        return;
    }
    let waits_for_lock = worker.tasks[id].priority != 0 && priority_inheritance::is_lock(worker, id);
    worker.parking.leave(&mut worker.tasks, id);
    if worker.tasks[id].is_shared_wait {
        shared_futex::forget(worker, id);
    }
    if waits_for_lock {
        priority_inheritance::gave_up(worker, worker.tasks[id].key);
    }
}
