//! Scheduling attributes of tasks: policy and priority (CPUs: `affinity`). Real-time priorities (SCHED_FIFO, SCHED_RR) are
//! honoured among the tasks (`sched::real_time`). Whether a thread may
//! have what it asks for is found out by asking the kernel for the same on the worker's thread, and taking it back.
//! A process of one thread is the kernel's to schedule.

use super::{Outcome, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::nice;
use crate::kernel::priority_inheritance;
use crate::raw;
use crate::sched::task::{Extra, State, TaskId};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{SCHED_BATCH, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR};
use syscalls::{Errno, Sysno};

const RESET_ON_FORK: i32 = 0x4000_0000;
/// Bytes of struct sched_attr, first version, in words: size and policy, flags, nice and priority, three of deadlines.
const ATTRIBUTES: usize = 6;

/// The task that a scheduling call is about; None if it is none of ours. Id 0 is the caller.
pub fn subject(worker: &Worker, tid: i32) -> Option<TaskId> {
    if tid == 0 { Some(worker.current) } else { worker.tasks.by_tid(tid) }
}

/// sched_setscheduler(2) and sched_setparam(2). EINVAL, EPERM as natively.
pub fn set_policy(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let [tid, second, third, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    let (present, _) = policy_of(worker, id);
    let (policy, address) =
        if number == Sysno::sched_setscheduler { (second as i32, third) } else { (present, second) };
    if address == 0 || policy < 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    // SAFETY: struct sched_param is one int.
    let priority = match unsafe { user::read::<i32>(address) } {
        Ok(priority) => priority,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    set(worker, id, policy, priority).map(|()| 0).into()
}

fn set(worker: &mut Worker, id: TaskId, policy: i32, priority: i32) -> Result<(), Errno> {
    let range = match (policy & !RESET_ON_FORK) as u32 {
        SCHED_FIFO | SCHED_RR => 1..=99,
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE => 0..=0,
        _ => return Err(Errno::EINVAL),
    };
    if !range.contains(&priority) {
        return Err(Errno::EINVAL);
    }
    let arguments = [0, policy as usize, &raw const priority as usize, 0, 0, 0];
    // SAFETY: the kernel reads one int.
    let ask = || raw::check(unsafe { raw::call(Sysno::sched_setscheduler as u32, arguments) }).map(drop);
    if worker.is_single() {
        ask()?;
    } else {
        let (present, own) = policy_of(worker, id);
        let is_lower = (present ^ policy) & !RESET_ON_FORK == 0 && priority <= own;
        let leaves_idle = present & !RESET_ON_FORK == SCHED_IDLE as i32 && policy & !RESET_ON_FORK != SCHED_IDLE as i32;
        if leaves_idle && !is_real_time(policy) && !nice::may_have(nice::of(worker, id)) {
            return Err(Errno::EPERM);
        }
        if present & !policy & RESET_ON_FORK != 0 && !nice::may_have(nice::LOWEST) {
            return Err(Errno::EPERM);
        }
        if !is_lower && is_real_time(policy) {
            on_trial(ask)?;
        }
    }
    worker.tasks[id].extra().scheduling = Some((policy, priority));
    priority_inheritance::settle(worker, id);
    Ok(())
}

/// sched_rr_get_interval(2): the kernel's answer about a thread of the same policy.
pub fn turn(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [tid, address, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    let (policy, priority) = policy_of(worker, id);
    let mut answer = 0;
    // SAFETY: the program's own call, about the worker's thread.
    let mut ask = || answer = unsafe { raw::call(Sysno::sched_rr_get_interval as u32, [0, address, 0, 0, 0, 0]) };
    let arguments = [0, policy as usize, &raw const priority as usize, 0, 0, 0];
    // SAFETY: the kernel reads one int.
    let become_such = || raw::check(unsafe { raw::call(Sysno::sched_setscheduler as u32, arguments) }).map(drop);
    if !is_real_time(policy) || worker.is_single() || on_trial(|| become_such().map(|()| ask())).is_err() {
        ask();
    }
    Outcome::Done(answer)
}

/// Has the kernel apply something to the worker's thread, and puts that back as it was.
pub fn on_trial(ask: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    let mut before = [0u64; ATTRIBUTES];
    let arguments = [0, before.as_mut_ptr() as usize, size_of_val(&before), 0, 0, 0];
    // SAFETY: the kernel writes at most the size given.
    raw::check(unsafe { raw::call(Sysno::sched_getattr as u32, arguments) })?;
    ask()?;
    // SAFETY: the kernel reads what it has written.
    unsafe { raw::call(Sysno::sched_setattr as u32, [0, before.as_ptr() as usize, 0, 0, 0, 0]) };
    Ok(())
}

/// Gives task `id` this real-time priority (0 for none), wherever it stands. One that was lowered goes before its new
/// equals, as in the kernel (__setscheduler, ENQUEUE_HEAD).
pub fn set_priority(worker: &mut Worker, id: TaskId, priority: u8) {
    let before = worker.tasks[id].priority;
    if before == priority {
        return;
    }
    let is_queued = worker.tasks[id].state == State::Ready;
    if is_queued {
        worker.run_queue.remove(&mut worker.tasks, id);
    }
    worker.tasks[id].priority = priority;
    if is_queued && priority != 0 && priority < before {
        worker.run_queue.push_front(&mut worker.tasks, id);
    } else if is_queued {
        worker.run_queue.push(&mut worker.tasks, id);
    }
    if id == worker.current {
        worker.run_queue.real_time.set_running(priority);
    }
}

/// The real-time priority that task `id` has by itself, without what locks lend it.
pub fn own_priority(worker: &Worker, id: TaskId) -> u8 {
    worker.tasks[id].extra.as_ref().and_then(|extra| extra.scheduling).map_or(0, |(_, priority)| priority as u8)
}

/// sched_getscheduler(2) and sched_getparam(2).
pub fn get_policy(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let [tid, address, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    let (policy, priority) = policy_of(worker, id);
    if number == Sysno::sched_getscheduler {
        return Outcome::Done(policy as isize);
    }
    if address == 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    Outcome::Done(user::write(address, &priority).map_or_else(error, |()| 0))
}

fn is_real_time(policy: i32) -> bool {
    matches!((policy & !RESET_ON_FORK) as u32, SCHED_FIFO | SCHED_RR)
}

/// Whether task `id` has no slices.
pub fn is_fifo(worker: &Worker, id: TaskId) -> bool {
    (policy_of(worker, id).0 & !RESET_ON_FORK) as u32 == SCHED_FIFO
}

fn policy_of(worker: &Worker, id: TaskId) -> (i32, i32) {
    worker.tasks[id].extra.as_ref().and_then(|extra| extra.scheduling).unwrap_or((SCHED_NORMAL as i32, 0))
}

/// Notes what the process was started with.
pub fn begin(worker: &mut Worker) {
    let mut priority = 0i32;
    // SAFETY: both ask about the calling thread; the second writes one int.
    let policy = unsafe {
        raw::call(Sysno::sched_getparam as u32, [0, &raw mut priority as usize, 0, 0, 0, 0]);
        raw::call(Sysno::sched_getscheduler as u32, [0; 6]) as i32
    };
    let current = worker.current;
    if policy > 0 {
        worker.tasks[current].extra().scheduling = Some((policy, priority));
        set_priority(worker, current, priority as u8);
    }
}

/// What a new task has of `parent`'s.
pub fn inherit(parent: &Extra, child: &mut Extra) {
    child.affinity = parent.affinity.clone();
    child.nice = parent.nice;
    child.scheduling = parent.scheduling;
    if let Some((policy, _)) = parent.scheduling.filter(|(policy, _)| policy & RESET_ON_FORK != 0) {
        // kernel/sched/core.c, sched_fork.
        let (policy, was_real_time) = (policy & !RESET_ON_FORK, is_real_time(policy));
        child.scheduling = Some((if was_real_time { SCHED_NORMAL as i32 } else { policy }, 0));
        child.nice = parent.nice.map(|nice| if was_real_time { 0 } else { nice.max(0) });
    }
}

/// In the child of a fork: it has what a new thread would have.
pub fn become_child(worker: &mut Worker) {
    let current = worker.current;
    if let Some(extra) = &mut worker.tasks[current].extra {
        let mut own = Extra::default();
        inherit(extra, &mut own);
        (extra.scheduling, extra.nice) = (own.scheduling, own.nice);
    }
    worker.tasks[current].is_lent = false;
    worker.tasks[current].priority = own_priority(worker, current);
    worker.run_queue.real_time.running = worker.tasks[current].priority;
}

/// Whether the running task is to stop at this tick of the slice timer, for others or to look for them. Tasks of SCHED_FIFO
/// keep the processor until they give it up, but for the share of those that are no real-time tasks.
pub fn may_slice(worker: &mut Worker, has_had_slice: bool) -> bool {
    let real_time = &worker.run_queue.real_time;
    if real_time.running == 0 && real_time.count == 0 {
        return has_had_slice;
    }
    let others_wait = worker.run_queue.has_others();
    let is_over = worker.run_queue.real_time.tick(others_wait) || has_had_slice && !is_fifo(worker, worker.current);
    worker.run_queue.real_time.keeps = !is_over;
    // A task that keeps the processor must not keep a higher one from waking.
    is_over || worker.has_something_to_look_for()
}

/// sched_setattr(2): the parts of it that the other calls set. SCHED_DEADLINE is the kernel's to refuse.
pub fn set_attributes(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [tid, address, flags, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    // SAFETY: struct sched_attr is plain integers.
    let Ok(given) = (unsafe { user::read::<[u32; 6]>(address) }) else { return Outcome::Pass };
    let [size, policy, flags_low, _, nice, priority] = given;
    const KNOWN_FLAGS: u32 = 1;
    let is_known = policy <= SCHED_IDLE && flags == 0 && flags_low & !KNOWN_FLAGS == 0;
    if worker.is_single() || (size != 0 && size < 48) || !is_known {
        return Outcome::Pass;
    }
    let takes_nice = matches!(policy, SCHED_NORMAL | SCHED_BATCH);
    let nice = (nice as i32).clamp(nice::LOWEST, nice::HIGHEST);
    if takes_nice && nice < nice::of(worker, id) && !nice::may_have(nice) {
        return Outcome::Done(error(Errno::EPERM));
    }
    let policy = policy as i32 | if flags_low & KNOWN_FLAGS != 0 { RESET_ON_FORK } else { 0 };
    if let Err(errno) = set(worker, id, policy, priority as i32) {
        return Outcome::Done(error(errno));
    }
    if takes_nice {
        worker.tasks[id].extra().nice = Some(nice);
    }
    Outcome::Done(0)
}

/// sched_getattr(2): the kernel's answer about the worker's thread, with the task's own values in it.
pub fn get_attributes(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [tid, address, size, flags, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    if worker.is_single() {
        return Outcome::Pass;
    }
    // SAFETY: the program's own call, about the worker's thread.
    let answer = unsafe { raw::call(Sysno::sched_getattr as u32, [0, address, size, flags, 0, 0]) };
    if answer == 0 {
        let (policy, priority) = policy_of(worker, id);
        let reset = u64::from(policy & RESET_ON_FORK != 0);
        let nice = nice::of(worker, id);
        let written = user::write(address + 4, &(policy & !RESET_ON_FORK))
            .and_then(|()| user::write(address + 8, &reset))
            .and_then(|()| user::write(address + 16, &[nice, priority]));
        return Outcome::Done(written.map_or_else(error, |()| 0));
    }
    Outcome::Done(answer)
}

/// A call whose argument `place` is a thread's id, and of which grivet keeps nothing by task: it is about the worker's
/// thread instead.
pub fn about_worker(worker: &mut Worker, call: &mut Frame, number: Sysno, place: usize) -> Outcome {
    let mut arguments = call.arguments();
    let tid = arguments[place] as i32;
    if worker.tasks.by_tid(tid).is_none() {
        return Outcome::Pass;
    }
    arguments[place] = worker.pid as usize;
    // SAFETY: the program's own call.
    Outcome::Done(unsafe { raw::call(number as u32, arguments) })
}
