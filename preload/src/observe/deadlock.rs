//! Threads that wait for each other's locks for ever. Who holds a lock is read from the lock itself, where the C library's
//! public headers put it: bits/struct_mutex.h (`__lock`, then `__count`, then `__owner`), bits/struct_rwlock.h (`__cur_writer`),
//! futex(2) for priority-inheritance and robust locks (the id is in the word), pthread_create(3)'s own word for joins. A lock that
//! says nothing of the kind (a semaphore, a condition variable, Rust's mutex) ends the chain, and no cycle is found.
//!
//! A cycle closes when its last thread parks, so at each look only those are followed that have parked since the
//! last one. The look costs a pass over the tasks' records, twice a second at most, and none while nobody parks.

use super::finish::End;
use super::itself;
use crate::arch::x86_64::user_memory as user;
use crate::config::observe::OnDeadlock;
use crate::kernel::process;
use crate::kernel::signal::delivery::default_in_kernel;
use crate::raw;
use crate::report::say;
use crate::sched::task::{State, TaskId, Wait};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{FUTEX_TID_MASK, FUTEX_WAITERS};
use syscalls::Sysno;

/// Time between two looks, in the unit of `Worker::coarse_time`: about half a second.
const BETWEEN_LOOKS: u32 = 476;

/// With more threads than this, looks are rarer, so that they take no more of the time.
const MANY: u32 = 100_000;

/// Threads of a cycle that are described.
const DESCRIBED: usize = 10;

/// Reports of one process.
const MOST_REPORTS: usize = 10;

/// What has been looked at and said.
pub struct Deadlocks {
    pub action: OnDeadlock,
    /// `Worker::coarse_time` of the last look, and how often a task had parked for a futex by then.
    looked_at: u32,
    parks: u64,
    /// Locks of cycles that were reported.
    reported: Vec<u64>,
}

impl Deadlocks {
    pub const fn new() -> Deadlocks {
        Deadlocks { action: OnDeadlock::Ignore, looked_at: 0, parks: 0, reported: Vec::new() }
    }

    /// In the child of a fork.
    pub fn forget(&mut self) {
        *self = Deadlocks { action: self.action, ..Deadlocks::new() };
    }

    /// Whether one was reported.
    pub fn has_reported(&self) -> bool {
        !self.reported.is_empty()
    }
}

/// Whether a task has parked since the last look that could have closed a cycle.
pub fn has_news(worker: &Worker) -> bool {
    let deadlocks = &worker.observer.deadlocks;
    deadlocks.action != OnDeadlock::Ignore && worker.stats.parks_futex != deadlocks.parks
}

/// How long until the next look is due, in the unit of `Worker::coarse_time`.
pub fn due_in(worker: &Worker) -> u32 {
    let between = BETWEEN_LOOKS.saturating_mul(worker.tasks.live / MANY + 1);
    between.saturating_sub(worker.coarse_time.wrapping_sub(worker.observer.deadlocks.looked_at))
}

/// Looks for cycles that have closed since the last look.
#[cold]
pub fn look(worker: &mut Worker) {
    let before = worker.observer.deadlocks.looked_at;
    worker.observer.deadlocks.looked_at = worker.coarse_time;
    worker.observer.deadlocks.parks = worker.stats.parks_futex;
    for id in 0..worker.tasks.used() {
        let task = &worker.tasks[id];
        let waits = task.state == State::Parked && task.wait == Wait::Futex && task.deadline == 0;
        // A millisecond more, for the clock is coarse.
        if waits && task.since.wrapping_add(1).wrapping_sub(before) < u32::MAX / 2 {
            follow(worker, id);
        }
    }
}

/// Who holds what a task waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Unknown,
    Task(TaskId),
    /// A thread of this process that has ended.
    Ended(u32),
}

/// Follows the chain of holders from `id`. (Brent's algorithm finds the cycle without memory.)
fn follow(worker: &mut Worker, id: TaskId) {
    let (mut slow, mut fast) = (id, id);
    let (mut power, mut length) = (1u32, 0u32);
    loop {
        fast = match holder(worker, fast) {
            Holder::Unknown => return,
            Holder::Task(next) => next,
            Holder::Ended(tid) => return report_ended(worker, fast, tid),
        };
        length += 1;
        if fast == slow {
            return report_cycle(worker, slow, length);
        }
        if length == power {
            slow = fast;
            length = 0;
            let Some(doubled) = power.checked_mul(2) else { return };
            power = doubled;
        }
    }
}

