//! timer_create(2) whose signals go to one thread (SIGEV_THREAD_ID, on which the C library's SIGEV_THREAD is built): the kernel
//! does not know tasks, so it is asked to signal the worker, and the signal is handed on to the task.

use super::{Outcome, cpu_time, cpu_timers, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::signal::calls::catch;
use crate::kernel::signal::frame::SigInfo;
use crate::raw;
use crate::sched::idle::timespec;
use crate::sched::task::{FIRST_TID, TaskId};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    __kernel_itimerspec, SI_TIMER, SIGEV_THREAD_ID, SIGPROF, SIGVTALRM, SIGXCPU, TIMER_ABSTIME,
};
use syscalls::{Errno, Sysno};

/// struct sigevent, as timer_create(2) takes it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SigEvent {
    pub value: u64,
    pub signal: i32,
    pub notify: i32,
    pub thread: i32,
    pub padding: [u8; 44],
}

/// Timers whose signals are for tasks.
pub struct Timers {
    directed: Vec<Directed>,
}

struct Directed {
    timer: i32,
    tid: u32,
    /// What the last signal that was delivered stood for besides itself.
    overrun: i32,
}

/// A signal is for a task that is gone.
pub struct NoTask;

impl Timers {
    pub const fn new() -> Timers {
        Timers { directed: Vec::new() }
    }

    /// In the child of a fork there are no timers.
    pub fn clear(&mut self) {
        self.directed.clear();
    }

    fn set(&mut self, timer: i32, tid: Option<u32>) {
        // Ids of deleted timers are used again.
        self.directed.retain(|known| known.timer != timer);
        self.directed.extend(tid.map(|tid| Directed { timer, tid, overrun: 0 }));
    }
}

/// Makes a timer of grivet's own on `clock`: it sends `signal` with `mark` to the worker. EAGAIN if the process may have no more
/// (RLIMIT_SIGPENDING).
pub fn make_own(clock: u32, signal: u32, mark: u64) -> Result<i32, Errno> {
    let event = SigEvent {
        value: mark,
        signal: signal as i32,
        notify: SIGEV_THREAD_ID as i32,
        thread: raw::gettid(),
        padding: [0; 44],
    };
    let mut timer = 0i32;
    // SAFETY: the kernel reads a sigevent and writes an int.
    let answer = unsafe {
        raw::call(
            Sysno::timer_create as u32,
            [clock as usize, &raw const event as usize, &raw mut timer as usize, 0, 0, 0],
        )
    };
    raw::check(answer).map(|_| timer)
}

/// Lets a timer of grivet's own tick every `interval` ns from now on; 0 stops it.
pub fn set_own(timer: i32, interval: u64) {
    let time = __kernel_itimerspec { it_interval: timespec(interval), it_value: timespec(interval) };
    // SAFETY: the kernel reads the itimerspec.
    unsafe { raw::call(Sysno::timer_settime as u32, [timer as usize, 0, &raw const time as usize, 0, 0, 0]) };
}

/// Lets a timer of grivet's own on a CPU clock send one signal, when that shows `time` ns.
pub fn set_own_once(timer: i32, time: u64) {
    let time = __kernel_itimerspec { it_interval: timespec(0), it_value: timespec(time) };
    let arguments = [timer as usize, TIMER_ABSTIME as usize, &raw const time as usize, 0, 0, 0];
    // SAFETY: the kernel reads the itimerspec.
    unsafe { raw::call(Sysno::timer_settime as u32, arguments) };
}

/// The kernel has given the number of a timer that was deleted to another one, whose signals are for no task alone.
pub fn is_another(worker: &mut Worker, timer: i32) {
    worker.directed_timers.set(timer, None);
    worker.cpu_timers.forget(timer);
}

