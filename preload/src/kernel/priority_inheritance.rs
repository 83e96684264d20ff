//! Priority-inheritance futexes (FUTEX_LOCK_PI and its kin, kernel/futex/pi.c): the lock word holds its owner's thread id, and an
//! unlock with waiters hands the lock over, to the one of highest priority that has waited longest. While a task waits,
//! the lock's owner has at least its real-time priority.
//!
//! A lock shared with another process may be owned by a thread there, of which nothing is known here. It is then waited
//! for like any shared futex, and tried again when its word has changed.

use super::{Outcome, error, futex, scheduling, shared_futex};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::raw;
use crate::sched::task::{State, TaskId, Wait};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{
    FUTEX_CLOCK_REALTIME, FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_OWNER_DIED, FUTEX_PRIVATE_FLAG, FUTEX_TID_MASK,
    FUTEX_WAIT_REQUEUE_PI, FUTEX_WAITERS, FUTEX_WAKE,
};
use syscalls::{Errno, Sysno};

/// How far a priority is lent on, from owner to owner.
const LONGEST_CHAIN: usize = 64;

/// Bits that those who wait here listen to: a plain wake-up takes none of them.
pub const NO_PLAIN_WAKE: u32 = 0;

/// What came of an attempt to take a lock.
enum Taken {
    Yes,
    /// It has this owner in this process.
    Owned(TaskId),
    /// Its owner is elsewhere; the word as it is now.
    Elsewhere(u32),
}

