//! A small pool of kernel threads for calls that wait where nothing tells when they would not: locks on files, System V
//! semaphores and messages, fsync, what a disk does not have in its cache. The task parks, a thread of the pool makes
//! its call, and the poller is told when it is done. Threads are made when they are needed and end when they have had
//! nothing to do for a while (`threads.rs`).
//!
//! More calls than threads: the rest stand in line, and those that wait for another task are attempted by the worker
//! itself now and then, because the one that they wait for may stand behind them.

mod threads;

use super::signal::{delivery, pending_for};
use super::{Outcome, descriptors, elsewhere, error, io};
use crate::arch::Frame;
use crate::raw;
use crate::sched::descriptors::Direction;
use crate::sched::task::{State, TaskId, Wait};
use crate::sched::worker::Worker;
use alloc::collections::VecDeque;
use linux_raw_sys::general::SA_RESTART;
use syscalls::{Errno, Sysno};
use threads::SLOTS;

pub use threads::is_own_stack;

/// A call that a thread of the pool is to make.
#[derive(Clone, Copy)]
pub struct Job {
    pub number: Sysno,
    pub arguments: [usize; 6],
    /// Bytes that were transferred already; they are added to the result.
    pub done: isize,
}

impl Job {
    /// The program's own call.
    pub fn whole(number: Sysno, arguments: [usize; 6]) -> Job {
        Job { number, arguments, done: 0 }
    }
}

/// Threads that are kept for calls which end by themselves: one of them may be what all others wait for.
const RESERVED: usize = 8;

/// The worker's side of the pool.
pub struct Pool {
    /// The eventfd that threads write to when a call is done.
    notify: Option<i32>,
    /// Whose call each thread makes.
    tasks: [Option<(TaskId, Job)>; SLOTS],
    line: VecDeque<(TaskId, Job)>,
    /// Calls under way or in line.
    pub outstanding: u32,
}

impl Pool {
    pub const fn new() -> Pool {
        Pool { notify: None, tasks: [None; SLOTS], line: VecDeque::new(), outstanding: 0 }
    }

    /// Whether calls stand in line, which must be looked at again soon.
    pub fn has_line(&self) -> bool {
        !self.line.is_empty()
    }
}

/// The running task's call is made by the pool; the task parks.
pub fn hand_over(worker: &mut Worker, frame: &mut Frame, job: Job) -> Outcome {
    let id = worker.current;
    worker.park(frame, Wait::Pool);
    worker.stats.parks_io += 1;
    submit(worker, id, job);
    Outcome::Switch
}

/// The same for a task that is parked already and stands in no queue.
pub fn submit(worker: &mut Worker, id: TaskId, job: Job) {
    worker.tasks[id].wait = Wait::Pool;
    worker.pool.outstanding += 1;
    if open_notify(worker).is_err() || !start(worker, id, job) {
        let can_stand = elsewhere::can_be_tried(job.number) || worker.pool.tasks.iter().any(Option::is_some);
        if can_stand && worker.pool.line.try_reserve(1).is_ok() {
            worker.pool.line.push_back((id, job));
            return;
        }
        // No thread can be made: the call is made here, as natively, and keeps all others waiting.
        // SAFETY: the program's own call.
        let result = unsafe { raw::call(job.number as u32, job.arguments) };
        finish(worker, id, &job, result);
    }
}

/// Whether another call that waits for others would get a thread at once.
pub fn has_room(worker: &Worker) -> bool {
    let waits = |task: &Option<(TaskId, Job)>| task.is_some_and(|(_, job)| elsewhere::waits_for_others(job.number));
    worker.pool.tasks.iter().filter(|task| waits(task)).count() < SLOTS - RESERVED
}

/// Waits until the threads that make calls are asleep in them, as far as can be seen and for `limit` ns at most: what the
/// running task does next must find them waiting.
pub fn settle(worker: &Worker, limit: u64) {
    let end = worker.clock.now() + limit;
    for slot in (0..SLOTS).filter(|&slot| worker.pool.tasks[slot].is_some()) {
        while threads::is_running(slot) && worker.clock.now() < end {
            // SAFETY: takes no arguments.
            unsafe { raw::call(Sysno::sched_yield as u32, [0; 6]) };
        }
    }
}

fn start(worker: &mut Worker, id: TaskId, job: Job) -> bool {
    let Some(notify) = worker.pool.notify else { return false };
    if elsewhere::waits_for_others(job.number) && !has_room(worker) {
        return false;
    }
    let free = (0..SLOTS).filter(|&slot| worker.pool.tasks[slot].is_none());
    let Some(slot) = threads::employ(free, job.number as u32, job.arguments, notify) else { return false };
    worker.pool.tasks[slot] = Some((id, job));
    true
}

