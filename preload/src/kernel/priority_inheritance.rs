//! Priority-inheritance futexes (FUTEX_LOCK_PI and its kin, kernel/futex/pi.c): the lock word holds its owner's thread id, and an
//! unlock with waiters hands the lock over. Nobody's priority is raised: tasks run in turn, and a lock's owner is never
//! kept waiting by a task of lower priority.

use super::{Outcome, error, futex};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::sched::task::{TaskId, Wait};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use syscalls::Errno;

/// FUTEX_LOCK_PI (a time limit on CLOCK_REALTIME) and FUTEX_LOCK_PI2. EDEADLK if the caller has the lock, ESRCH if its
/// owner is no thread of this process.
pub fn lock(worker: &mut Worker, call: &mut Frame, address: usize, timeout: usize) -> Outcome {
    let deadline = match futex::deadline(worker, call, timeout) {
        Ok(deadline) => deadline,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    match acquire(worker, address, true) {
        Ok(true) => return Outcome::Done(0),
        Ok(false) => {}
        Err(errno) => return Outcome::Done(error(errno)),
    }
    let id = worker.current;
    if let Some(deadline) = deadline {
        if worker.timers.insert(id, deadline).is_err() {
            return Outcome::Done(error(Errno::ENOMEM));
        }
        worker.tasks[id].deadline = deadline.max(1);
    }
    worker.parking.enter(&mut worker.tasks, id, address as u64, FUTEX_BITSET_MATCH_ANY);
    call.answer(futex::WOKEN);
    worker.park(call, Wait::Futex);
    worker.stats.parks_futex += 1;
    Outcome::Switch
}

/// FUTEX_TRYLOCK_PI. EAGAIN if another thread has the lock.
pub fn try_lock(worker: &mut Worker, address: usize) -> Outcome {
    match acquire(worker, address, false) {
        Ok(true) => Outcome::Done(0),
        Ok(false) => Outcome::Done(error(Errno::EAGAIN)),
        Err(errno) => Outcome::Done(error(errno)),
    }
}

/// Takes the lock if it is free; otherwise marks it as waited for, if `announce` is set. Whether it was taken.
fn acquire(worker: &Worker, address: usize, announce: bool) -> Result<bool, Errno> {
    let own = worker.tasks[worker.current].tid;
    loop {
        let word = user::load_u32(address)?;
        let owner = word & FUTEX_TID_MASK;
        if owner == own {
            return Err(Errno::EDEADLK);
        }
        let is_free = owner == 0;
        if !is_free && worker.tasks.by_tid(owner as i32).is_none() {
            return Err(Errno::ESRCH);
        }
        let wanted = if is_free { own | word & (FUTEX_OWNER_DIED | FUTEX_WAITERS) } else { word | FUTEX_WAITERS };
        if !is_free && !announce {
            return Ok(false);
        }
        if user::compare_exchange_u32(address, word, wanted)? == word {
            return Ok(is_free);
        }
    }
}

/// FUTEX_UNLOCK_PI. EPERM if the caller does not have the lock.
pub fn unlock(worker: &mut Worker, address: usize) -> Outcome {
    let own = worker.tasks[worker.current].tid;
    match user::load_u32(address) {
        Err(errno) => Outcome::Done(error(errno)),
        Ok(word) if word & FUTEX_TID_MASK != own => Outcome::Done(error(Errno::EPERM)),
        Ok(_) => match hand_over(worker, address, 0) {
            Ok(()) => Outcome::Done(0),
            Err(errno) => Outcome::Done(error(errno)),
        },
    }
}

/// Gives the lock at `address` to its first waiter, or frees it; `mark` is added to the word (FUTEX_OWNER_DIED).
pub fn hand_over(worker: &mut Worker, address: usize, mark: u32) -> Result<(), Errno> {
    let next: Option<TaskId> = worker.parking.take(&mut worker.tasks, address as u64, FUTEX_BITSET_MATCH_ANY);
    let new = match next {
        None => mark,
        Some(id) => {
            let more = worker.parking.has_waiter(&worker.tasks, address as u64);
            worker.tasks[id].tid | mark | if more { FUTEX_WAITERS } else { 0 }
        }
    };
    let written = user::write(address, &new);
    if let Some(id) = next {
        futex::complete(worker, id);
    }
    written
}