/// FUTEX_LOCK_PI (a time limit on CLOCK_REALTIME) and FUTEX_LOCK_PI2. EDEADLK if the caller has the lock, ESRCH if its
/// owner is no thread of this process and the lock not shared.
pub fn lock(worker: &mut Worker, call: &mut Frame, address: usize, timeout: usize, shared: bool) -> Outcome {
    let deadline = match futex::deadline(worker, call, timeout) {
        Ok(deadline) => deadline,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    let id = worker.current;
    let taken = match acquire(worker, id, address, true, shared) {
        Ok(Taken::Yes) => return Outcome::Done(0),
        Ok(taken) => taken,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    if shared && worker.shared_waiters.try_reserve(1).is_err() {
        return Outcome::Done(error(Errno::ENOMEM));
    }
    if let Some(deadline) = deadline {
        if worker.timers.insert(id, deadline).is_err() {
            return Outcome::Done(error(Errno::ENOMEM));
        }
        worker.tasks[id].deadline = deadline.max(1);
    }
    call.answer(futex::WOKEN);
    worker.park(call, Wait::Futex);
    worker.stats.parks_futex += 1;
    stand(worker, id, address, &taken);
    Outcome::Switch
}

/// Puts a parked task into the queue of the lock at `address`.
fn stand(worker: &mut Worker, id: TaskId, address: usize, taken: &Taken) {
    worker.parking.enter(&mut worker.tasks, id, address as u64, NO_PLAIN_WAKE);
    match *taken {
        Taken::Owned(owner) => {
            worker.tasks[owner].may_owe_lock = true;
            lend(worker, owner, worker.tasks[id].priority);
        }
        Taken::Elsewhere(word) => shared_futex::enter(worker, id, word),
        Taken::Yes => {}
    }
}

/// The owner of a lock gets at least the priority of one who waits for it, and so does the owner of a lock that it waits
/// for itself.
fn lend(worker: &mut Worker, owner: TaskId, priority: u8) {
    let mut id = owner;
    for _ in 0..LONGEST_CHAIN {
        if worker.tasks[id].priority >= priority {
            return;
        }
        scheduling::set_priority(worker, id, priority);
        worker.tasks[id].is_lent = true;
        if worker.tasks[id].wait != Wait::Futex || !is_lock(worker, id) {
            return;
        }
        let (lock, bitset) = (worker.tasks[id].key, worker.tasks[id].bitset);
        worker.parking.leave(&mut worker.tasks, id);
        worker.parking.enter(&mut worker.tasks, id, lock, bitset);
        let Some(next) = owner_of(worker, lock) else { return };
        id = next;
    }
}

/// Gives task `id` the priority that is its own or, if higher, that of one who waits for a lock that it has; and then does
/// so for the owner of the lock that it waits for itself, in whose queue it gets its place.
pub fn settle(worker: &mut Worker, id: TaskId) {
    let mut id = id;
    for _ in 0..LONGEST_CHAIN {
        let present = worker.tasks[id].priority;
        let own = scheduling::own_priority(worker, id);
        // Only who was lent something can lose it; looking at all tasks is for those few.
        let lent = if present > own || worker.tasks[id].is_lent { highest_waiter(worker, id) } else { 0 };
        worker.tasks[id].is_lent = lent > own;
        scheduling::set_priority(worker, id, own.max(lent));
        if present == own.max(lent) || !is_lock(worker, id) || worker.tasks[id].wait != Wait::Futex {
            return;
        }
        let (lock, bitset) = (worker.tasks[id].key, worker.tasks[id].bitset);
        worker.parking.leave(&mut worker.tasks, id);
        worker.parking.enter(&mut worker.tasks, id, lock, bitset);
        let Some(owner) = owner_of(worker, lock) else { return };
        if worker.tasks[owner].priority < worker.tasks[id].priority {
            return lend(worker, owner, worker.tasks[id].priority);
        }
        id = owner;
    }
}

/// The highest priority among the tasks that wait for a lock of task `owner`'s.
fn highest_waiter(worker: &mut Worker, owner: TaskId) -> u8 {
    let mut highest = 0;
    for id in 0..worker.tasks.used() {
        if worker.tasks.is_task(id)
            && worker.tasks[id].priority > highest
            && worker.tasks[id].wait == Wait::Futex
            && is_lock(worker, id)
            && owner_of(worker, worker.tasks[id].key) == Some(owner)
        {
            highest = worker.tasks[id].priority;
        }
    }
    highest
}

/// The task that has the lock at this address.
fn owner_of(worker: &Worker, lock: u64) -> Option<TaskId> {
    let word = user::load_u32(lock as usize).ok()?;
    worker.tasks.by_tid((word & FUTEX_TID_MASK) as i32)
}

/// A task of real-time priority waits no more for the lock at this address, and did not get it.
#[cold]
pub fn gave_up(worker: &mut Worker, lock: u64) {
    if let Some(owner) = owner_of(worker, lock) {
        settle(worker, owner);
    }
}

/// Whether a parked task's call is a wait for a lock of this kind.
pub fn is_lock(worker: &mut Worker, id: TaskId) -> bool {
    matches!(command_of(worker, id), Some(FUTEX_LOCK_PI | FUTEX_LOCK_PI2)) || is_moved(worker, id)
}

/// Whether a parked task stood in `wait_requeue` and was moved to the queue of its lock.
pub fn is_moved(worker: &mut Worker, id: TaskId) -> bool {
    command_of(worker, id) == Some(FUTEX_WAIT_REQUEUE_PI)
        && worker.tasks[id].key == worker.frame_of(id).arguments()[4] as u64
}

/// The operation of the futex(2) call that a task is parked in.
fn command_of(worker: &mut Worker, id: TaskId) -> Option<u32> {
    if worker.tasks[id].state != State::Parked {
        return None;
    }
    let frame = worker.frame_of(id);
    let command = frame.rsi as u32 & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    (frame.number() == Sysno::futex as u32).then_some(command)
}

/// The turn of a task has come whose lock was owned elsewhere: whether it has the lock now, and goes on.
pub fn retry(worker: &mut Worker, id: TaskId) -> bool {
    let address = worker.tasks[id].key as usize;
    let timeout = worker.frame_of(id).arguments()[3];
    let result = match acquire(worker, id, address, true, true) {
        Ok(Taken::Yes) => {
            // Others may wait elsewhere.
            let marked = user::load_u32(address)
                .and_then(|word| user::compare_exchange_u32(address, word, word | FUTEX_WAITERS));
            marked.map_or_else(error, |_| futex::WOKEN)
        }
        Ok(taken) => {
            let call: *const Frame = worker.frame_of(id);
            // SAFETY: a parked task's frame lies untouched on its stack.
            let deadline = futex::deadline(worker, unsafe { &*call }, timeout).ok().flatten();
            if let Some(deadline) = deadline
                && worker.timers.insert(id, deadline).is_ok()
            {
                worker.tasks[id].deadline = deadline.max(1);
            }
            worker.tasks[id].state = State::Parked;
            stand(worker, id, address, &taken);
            return false;
        }
        Err(errno) => error(errno),
    };
    worker.frame_of(id).answer(result);
    worker.tasks[id].wait = Wait::Nothing;
    true
}

/// FUTEX_TRYLOCK_PI. EAGAIN if another thread has the lock.
pub fn try_lock(worker: &mut Worker, address: usize, shared: bool) -> Outcome {
    let current = worker.current;
    Outcome::Done(match acquire(worker, current, address, false, shared) {
        Ok(Taken::Yes) => 0,
        Ok(_) => error(Errno::EAGAIN),
        Err(errno) => error(errno),
    })
}

/// Takes the lock for task `id` if it is free; otherwise marks it as waited for, if `announce` is set.
fn acquire(worker: &Worker, id: TaskId, address: usize, announce: bool, shared: bool) -> Result<Taken, Errno> {
    let own = worker.tasks[id].tid;
    loop {
        let word = user::load_u32(address)?;
        let tid = word & FUTEX_TID_MASK;
        if tid == own {
            return Err(Errno::EDEADLK);
        }
        let owner = worker.tasks.by_tid(tid as i32);
        if tid != 0 && owner.is_none() && !shared {
            return Err(Errno::ESRCH);
        }
        let new = if tid == 0 { own | word & (FUTEX_OWNER_DIED | FUTEX_WAITERS) } else { word | FUTEX_WAITERS };
        if (tid == 0 || announce) && user::compare_exchange_u32(address, word, new)? != word {
            continue;
        }
        return Ok(match owner {
            _ if tid == 0 => Taken::Yes,
            Some(owner) => Taken::Owned(owner),
            None => Taken::Elsewhere(new),
        });
    }
}

/// FUTEX_UNLOCK_PI. EPERM if the caller does not have the lock.
pub fn unlock(worker: &mut Worker, address: usize, shared: bool) -> Outcome {
    let current = worker.current;
    let own = worker.tasks[current].tid;
    let done = match user::load_u32(address) {
        Err(errno) => Err(errno),
        Ok(word) if word & FUTEX_TID_MASK != own => Err(Errno::EPERM),
        Ok(_) => hand_over(worker, address, 0, shared),
    };
    if worker.tasks[current].is_lent {
        settle(worker, current);
    }
    Outcome::Done(done.map_or_else(error, |()| 0))
}

/// Gives the lock at `address` to its first waiter, or frees it; `mark` is added to the word (FUTEX_OWNER_DIED).
pub fn hand_over(worker: &mut Worker, address: usize, mark: u32, shared: bool) -> Result<(), Errno> {
    let Some(id) = worker.parking.first(&worker.tasks, address as u64) else {
        user::write(address, &mark)?;
        if shared {
            // SAFETY: a wake-up writes nothing.
            unsafe { raw::call(Sysno::futex as u32, [address, FUTEX_WAKE as usize, 1, 0, 0, 0]) };
        }
        return Ok(());
    };
    worker.parking.leave(&mut worker.tasks, id);
    worker.tasks[id].may_owe_lock = true;
    let more = shared || worker.parking.has_waiter(&worker.tasks, address as u64);
    let new = worker.tasks[id].tid | mark | if more { FUTEX_WAITERS } else { 0 };
    let written = user::write(address, &new);
    if worker.tasks[id].is_shared_wait {
        // It has the lock: no more to try for.
        shared_futex::forget(worker, id);
    }
    futex::complete(worker, id);
    written
}

/// Task `owner` ends: locks of its own for which others wait go to the first of these, marked as their owner's who died
/// (kernel/futex/pi.c, exit_pi_state_list). One for which nobody waits stays as it is.
#[cold]
pub fn owner_ends(worker: &mut Worker, owner: TaskId) {
    for id in 0..worker.tasks.used() {
        if worker.tasks.is_task(id)
            && worker.tasks[id].wait == Wait::Futex
            && is_lock(worker, id)
            && owner_of(worker, worker.tasks[id].key) == Some(owner)
        {
            // The word says that others wait, as the kernel has it: they may be in another process.
            let _ = hand_over(worker, worker.tasks[id].key as usize, FUTEX_OWNER_DIED, true);
        }
    }
}

/// FUTEX_WAIT_REQUEUE_PI: waits at the first address until `requeue` gives it the lock at the second, or a place in its
/// queue. EINVAL if both are the same, EAGAIN if the first is not as expected.
pub fn wait_requeue(worker: &mut Worker, call: &mut Frame, expected: u32) -> Outcome {
    let [address, _, _, timeout, lock, _] = call.arguments();
    let deadline = match futex::deadline(worker, call, timeout) {
        Ok(deadline) => deadline,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    if address == lock || lock & 3 != 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    match user::load_u32(address) {
        Ok(value) if value == expected => {}
        Ok(_) => return Outcome::Done(error(Errno::EAGAIN)),
        Err(errno) => return Outcome::Done(error(errno)),
    }
    let id = worker.current;
    if let Some(deadline) = deadline {
        if worker.timers.insert(id, deadline).is_err() {
            return Outcome::Done(error(Errno::ENOMEM));
        }
        worker.tasks[id].deadline = deadline.max(1);
    }
    worker.parking.enter(&mut worker.tasks, id, address as u64, NO_PLAIN_WAKE);
    call.answer(futex::WOKEN);
    worker.park(call, Wait::Futex);
    worker.stats.parks_futex += 1;
    Outcome::Switch
}

/// Whether a waiter, which may be a part of one, waits in `wait_requeue` to be moved to this lock.
fn waits_for(worker: &mut Worker, id: TaskId, lock: usize) -> bool {
    command_of(worker, id) == Some(FUTEX_WAIT_REQUEUE_PI) && worker.frame_of(id).arguments()[4] == lock
}

/// FUTEX_CMP_REQUEUE_PI: the first waiter gets the lock if that is free; it, if not, and up to so many others wait for it
/// from now on. How many in all.
pub fn requeue(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [address, operation, wakes, moves, lock, expected] = call.arguments();
    let shared = operation as u32 & FUTEX_PRIVATE_FLAG == 0 && !worker.arena.contains(lock, 4);
    if wakes as i32 != 1 || (moves as i32) < 0 || address == lock || lock & 3 != 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    match user::load_u32(address) {
        Ok(value) if value == expected as u32 => {}
        Ok(_) => return Outcome::Done(error(Errno::EAGAIN)),
        Err(errno) => return Outcome::Done(error(errno)),
    }
    let mut count = 0;
    while count <= moves as i32 as isize {
        let Some(id) = worker.parking.first(&worker.tasks, address as u64) else { break };
        let taken =
            if waits_for(worker, id, lock) { acquire(worker, id, lock, true, shared) } else { Err(Errno::EINVAL) };
        let taken = match taken {
            Ok(taken) => taken,
            Err(errno) if count == 0 => return Outcome::Done(error(errno)),
            Err(_) => break,
        };
        worker.parking.leave(&mut worker.tasks, id);
        if let Taken::Yes = taken {
            futex::complete(worker, id);
        } else {
            stand(worker, id, lock, &taken);
        }
        count += 1;
    }
    Outcome::Done(count)
}
