//! Sleeping and yielding: nanosleep(2), clock_nanosleep(2), sched_yield(2).

use super::{Outcome, cpu_time, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::sched::clock::NS_PER_S;
use crate::sched::idle::timespec;
use crate::sched::task::{TaskId, Wait};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{
    __kernel_timespec, CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_TAI,
    TIMER_ABSTIME,
};
use syscalls::Errno;

/// While a sleep on a CPU-time clock lasts, at least this long passes between looks at that clock, ns.
const CPU_CLOCK_LOOK: u64 = 1_000_000;

/// A timespec as nanoseconds, at most 2⁶³ − 1. EINVAL if it is not one.
pub fn to_ns(time: __kernel_timespec) -> Result<u64, Errno> {
    if time.tv_sec < 0 || !(0..NS_PER_S as i64).contains(&time.tv_nsec) {
        return Err(Errno::EINVAL);
    }
    Ok((time.tv_sec as u64).saturating_mul(NS_PER_S).saturating_add(time.tv_nsec as u64).min(i64::MAX as u64))
}

/// Whether `clock` counts CPU time: the process's, or that of another process or thread, whose numbers are negative (and
/// end in three if they are files' instead).
fn is_of_cpu_time(clock: u32) -> bool {
    const FILE: u32 = 3;
    clock == CLOCK_PROCESS_CPUTIME_ID || ((clock as i32) < 0 && clock & FILE != FILE)
}

/// What `clock` shows. None if there is no such clock.
fn read(worker: &mut Worker, clock: u32) -> Option<u64> {
    match cpu_time::task_of(worker, clock as i32) {
        Some(id) => Some(cpu_time::of(worker, id)),
        None => worker.clock.read(clock as i32),
    }
}

/// nanosleep(2): a span on CLOCK_MONOTONIC.
pub fn nanosleep(worker: &mut Worker, call: &mut Frame) -> Outcome {
    sleep(worker, call, CLOCK_MONOTONIC, false, call.rdi as usize)
}

/// clock_nanosleep(2). Clocks that other tasks' running does not move are turned into CLOCK_MONOTONIC once; CPU-time
/// clocks are looked at again when the time could be over; clocks that wake a suspended machine are left to the kernel,
/// and so is a thread's own, which it refuses.
pub fn clock_nanosleep(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let clock = call.rdi as u32;
    let is_usual = matches!(clock, CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_TAI);
    let is_own = cpu_time::task_of(worker, clock as i32) == Some(worker.current);
    if !is_usual && (!is_of_cpu_time(clock) || is_own) {
        return Outcome::Pass;
    }
    sleep(worker, call, clock, call.rsi as u32 & TIMER_ABSTIME != 0, call.rdx as usize)
}

fn sleep(worker: &mut Worker, call: &mut Frame, clock: u32, absolute: bool, request: usize) -> Outcome {
    // SAFETY: a timespec is two plain integers.
    let time = match unsafe { user::read::<__kernel_timespec>(request) }.and_then(to_ns) {
        Ok(time) => time,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    let now = worker.clock.now();
    let there = if clock == CLOCK_MONOTONIC { Some(now) } else { read(worker, clock) };
    let Some(there) = there else { return Outcome::Done(error(Errno::EINVAL)) };
    let span = if absolute { time.saturating_sub(there) } else { time };
    let id = worker.current;
    if worker.timers.insert(id, now.saturating_add(span)).is_err() {
        return Outcome::Done(error(Errno::ENOMEM));
    }
    let task = &mut worker.tasks[id];
    task.sleep_clock = clock;
    task.deadline = there.saturating_add(span);
    worker.park(call, Wait::Sleep);
    worker.stats.parks_sleep += 1;
    Outcome::Switch
}

/// A sleeper's time on CLOCK_MONOTONIC is over: it wakes, unless its CPU-time clock is behind.
pub fn wake_sleeper(worker: &mut Worker, id: TaskId, now: u64) {
    let clock = worker.tasks[id].sleep_clock;
    if is_of_cpu_time(clock) {
        // The clock of a thread that has ended shows nothing, and stands still.
        let there = read(worker, clock).unwrap_or(0);
        let left = worker.tasks[id].deadline.saturating_sub(there);
        if left > 0 && worker.timers.insert(id, now.saturating_add(left.max(CPU_CLOCK_LOOK))).is_ok() {
            return;
        }
    }
    worker.tasks[id].deadline = 0;
    worker.wake(id, 0);
}

/// Ends a sleep by a signal: writes how much of a relative one is left. The result is EINTR.
pub fn interrupt_sleeper(worker: &mut Worker, id: TaskId) -> isize {
    let clock = worker.tasks[id].sleep_clock;
    let deadline = core::mem::take(&mut worker.tasks[id].deadline);
    let there = read(worker, clock).unwrap_or(deadline);
    let call = worker.frame_of(id);
    let is_nanosleep = call.number() == syscalls::Sysno::nanosleep as u32;
    let remaining = if is_nanosleep { call.rsi } else { call.r10 } as usize;
    let absolute = !is_nanosleep && call.rsi as u32 & TIMER_ABSTIME != 0;
    if remaining != 0 && !absolute && user::write(remaining, &timespec(deadline.saturating_sub(there))).is_err() {
        return error(Errno::EFAULT);
    }
    error(Errno::EINTR)
}

/// Argument of a sched_yield of grivet's own, by a task that has just made another: that one runs first, and its maker
/// next.
pub const TO_NEWEST: usize = 0x6772_6976_6574_0003;

fn yield_to_newest(worker: &mut Worker, call: &mut Frame) -> Outcome {
    call.answer(0);
    worker.suspend(call);
    let newest = worker.run_queue.pop(&mut worker.tasks);
    let current = worker.current;
    worker.run_queue.push_front(&mut worker.tasks, current);
    if let Some(newest) = newest {
        worker.run_queue.push_front(&mut worker.tasks, newest);
    }
    Outcome::Switch
}

/// sched_yield(2): behind all ready tasks. If there are none, sleepers that are due and files that are ready are looked
/// for, so that a loop of yields makes everyone progress.
pub fn sched_yield(worker: &mut Worker, call: &mut Frame) -> Outcome {
    if call.rdi as usize == TO_NEWEST {
        return yield_to_newest(worker, call);
    }
    if worker.run_queue.is_empty() && worker.has_something_to_look_for() {
        worker.look_around();
    }
    if worker.run_queue.is_empty() {
        // Alone: let another process have the processor, as natively; and keep files and shared futexes moving.
        return Outcome::Pass;
    }
    call.answer(0);
    worker.suspend(call);
    worker.yield_current();
    Outcome::Switch
}
