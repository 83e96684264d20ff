//! timer_create(2) on the CPU clock of one thread. The kernel knows no task's CPU time, so these timers are kept here; of the
//! kernel they have only their numbers. They expire where CPU time is charged, and an alarm, one kernel timer on the worker's
//! CPU clock for all of them, sees to it that this happens when the running task has had what its next timer waits for.

use super::{Outcome, cpu_time, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::preempt;
use crate::kernel::signal::frame::SigInfo;
use crate::kernel::signal::{bit, delivery, descriptor};
use crate::kernel::time::to_ns;
use crate::kernel::timer::{self, SigEvent};
use crate::raw;
use crate::sched::idle::timespec;
use crate::sched::task::TaskId;
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    __kernel_itimerspec, CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, SI_TIMER, SIGALRM, SIGEV_NONE, SIGEV_SIGNAL,
    SIGEV_THREAD, SIGEV_THREAD_ID, TIMER_ABSTIME,
};
use syscalls::{Errno, Sysno};

/// Marks the alarm's signals as ours (`si_value`).
const MARK: u64 = 0x6772_6976_6574_0004;

/// What a timer on the clock of no task any more has as its thread.
const ENDED: i32 = 0;

/// The timers on tasks' CPU clocks.
pub struct CpuTimers {
    timers: Vec<CpuTimer>,
    alarm: Option<i32>,
    /// What the worker's CPU clock shows when the alarm comes, ns; 0 if it is not set.
    alarm_at: u64,
    /// A task has had the time that one of its timers waits for.
    is_due: bool,
}

struct CpuTimer {
    number: i32,
    /// The thread whose CPU time it counts.
    of: i32,
    /// What that thread's clock shows when it expires next, ns; 0 if it is not set.
    deadline: u64,
    interval: u64,
    event: SigEvent,
    /// What the last signal that was delivered stood for besides itself.
    overrun: i32,
}

impl CpuTimer {
    fn is_silent(&self) -> bool {
        self.event.notify == SIGEV_NONE as i32
    }

    /// How often it has expired when its clock shows `now`, which is not before its deadline; it then waits for the next time.
    fn pass(&mut self, now: u64) -> u64 {
        if self.interval == 0 {
            self.deadline = 0;
            return 1;
        }
        let times = (now - self.deadline) / self.interval + 1;
        self.deadline = self.deadline.saturating_add(times.saturating_mul(self.interval));
        times
    }

    /// What timer_gettime(2) tells when its clock shows `now`.
    fn setting(&mut self, now: u64) -> __kernel_itimerspec {
        if self.is_silent() && self.deadline != 0 && self.deadline <= now {
            self.pass(now);
        }
        // One whose signal is only about to be sent has not expired yet.
        let left = if self.deadline == 0 { 0 } else { self.deadline.saturating_sub(now).max(1) };
        __kernel_itimerspec { it_interval: timespec(self.interval), it_value: timespec(left) }
    }
}

impl CpuTimers {
    pub const fn new() -> CpuTimers {
        CpuTimers { timers: Vec::new(), alarm: None, alarm_at: 0, is_due: false }
    }

    fn place(&self, number: i32) -> Option<usize> {
        self.timers.iter().position(|timer| timer.number == number)
    }

    /// Whether a timer expires that `expire` has not seen.
    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// Whether `info` is the alarm's.
    pub fn is_alarm(&self, info: &SigInfo) -> bool {
        info.si_code == SI_TIMER && info.value() == MARK
    }

    /// The kernel timer `number` is deleted, or is another one from now on.
    pub fn forget(&mut self, number: i32) -> Option<i32> {
        self.place(number).map(|place| self.timers.swap_remove(place).of)
    }

    /// A signal of one of these timers is given to a task.
    pub fn delivered(&mut self, info: &SigInfo) {
        if let Some(place) = self.place(info.words[0] as i32) {
            self.timers[place].overrun = info.overrun();
        }
    }

    /// timer_getoverrun(2) of one of these timers.
    pub fn overrun(&self, number: i32) -> Option<i32> {
        self.place(number).map(|place| self.timers[place].overrun)
    }
}