fn open_notify(worker: &mut Worker) -> Result<(), Errno> {
    if worker.pool.notify.is_some() {
        return Ok(());
    }
    io::open_poller(worker)?;
    const EFD_CLOEXEC_NONBLOCK: usize = 0o2004000;
    // SAFETY: takes plain numbers.
    let fd = raw::check(unsafe { raw::call(Sysno::eventfd2 as u32, [0, EFD_CLOEXEC_NONBLOCK, 0, 0, 0, 0]) })?;
    let fd = descriptors::make_private(worker, fd as i32);
    worker.pool.notify = Some(fd);
    register(worker, fd)
}

fn register(worker: &mut Worker, fd: i32) -> Result<(), Errno> {
    let generation = worker.descriptors.get(fd).map_or(0, |entry| entry.generation);
    worker.poller.watch(fd, generation, Direction::Read.bit(), 0)
}

/// The eventfd has another number now.
pub fn moved(worker: &mut Worker, fd: i32) {
    worker.pool.notify = Some(fd);
    let _ = register(worker, fd);
}

/// Completes the calls that are done, and starts those in line.
pub fn collect(worker: &mut Worker) {
    if worker.pool.outstanding == 0 {
        return;
    }
    while let Some((slot, result)) = threads::take_done() {
        if let Some((id, job)) = worker.pool.tasks[slot].take() {
            finish(worker, id, &job, result);
        }
    }
    let mut place = 0;
    while let Some(&(id, job)) = worker.pool.line.get(place) {
        if start(worker, id, job) {
            worker.pool.line.remove(place);
        } else {
            place += 1;
        }
    }
    for _ in 0..worker.pool.line.len() {
        let Some((id, job)) = worker.pool.line.pop_front() else { break };
        match elsewhere::try_now(&job) {
            Some(result) => finish(worker, id, &job, result),
            None => worker.pool.line.push_back((id, job)),
        }
    }
}

/// A call is done: its task goes on. A signal that came for the task meanwhile is delivered now.
fn finish(worker: &mut Worker, id: TaskId, job: &Job, result: isize) {
    worker.pool.outstanding -= 1;
    let result = match job.done {
        0 => elsewhere::after_wait(job.number, result),
        done => done + result.max(0),
    };
    let restarts = result == error(Errno::EINTR) && will_restart(worker, id, job.number);
    if restarts {
        worker.frame_of(id).restart();
    } else {
        worker.frame_of(id).answer(result);
    }
    worker.tasks[id].wait = Wait::Nothing;
    io::events::restore_mask(worker, id);
    if worker.tasks[id].deadline != 0 {
        worker.timers.remove(id);
        worker.tasks[id].deadline = 0;
    }
    if worker.tasks[id].state == State::Parked {
        worker.make_ready(id);
    }
    delivery::deliver_to_ready(worker, id);
}

/// Whether the signal that interrupted the call lets it be made again (signal(7)).
fn will_restart(worker: &Worker, id: TaskId, number: Sysno) -> bool {
    if matches!(number, Sysno::semop | Sysno::semtimedop | Sysno::msgsnd | Sysno::msgrcv) {
        return false;
    }
    let waiting = pending_for(worker, id);
    let first = waiting.trailing_zeros() as usize + 1;
    waiting != 0 && worker.signals.actions[first].flags & u64::from(SA_RESTART) != 0
}

/// A signal has come for a task whose call the pool makes: the call is broken off, and the signal follows when it has
/// ended.
pub fn interrupt(worker: &mut Worker, id: TaskId) {
    let is_owners = |task: &Option<(TaskId, Job)>| task.is_some_and(|(owner, _)| owner == id);
    if let Some(slot) = worker.pool.tasks.iter().position(is_owners) {
        // What ends by itself is not interrupted, as natively a wait for a disk is not.
        if worker.pool.tasks[slot].is_some_and(|(_, job)| elsewhere::waits_for_others(job.number)) {
            threads::interrupt(slot, worker.pid);
        }
    } else if let Some(place) = worker.pool.line.iter().position(|&(owner, _)| owner == id)
        && elsewhere::waits_for_others(worker.pool.line[place].1.number)
        && let Some((_, job)) = worker.pool.line.remove(place)
    {
        finish(worker, id, &job, error(Errno::EINTR));
    }
}

/// The process's rights or its tables have changed: threads made before do not have them.
pub fn retire(worker: &mut Worker) {
    threads::retire(|slot| worker.pool.tasks[slot].is_some());
}

/// In the child of a fork there are no threads. The descriptor that is needed no more.
pub fn become_child(worker: &mut Worker) -> Option<i32> {
    threads::forget();
    core::mem::replace(&mut worker.pool, Pool::new()).notify
}