/// timer_create(2). ENOMEM if the timer cannot be noted; EINVAL if there is no such thread.
pub fn create(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [clock, event, id, ..] = call.arguments();
    // SAFETY: a sigevent is plain integers.
    let event = match if event == 0 { Ok(None) } else { unsafe { user::read::<SigEvent>(event) }.map(Some) } {
        Ok(event) => event,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    if let Some(of) = cpu_time::task_of(worker, clock as i32) {
        return cpu_timers::create(worker, of, event, id);
    }
    let tid = event.map(|event| event.thread as u32);
    let is_task = |tid| tid >= FIRST_TID || worker.tasks.by_tid(tid as i32).is_some();
    let is_for_task = event.is_some_and(|event| event.notify == SIGEV_THREAD_ID as i32) && tid.is_some_and(is_task);
    let Some(event) = event.filter(|_| is_for_task) else {
        // The kernel's id may have been a directed timer's before.
        // SAFETY: the program's own call.
        let answer = unsafe { raw::call(Sysno::timer_create as u32, call.arguments()) };
        if answer == 0
            && let Ok(timer) = user::load_u32(id)
        {
            is_another(worker, timer as i32);
        }
        return Outcome::Done(answer);
    };
    if worker.tasks.by_tid(event.thread).is_none() || !(1..=64).contains(&event.signal) {
        return Outcome::Done(error(Errno::EINVAL));
    }
    if worker.directed_timers.directed.try_reserve(1).is_err() {
        return Outcome::Done(error(Errno::ENOMEM));
    }
    let flags = worker.signals.actions[event.signal as usize].flags;
    catch(&mut worker.signals, event.signal as u32, flags);
    let for_worker = SigEvent { thread: raw::gettid(), ..event };
    // SAFETY: the sigevent lives across the call; the id is written to the program's own memory.
    let answer = unsafe { raw::call(Sysno::timer_create as u32, [clock, &raw const for_worker as usize, id, 0, 0, 0]) };
    if answer == 0
        && let Ok(timer) = user::load_u32(id)
    {
        worker.cpu_timers.forget(timer as i32);
        worker.directed_timers.set(timer as i32, tid);
    }
    Outcome::Done(answer)
}

/// timer_getoverrun(2) of a timer whose signals are for a task: they are counted here while they are pending.
pub fn overrun(worker: &Worker, call: &Frame) -> Outcome {
    let timer = call.rdi as i32;
    if let Some(overrun) = worker.cpu_timers.overrun(timer) {
        return Outcome::Done(overrun as isize);
    }
    match worker.directed_timers.directed.iter().find(|known| known.timer == timer) {
        Some(known) if known.overrun != 0 => Outcome::Done(known.overrun as isize),
        _ => Outcome::Pass,
    }
}

/// The signals of kernel timer `timer`, which come to the worker, are for the thread that `event` names.
pub fn direct(worker: &mut Worker, timer: i32, event: &SigEvent) {
    if worker.directed_timers.directed.try_reserve(1).is_ok() {
        let flags = worker.signals.actions[event.signal as usize].flags;
        catch(&mut worker.signals, event.signal as u32, flags);
        worker.directed_timers.set(timer, Some(event.thread as u32));
    }
}

/// timer_delete(2). The number is the kernel's to free.
pub fn delete(worker: &mut Worker, call: &Frame) -> Outcome {
    if let Some(tid) = worker.cpu_timers.forget(call.rdi as i32)
        && let Some(task) = worker.tasks.by_tid(tid)
    {
        cpu_timers::settle(worker, task);
    }
    Outcome::Pass
}

/// A signal is given to its task.
pub fn delivered(worker: &mut Worker, info: &SigInfo) {
    if info.si_code != SI_TIMER {
        return;
    }
    worker.cpu_timers.delivered(info);
    if let Some(known) = worker.directed_timers.directed.iter_mut().find(|known| known.timer == info.words[0] as i32) {
        known.overrun = info.overrun();
    }
}

/// Whether a signal for the process is one that the kernel gives to the thread that runs, if that does not block it:
/// those of timers, and of the time limits of setitimer(2).
pub fn goes_to_running(info: &SigInfo) -> bool {
    const SI_KERNEL: i32 = 0x80;
    let is_limit = matches!(info.si_signo as u32, SIGPROF | SIGVTALRM | SIGXCPU) && info.si_code == SI_KERNEL;
    is_limit || info.si_code == SI_TIMER
}

/// The task that a timer's signal is for, if it is for one alone; an error if that is gone.
pub fn target(worker: &Worker, info: &SigInfo) -> Result<Option<TaskId>, NoTask> {
    let timer = info.words[0] as i32;
    match worker.directed_timers.directed.iter().find(|known| known.timer == timer) {
        None => Ok(None),
        Some(known) => worker.tasks.by_tid(known.tid as i32).map(Some).ok_or(NoTask),
    }
}
