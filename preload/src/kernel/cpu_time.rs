//! CPU time of single tasks: CLOCK_THREAD_CPUTIME_ID, the clocks of pthread_getcpuclockid(3), getrusage(RUSAGE_THREAD).
//! The kernel counts for the worker's thread; from the moment that a program first asks, that clock is read at each
//! switch and what has passed goes to the task that ran. Before, it is read at each tick of the slice timer and charged to
//! the task that this finds running, because reading the clock costs more than a switch.

use super::{Outcome, cpu_timers, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::preempt;
use crate::raw;
use crate::sched::clock::NS_PER_S;
use crate::sched::idle::timespec;
use crate::sched::task::{State, TaskId, Tasks};
use crate::sched::worker::Worker;
use core::mem::offset_of;
use linux_raw_sys::general::{__kernel_timespec, CLOCK_THREAD_CPUTIME_ID, rusage};
use syscalls::Sysno;

/// getrusage(2): the calling thread.
const RUSAGE_THREAD: i32 = 1;
const NS_PER_US: u64 = 1000;

/// What is kept for the worker.
pub struct CpuTime {
    /// The program has asked: time is charged at each switch.
    pub is_on: bool,
    /// What the worker's clock showed when it was last charged, ns.
    since: u64,
    /// CLOCK_MONOTONIC at the last look at it where no ticks come, ns.
    looked_at: u64,
}

impl CpuTime {
    pub const fn new() -> CpuTime {
        CpuTime { is_on: false, since: 0, looked_at: 0 }
    }

    /// What the worker's clock showed when it was last charged, ns.
    pub fn charged(&self) -> u64 {
        self.since
    }
}

/// CPU time of the worker's kernel thread, ns.
fn of_worker() -> u64 {
    let mut time = __kernel_timespec { tv_sec: 0, tv_nsec: 0 };
    let arguments = [CLOCK_THREAD_CPUTIME_ID as usize, &raw mut time as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes one timespec.
    unsafe { raw::call(Sysno::clock_gettime as u32, arguments) };
    time.tv_sec as u64 * NS_PER_S + time.tv_nsec as u64
}

/// What the first thread had used before grivet woke is its own.
pub fn begin(worker: &mut Worker) {
    let current = worker.current;
    worker.cpu_time.since = of_worker();
    worker.tasks[current].extra().cpu_time = worker.cpu_time.since;
}

/// In the child of a fork: the calling task is all there is, and its time begins anew.
pub fn become_child(worker: &mut Worker) {
    let current = worker.current;
    worker.cpu_time.since = 0;
    if let Some(extra) = &mut worker.tasks[current].extra {
        extra.cpu_time = 0;
        extra.cpu_deadline = 0;
    }
}

/// What has passed since the last time goes to the current task: it ran, or was found running by the slice timer, or was
/// the only one.
#[cold]
pub fn charge(worker: &mut Worker) {
    let now = of_worker();
    let passed = now.saturating_sub(core::mem::replace(&mut worker.cpu_time.since, now));
    let current = worker.current;
    // An ended one has no record any more.
    if worker.tasks[current].state == State::Free {
        return;
    }
    let extra = worker.tasks[current].extra();
    extra.cpu_time += passed;
    if extra.cpu_deadline != 0 && extra.cpu_deadline <= extra.cpu_time {
        cpu_timers::expires(worker);
    }
}

/// The same when the current task gives way to `next`, and time is charged at each switch.
#[cold]
pub fn charge_at_switch(worker: &mut Worker, next: TaskId) {
    charge(worker);
    cpu_timers::arm(worker, next);
}

/// The only task is about to make another, and no tick may have told that it ran: so far it is all its own. To the length
/// of a tick, for threads that follow each other one by one must not cost a system call each.
pub fn charge_single(worker: &mut Worker) {
    let now = worker.clock.now();
    if now.wrapping_sub(worker.cpu_time.looked_at) >= preempt::TICK {
        worker.cpu_time.looked_at = now;
        charge(worker);
    }
}

/// The CPU time that task `id` has had, ns.
pub fn of(worker: &mut Worker, id: TaskId) -> u64 {
    charge(worker);
    worker.cpu_time.is_on = true;
    worker.is_watched = true;
    worker.tasks[id].extra.as_ref().map_or(0, |extra| extra.cpu_time)
}

/// The same as far as it is known without asking the kernel from now on.
pub fn known(tasks: &Tasks, id: TaskId) -> u64 {
    tasks[id].extra.as_ref().map_or(0, |extra| extra.cpu_time)
}

/// The task whose CPU time clock `id` shows, if that is what it is (clockid_t as in include/linux/posix-timers.h: the
/// complement of a thread id, a bit for "of a thread", and two for the kind).
pub fn task_of(worker: &Worker, clock: i32) -> Option<TaskId> {
    const OF_THREAD: i32 = 4;
    const KIND: i32 = 3;
    const FILE: i32 = 3;
    if clock == CLOCK_THREAD_CPUTIME_ID as i32 {
        return Some(worker.current);
    }
    if clock >= 0 || clock & KIND == FILE || clock & OF_THREAD == 0 {
        return None;
    }
    match !(clock >> 3) {
        0 => Some(worker.current),
        tid => worker.tasks.by_tid(tid),
    }
}

/// clock_gettime(2) of the clocks that are answered here; others are the kernel's.
pub fn clock_gettime(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let Some(id) = task_of(worker, call.rdi as i32) else { return Outcome::Pass };
    let time = timespec(of(worker, id));
    Outcome::Done(user::write(call.rsi as usize, &time).map_or_else(error, |()| 0))
}

/// clock_getres(2), the same.
pub fn clock_getres(worker: &mut Worker, call: &mut Frame) -> Outcome {
    if task_of(worker, call.rdi as i32).is_none() {
        return Outcome::Pass;
    }
    if call.rsi == 0 {
        return Outcome::Done(0);
    }
    Outcome::Done(user::write(call.rsi as usize, &timespec(1)).map_or_else(error, |()| 0))
}

/// getrusage(2) with RUSAGE_THREAD: CPU time is the task's, in the kernel's proportion of user and system time; what is
/// not counted by task (page faults, switches) is the worker's.
pub fn getrusage(worker: &mut Worker, call: &mut Frame) -> Outcome {
    if call.rdi as i32 != RUSAGE_THREAD {
        return Outcome::Pass;
    }
    const WORDS: usize = size_of::<rusage>() / 8;
    let mut usage = [0u64; WORDS];
    let arguments = [RUSAGE_THREAD as usize, usage.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes one struct rusage.
    if let Err(errno) = raw::check(unsafe { raw::call(Sysno::getrusage as u32, arguments) }) {
        return Outcome::Done(error(errno));
    }
    const { assert!(offset_of!(rusage, ru_utime) == 0 && offset_of!(rusage, ru_stime) == 16) };
    let current = worker.current;
    let own = of(worker, current) / NS_PER_US;
    let [user_time, system_time] = [usage[0] * 1_000_000 + usage[1], usage[2] * 1_000_000 + usage[3]];
    let all = (user_time + system_time).max(1);
    let user_part = (u128::from(own) * u128::from(user_time) / u128::from(all)) as u64;
    for (place, time) in [(0, user_part), (2, own - user_part)] {
        usage[place] = time / 1_000_000;
        usage[place + 1] = time % 1_000_000;
    }
    Outcome::Done(user::write(call.rsi as usize, &usage).map_or_else(error, |()| 0))
}