/// timer_create(2) on the clock of task `of`; its number goes to `place`. EINVAL if `event` is none.
pub fn create(worker: &mut Worker, of: TaskId, event: Option<SigEvent>, place: usize) -> Outcome {
    if let Some(event) = &event {
        let is_signal = (1..=64).contains(&event.signal);
        let is_right = match event.notify as u32 {
            SIGEV_NONE => true,
            SIGEV_SIGNAL | SIGEV_THREAD => is_signal,
            SIGEV_THREAD_ID => is_signal && worker.tasks.by_tid(event.thread).is_some(),
            _ => false,
        };
        if !is_right {
            return Outcome::Done(error(Errno::EINVAL));
        }
    }
    if worker.cpu_timers.timers.try_reserve(1).is_err() {
        return Outcome::Done(error(Errno::ENOMEM));
    }
    let silent = SigEvent { value: 0, signal: 0, notify: SIGEV_NONE as i32, thread: 0, padding: [0; 44] };
    let arguments = [CLOCK_MONOTONIC as usize, &raw const silent as usize, place, 0, 0, 0];
    // SAFETY: the kernel reads the sigevent and writes the number to the program's own memory.
    let answer = unsafe { raw::call(Sysno::timer_create as u32, arguments) };
    let number = match user::load_u32(place) {
        Ok(number) if answer == 0 => number as i32,
        _ => return Outcome::Done(answer),
    };
    let usual =
        SigEvent { value: number as u64, signal: SIGALRM as i32, notify: SIGEV_SIGNAL as i32, thread: 0, ..silent };
    timer::is_another(worker, number);
    let tid = worker.tasks[of].tid as i32;
    let event = event.unwrap_or(usual);
    worker.cpu_timers.timers.push(CpuTimer { number, of: tid, deadline: 0, interval: 0, event, overrun: 0 });
    Outcome::Done(0)
}

/// The kernel timer `number`, on the CPU clock of the process's only thread, is kept here from now on.
pub fn adopt(worker: &mut Worker, number: i32, event: SigEvent, time: &__kernel_itimerspec) {
    if worker.cpu_timers.timers.try_reserve(1).is_err() {
        return;
    }
    let task = worker.current;
    let of = worker.tasks[task].tid as i32;
    let now = cpu_time::of(worker, task);
    let left = to_ns(time.it_value).unwrap_or(0);
    let deadline = if left == 0 { 0 } else { now.saturating_add(left) };
    let interval = to_ns(time.it_interval).unwrap_or(0);
    worker.cpu_timers.timers.push(CpuTimer { number, of, deadline, interval, event, overrun: 0 });
    settle(worker, task);
}

