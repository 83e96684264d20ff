//! The system calls that send signals to threads, or name a process by one: tgkill(2), tkill(2), rt_tgsigqueueinfo(2), and
//! kill(2) and rt_sigqueueinfo(2) with a thread's id. A task of this process is given the signal at once. To one of another
//! process under grivet goes a signal that says for which (`SigInfo::for_task`), and the grivet there gives it out.

use super::delivery::post;
use super::frame::{SI_TKILL, SigInfo};
use super::{SIGNALS, UNBLOCKABLE, bit};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::{Outcome, error, identity};
use crate::raw;
use crate::sched::task::{FIRST_TID, foreign};
use crate::sched::worker::Worker;
use syscalls::{Errno, Sysno};

/// tgkill(2) and tkill(2). Threads that are no tasks are the kernel's.
pub fn thread_kill(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let [first, second, third, ..] = call.arguments().map(|word| word as i32);
    let (group, tid, signal) =
        if number == Sysno::tgkill { (Some(first), second, third) } else { (None, first, second) };
    let own = worker.tasks.by_tid(tid).filter(|_| group.is_none_or(|group| group == worker.pid));
    let Some(target) = own else {
        // The first thread is there when it has ended before the others, but takes no signals.
        let is_own = group.is_none_or(|group| group == worker.pid) && tid == worker.pid;
        if is_own && (1..=SIGNALS as i32).contains(&signal) && UNBLOCKABLE & bit(signal as u32) == 0 {
            return Outcome::Done(0);
        }
        return to_other_process(worker, group, tid, signal, |worker| Ok(from_here(worker, signal)));
    };
    if !(0..=SIGNALS as i32).contains(&signal) {
        return Outcome::Done(error(Errno::EINVAL));
    }
    if signal == 0 {
        return Outcome::Done(0);
    }
    identity::signal_is_sent(worker, signal as usize);
    if UNBLOCKABLE & bit(signal as u32) != 0 {
        return Outcome::Done(kill(worker.pid, signal));
    }
    let info = from_here(worker, signal);
    post(worker, info, Some(target));
    Outcome::Done(0)
}

/// rt_tgsigqueueinfo(2), on which pthread_sigqueue is built.
pub fn thread_queue(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [group, tid, signal, address, ..] = call.arguments();
    // SAFETY: a siginfo is plain integers.
    let read = || unsafe { user::read::<SigInfo>(address) };
    let own = worker.tasks.by_tid(tid as i32).filter(|_| group as i32 == worker.pid);
    let Some(target) = own else {
        return to_other_process(worker, Some(group as i32), tid as i32, signal as i32, |_| {
            read().and_then(|info| if is_reserved(&info) { Err(Errno::EPERM) } else { Ok(info) })
        });
    };
    let mut info = match read() {
        Ok(info) => info,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    if !(1..=SIGNALS).contains(&signal) || UNBLOCKABLE & bit(signal as u32) != 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    if is_reserved(&info) && target != worker.current {
        return Outcome::Done(error(Errno::EPERM));
    }
    info.si_signo = signal as i32;
    post(worker, info, Some(target));
    Outcome::Done(0)
}

/// kill(2) and rt_sigqueueinfo(2). A thread's id stands for its process, in these calls.
pub fn process_kill(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let mut arguments = call.arguments();
    let tid = arguments[0] as i32;
    if tid < FIRST_TID as i32 {
        return Outcome::Pass;
    }
    let owner = match worker.tasks.by_tid(tid) {
        Some(_) => Some(worker.pid),
        None => foreign::owner_of(&worker.tasks, tid as u32),
    };
    let Some(owner) = owner else { return Outcome::Pass };
    arguments[0] = owner as usize;
    // SAFETY: the program's own call, about the process that it means.
    Outcome::Done(unsafe { raw::call(call.number(), arguments) })
}

/// Whether only the kernel says such things of signals.
fn is_reserved(info: &SigInfo) -> bool {
    info.si_code >= 0 || info.si_code == SI_TKILL
}

/// What tgkill(2) tells of the running task.
fn from_here(worker: &Worker, signal: i32) -> SigInfo {
    // SAFETY: takes no arguments.
    let uid = unsafe { raw::call(Sysno::getuid as u32, [0; 6]) } as u32;
    SigInfo::from_thread(signal as u32, worker.pid, uid)
}

fn kill(pid: i32, signal: i32) -> isize {
    // SAFETY: sends a signal that no handler in this process can see, or none.
    unsafe { raw::call(Sysno::kill as u32, [pid as usize, signal as usize, 0, 0, 0, 0]) }
}

/// Sends a signal to task `tid` of process `group`, or of any. If there is none, the kernel, which knows of no tasks, has
/// the right answer.
fn to_other_process(
    worker: &mut Worker,
    group: Option<i32>,
    tid: i32,
    signal: i32,
    info: impl FnOnce(&Worker) -> Result<SigInfo, Errno>,
) -> Outcome {
    if tid < FIRST_TID as i32 || group == Some(worker.pid) {
        return Outcome::Pass;
    }
    let owner = match group {
        Some(pid) => foreign::has_task(&worker.tasks, pid, tid as u32).then_some(pid),
        None => foreign::owner_of(&worker.tasks, tid as u32),
    };
    let Some(pid) = owner else { return Outcome::Pass };
    if signal == 0 {
        return Outcome::Done(kill(pid, 0));
    }
    let info = match info(worker) {
        Ok(info) => info.for_task(tid as u32),
        Err(errno) => return Outcome::Done(error(errno)),
    };
    // To the thread that runs the tasks, which is the first: one of the program's own making would not know what is meant.
    let arguments = [pid as usize, pid as usize, signal as usize, &raw const info as usize, 0, 0];
    // SAFETY: the kernel reads the siginfo.
    Outcome::Done(unsafe { raw::call(Sysno::rt_tgsigqueueinfo as u32, arguments) })
}