fn holder(worker: &Worker, id: TaskId) -> Holder {
    let task = &worker.tasks[id];
    if task.state != State::Parked || task.wait != Wait::Futex || task.deadline != 0 {
        return Holder::Unknown;
    }
    let lock = task.key as usize;
    let Ok(word) = user::load_u32(lock) else { return Holder::Unknown };
    // A join waits for the word that the kernel clears when the thread ends.
    if let Some(joined) = worker.tasks.by_tid(word as i32)
        && worker.tasks[joined].clear_tid == task.key
    {
        return Holder::Task(joined);
    }
    // Priority-inheritance and robust locks.
    if word & FUTEX_WAITERS != 0 {
        return whose(worker, word & FUTEX_TID_MASK);
    }
    const CONTENDED: u32 = 2;
    const MUTEX_OWNER: usize = 8;
    if word == CONTENDED
        && let Ok(owner) = user::load_u32(lock.wrapping_add(MUTEX_OWNER))
        && whose(worker, owner) != Holder::Unknown
    {
        return whose(worker, owner);
    }
    // __wrphase_futex and __writers_futex of a rwlock lie so far before __cur_writer. That a writer has ended is not concluded
    // from what may be no rwlock at all.
    for distance in [16, 12] {
        if let Ok(writer) = user::load_u32(lock.wrapping_add(distance))
            && let Holder::Task(id) = whose(worker, writer)
        {
            return Holder::Task(id);
        }
    }
    Holder::Unknown
}

fn whose(worker: &Worker, tid: u32) -> Holder {
    match worker.tasks.by_tid(tid as i32) {
        Some(id) => Holder::Task(id),
        None if worker.tasks.had_tid(tid) => Holder::Ended(tid),
        None => Holder::Unknown,
    }
}

/// Whether a report about `lock` is still to be made; it is noted.
fn is_new(worker: &mut Worker, lock: u64) -> bool {
    let reported = &mut worker.observer.deadlocks.reported;
    if reported.contains(&lock) || reported.len() >= MOST_REPORTS || reported.try_reserve(1).is_err() {
        return false;
    }
    reported.push(lock);
    true
}

fn report_cycle(worker: &mut Worker, first: TaskId, length: u32) {
    // The same cycle is met from each of its threads: it is known by its lowest lock.
    let mut lowest = u64::MAX;
    let mut id = first;
    for _ in 0..length {
        lowest = lowest.min(worker.tasks[id].key);
        let Holder::Task(next) = holder(worker, id) else { return };
        id = next;
    }
    if !is_new(worker, lowest) {
        return;
    }
    if length == 1 {
        say!("deadlock: a thread waits for a lock that it holds itself:");
    } else {
        say!("deadlock: {length} threads wait for each other, for ever:");
    }
    let mut members = Vec::new();
    for _ in 0..(length as usize).min(DESCRIBED) {
        if members.try_reserve(1).is_ok() {
            members.push(id);
        }
        let Holder::Task(next) = holder(worker, id) else { return };
        let task = &worker.tasks[id];
        let is_join = worker.tasks[next].clear_tid == task.key;
        say!(
            "  {} ({}) {} {:#x}, {} {} ({})",
            worker.name_of(id).escape_ascii(),
            task.tid,
            if is_join { "joins at" } else { "waits for the lock" },
            task.key,
            if is_join { "the end of" } else { "held by" },
            worker.name_of(next).escape_ascii(),
            worker.tasks[next].tid
        );
        id = next;
    }
    itself::backtraces(worker, &members);
    act(worker);
}

fn report_ended(worker: &mut Worker, id: TaskId, tid: u32) {
    let lock = worker.tasks[id].key;
    if !is_new(worker, lock) {
        return;
    }
    say!(
        "deadlock: {} ({}) waits for the lock {lock:#x}, which thread {tid} held when it ended",
        worker.name_of(id).escape_ascii(),
        worker.tasks[id].tid
    );
    itself::backtraces(worker, &[id]);
    act(worker);
}

/// What the user wants to happen now.
fn act(worker: &mut Worker) {
    const SIGABRT: u32 = 6;
    match worker.observer.deadlocks.action {
        OnDeadlock::Ignore | OnDeadlock::Report => {}
        OnDeadlock::Exit(code) => {
            process::ending(worker, End::Exit);
            raw::exit_group(i32::from(code));
        }
        OnDeadlock::Abort => {
            process::ending(worker, End::Signal(SIGABRT));
            default_in_kernel(SIGABRT);
            raw::set_signal_mask(0);
            // SAFETY: sends this thread a signal that ends the process.
            unsafe { raw::call(Sysno::tkill as u32, [raw::gettid() as usize, SIGABRT as usize, 0, 0, 0, 0]) };
        }
    }
}