/// timer_settime(2). ESRCH if the thread has ended whose clock it is.
pub fn set(worker: &mut Worker, call: &Frame) -> Outcome {
    let [number, flags, new, old, ..] = call.arguments();
    let Some(place) = worker.cpu_timers.place(number as i32) else { return Outcome::Pass };
    if new == 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    // SAFETY: an itimerspec is plain integers.
    let times = unsafe { user::read::<__kernel_itimerspec>(new) }
        .and_then(|time| Ok((to_ns(time.it_value)?, to_ns(time.it_interval)?)));
    let (value, interval) = match times {
        Ok(times) => times,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    let Some(task) = worker.tasks.by_tid(worker.cpu_timers.timers[place].of) else {
        return Outcome::Done(error(Errno::ESRCH));
    };
    let now = cpu_time::of(worker, task);
    let timer = &mut worker.cpu_timers.timers[place];
    let before = timer.setting(now);
    timer.deadline = match value {
        0 => 0,
        point if flags as u32 & TIMER_ABSTIME != 0 => point,
        span => now.saturating_add(span),
    };
    timer.interval = interval;
    timer.overrun = 0;
    settle(worker, task);
    if old != 0 && user::write(old, &before).is_err() {
        return Outcome::Done(error(Errno::EFAULT));
    }
    Outcome::Done(0)
}

/// timer_gettime(2).
pub fn get(worker: &mut Worker, call: &Frame) -> Outcome {
    let [number, setting, ..] = call.arguments();
    let Some(place) = worker.cpu_timers.place(number as i32) else { return Outcome::Pass };
    let task = worker.tasks.by_tid(worker.cpu_timers.timers[place].of);
    let now = task.map_or(0, |task| cpu_time::of(worker, task));
    let time = worker.cpu_timers.timers[place].setting(now);
    Outcome::Done(user::write(setting, &time).map_or_else(error, |()| 0))
}

/// Task `id` ends: its clock has stopped, and its number may become another's.
#[cold]
pub fn task_ends(worker: &mut Worker, id: TaskId) {
    let tid = worker.tasks[id].tid as i32;
    for timer in worker.cpu_timers.timers.iter_mut().filter(|timer| timer.of == tid) {
        (timer.of, timer.deadline, timer.interval) = (ENDED, 0, 0);
    }
}

/// Whether there are any such timers.
pub fn are_there(worker: &Worker) -> bool {
    !worker.cpu_timers.timers.is_empty()
}

/// Notes when the first timer of task `id` expires, and sets the alarm if it runs.
pub fn settle(worker: &mut Worker, id: TaskId) {
    let tid = worker.tasks[id].tid as i32;
    let timers = worker.cpu_timers.timers.iter();
    let deadlines = timers.filter(|timer| timer.of == tid && timer.deadline != 0 && !timer.is_silent());
    let first = deadlines.map(|timer| timer.deadline).min().unwrap_or(0);
    worker.tasks[id].extra().cpu_deadline = first;
    if id == worker.current {
        arm(worker, id);
    }
}

/// Task `id` goes on: the alarm is to come when it has had the time that its first timer waits for. One that comes earlier
/// stays as it is, and is set anew when it has come: tasks that take turns do not cost a call each time.
pub fn arm(worker: &mut Worker, id: TaskId) {
    let Some(extra) = worker.tasks[id].extra.as_ref().filter(|extra| extra.cpu_deadline != 0) else { return };
    let left = extra.cpu_deadline.saturating_sub(extra.cpu_time);
    if left == 0 {
        return expires(worker);
    }
    let now = worker.cpu_time.charged();
    let at = now.saturating_add(left);
    if now < worker.cpu_timers.alarm_at && worker.cpu_timers.alarm_at <= at {
        return;
    }
    if worker.cpu_timers.alarm.is_none() {
        // Without one, they expire when tasks switch.
        worker.cpu_timers.alarm = timer::make_own(CLOCK_THREAD_CPUTIME_ID, preempt::SIGNAL, MARK).ok();
    }
    if let Some(alarm) = worker.cpu_timers.alarm {
        timer::set_own_once(alarm, at);
        worker.cpu_timers.alarm_at = at;
    }
}

/// A task has had the time that its first timer waits for: the signal is sent on the way out of grivet.
pub fn expires(worker: &mut Worker) {
    worker.cpu_timers.is_due = true;
    worker.want_attention();
}

/// The alarm has come.
pub fn alarm_came(worker: &mut Worker) {
    worker.cpu_timers.alarm_at = 0;
    cpu_time::charge(worker);
    arm(worker, worker.current);
}

/// Sends the signals of the timers that have expired.
pub fn expire(worker: &mut Worker) {
    worker.cpu_timers.is_due = false;
    for place in 0..worker.cpu_timers.timers.len() {
        let timer = &mut worker.cpu_timers.timers[place];
        let Some(task) = worker.tasks.by_tid(timer.of) else { continue };
        let now = cpu_time::known(&worker.tasks, task);
        if timer.deadline == 0 || timer.deadline > now || timer.is_silent() {
            continue;
        }
        let times = timer.pass(now);
        let (number, event) = (timer.number, timer.event);
        settle(worker, task);
        let info = SigInfo::from_timer(event.signal, number, times - 1, event.value);
        send(worker, info, (event.notify == SIGEV_THREAD_ID as i32).then_some(event.thread));
    }
}

/// Gives a timer's signal to the process, or to one thread, if it is still there.
fn send(worker: &mut Worker, info: SigInfo, thread: Option<i32>) {
    let target = match thread.map(|tid| worker.tasks.by_tid(tid)) {
        Some(None) => return,
        Some(target) => target,
        None => None,
    };
    delivery::post(worker, info, target);
    let signal = info.si_signo as u32;
    if target.is_none() && worker.signals.pending.set & bit(signal) != 0 && worker.signal_files.is_any() {
        // The kernel, which would wake the readers of a signalfd, has not seen it.
        for id in 0..worker.tasks.used() {
            if worker.tasks.is_task(id) {
                descriptor::arrived(worker, id, signal);
            }
        }
    }
}
