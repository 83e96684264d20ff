//! Nice values of tasks: noted, checked as the kernel does, and given back. They are not in force.

use super::{Outcome, error};
use crate::arch::Frame;
use crate::kernel::scheduling::{on_trial, subject};
use crate::raw;
use crate::sched::task::TaskId;
use crate::sched::worker::Worker;
use linux_raw_sys::general::PRIO_PROCESS;
use syscalls::{Errno, Sysno};

pub const LOWEST: i32 = -20;
pub const HIGHEST: i32 = 19;

/// setpriority(2) of one thread: noted. Going down takes the right to, which the kernel is asked for.
pub fn set(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [which, who, nice, ..] = call.arguments();
    let Some(id) = subject(worker, who as i32) else { return Outcome::Pass };
    if which as u32 != PRIO_PROCESS || worker.is_single() {
        return Outcome::Pass;
    }
    let wanted = (nice as i32).clamp(LOWEST, HIGHEST);
    let present = of(worker, id);
    if wanted < present && !may_have(wanted) {
        return Outcome::Done(error(Errno::EACCES));
    }
    worker.tasks[id].extra().nice = Some(wanted);
    Outcome::Done(0)
}

/// Whether a thread may go down to this nice value: within RLIMIT_NICE, or with a right that the kernel knows of. It is
/// asked to give the worker's thread a lower one than it has, which it takes back.
pub fn may_have(wanted: i32) -> bool {
    const RLIMIT_NICE: usize = 13;
    let mut limit = [0u64; 2];
    let arguments = [0, RLIMIT_NICE, 0, limit.as_mut_ptr() as usize, 0, 0];
    // SAFETY: the kernel writes two words.
    if unsafe { raw::call(Sysno::prlimit64 as u32, arguments) } == 0 && limit[0] as i64 >= i64::from(20 - wanted) {
        return true;
    }
    // SAFETY: asks about the worker's thread.
    let of_worker = 20 - unsafe { raw::call(Sysno::getpriority as u32, [0; 6]) } as i32;
    let lower = wanted.min(of_worker - 1);
    // SAFETY: takes plain numbers.
    let ask = || raw::check(unsafe { raw::call(Sysno::setpriority as u32, [0, 0, lower as usize, 0, 0, 0]) }).map(drop);
    on_trial(ask).is_ok()
}

/// getpriority(2) of one thread, which gives 20 less the nice value.
pub fn get(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [which, who, ..] = call.arguments();
    let Some(id) = subject(worker, who as i32) else { return Outcome::Pass };
    if which as u32 != PRIO_PROCESS {
        return Outcome::Pass;
    }
    Outcome::Done(20 - of(worker, id) as isize)
}

/// The nice value that task `id` shows.
pub fn of(worker: &Worker, id: TaskId) -> i32 {
    worker.tasks[id].extra.as_ref().and_then(|extra| extra.nice).unwrap_or_else(|| {
        // SAFETY: asks about the worker's thread.
        20 - unsafe { raw::call(Sysno::getpriority as u32, [0; 6]) } as i32
    })
}
