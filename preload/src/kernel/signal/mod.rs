//! Signals for tasks: what the kernel keeps for each thread (mask, pending signals, alternate stack) and for the process
//! (actions), kept here. For every signal that the program handles, the kernel knows grivet's handler (`arrival.rs`), which
//! only notes what came; `attend` and `look_after` then give it to a task, as kernel/signal.c chooses a thread, by laying
//! a signal frame on that task's stack (`frame.rs`).
//!
//! The kernel thread's own mask follows the tasks': a signal is blocked there when every task blocks it. It is brought
//! up to date lazily, because the C library blocks and unblocks everything around each thread it makes.

pub mod arrival;
pub mod calls;
pub mod delivery;
pub mod descriptor;
pub mod frame;
pub mod info;
pub mod inherited;
pub mod masks;
pub mod sending;
pub mod stack;

use crate::arch::Resume;
use crate::arch::x86_64::cpu::FloatControl;
use crate::kernel::timer::NoTask;
use crate::kernel::{child, cpu_timers, preempt, scheduling, timer};
use crate::observe::{blocking, itself};
use crate::raw::{self, SignalSet};
use crate::sched::task::{NONE, State, TaskId};
use crate::sched::worker::Worker;
use alloc::collections::VecDeque;
use core::ops::Range;
use core::sync::atomic::Ordering;
use frame::{SI_TKILL, SigInfo, SignalFrame, StackT};
use linux_raw_sys::general::{
    SI_TIMER, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP, SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGURG, SIGWINCH,
};
use masks::Masks;

pub use frame::StackT as AlternateStack;

/// The process's first thread.
const MAIN: TaskId = 0;

/// Highest signal number.
pub const SIGNALS: usize = 64;

pub const SIG_DFL: u64 = 0;
pub const SIG_IGN: u64 = 1;

/// The bit of `signal` in a set.
pub const fn bit(signal: u32) -> SignalSet {
    1 << (signal - 1)
}

/// Signals that a fault of the running instruction raises.
pub const FAULTS: SignalSet = bit(SIGSEGV) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGILL) | bit(SIGTRAP) | bit(SIGSYS);
const IGNORED_BY_DEFAULT: SignalSet = bit(SIGCHLD) | bit(SIGURG) | bit(SIGWINCH) | bit(SIGCONT);
/// These stop a process; it may go on later.
const STOPPED_BY_DEFAULT: SignalSet = bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
const UNBLOCKABLE: SignalSet = bit(SIGKILL) | bit(SIGSTOP);

/// struct sigaction as rt_sigaction(2) takes it.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Action {
    pub handler: u64,
    pub flags: u64,
    pub restorer: u64,
    pub mask: SignalSet,
}

impl Action {
    /// Whether the signal has a function of the program's to run.
    pub fn is_handled(&self) -> bool {
        self.handler != SIG_DFL && self.handler != SIG_IGN
    }
}

/// Signals that came and could not be given to anyone yet: one of each standard kind, all of the real-time kinds.
#[derive(Default)]
pub struct Pending {
    pub set: SignalSet,
    queue: VecDeque<SigInfo>,
}

impl Pending {
    pub const fn new() -> Pending {
        Pending { set: 0, queue: VecDeque::new() }
    }

    /// Adds one.
    pub fn add(&mut self, info: SigInfo) {
        const FIRST_REAL_TIME: i32 = 32;
        let bit = bit(info.si_signo as u32);
        if info.si_code == SI_TIMER {
            // A timer has one signal pending at most, which counts the others.
            if let Some(earlier) = self.queue.iter_mut().find(|earlier| earlier.is_of_same_timer(&info)) {
                earlier.add_overrun(info.overrun() + 1);
                return;
            }
        } else if info.si_signo < FIRST_REAL_TIME && self.set & bit != 0 {
            return;
        }
        self.set |= bit;
        self.queue.push_back(info);
    }

    /// Takes the first of `wanted`: lowest number first, oldest of that number first.
    pub fn take(&mut self, wanted: SignalSet) -> Option<SigInfo> {
        let candidates = self.set & wanted;
        if candidates == 0 {
            return None;
        }
        let signal = candidates.trailing_zeros() as i32 + 1;
        let place = self.queue.iter().position(|info| info.si_signo == signal)?;
        let info = self.queue.remove(place)?;
        if !self.queue.iter().any(|info| info.si_signo == signal) {
            self.set &= !bit(signal as u32);
        }
        Some(info)
    }

    /// Forgets all of `signals`.
    pub fn discard(&mut self, signals: SignalSet) {
        self.set &= !signals;
        self.queue.retain(|info| bit(info.si_signo as u32) & signals == 0);
    }
}

/// The process's signal state.
pub struct Signals {
    pub actions: [Action; SIGNALS + 1],
    pub masks: Masks,
    pub pending: Pending,
    /// The kernel thread's mask, as far as is known.
    pub kernel_mask: SignalSet,
    /// Signals for which the kernel has grivet's handler.
    pub caught: SignalSet,
    /// Grivet sees signals that end the process, to write what was recorded.
    pub sees_ends: bool,
    /// The signal that makes the process describe its threads; 0: none does.
    pub dump: u32,
    /// This library's code.
    pub own_text: Range<u64>,
    /// The stack on which grivet's handler runs.
    pub handler_stack: StackT,
}

impl Signals {
    pub const fn new() -> Signals {
        const BLANK: Action = Action { handler: SIG_DFL, flags: 0, restorer: 0, mask: 0 };
        Signals {
            actions: [BLANK; SIGNALS + 1],
            masks: Masks::new(),
            pending: Pending::new(),
            kernel_mask: 0,
            caught: 0,
            sees_ends: false,
            dump: 0,
            own_text: 0..0,
            handler_stack: StackT::NONE,
        }
    }

    /// Whether the kernel is to have grivet's handler for `signal`, whose action is known.
    pub fn is_to_be_caught(&self, signal: u32) -> bool {
        let action = &self.actions[signal as usize];
        let harmless = IGNORED_BY_DEFAULT | STOPPED_BY_DEFAULT | UNBLOCKABLE;
        let ends = if self.sees_ends { !harmless } else { 0 };
        let by_default = if action.handler == SIG_DFL { ends | self.dump_bit() } else { 0 };
        action.is_handled() || (calls::ALWAYS_CAUGHT | self.masks.awaited() | by_default) & bit(signal) != 0
    }

    /// The bit of the signal that asks for a description of the threads, unless the program uses it.
    fn dump_bit(&self) -> SignalSet {
        if self.dump != 0 && self.actions[self.dump as usize].handler == SIG_DFL { bit(self.dump) } else { 0 }
    }
}

/// The mask of task `id`.
pub fn mask_of(worker: &Worker, id: TaskId) -> SignalSet {
    worker.signals.masks.get(worker.tasks[id].mask)
}

/// Gives task `id` the mask `mask`; deliverable signals are then looked for on the way out.
pub fn set_mask(worker: &mut Worker, id: TaskId, mask: SignalSet) {
    let mask = mask & !UNBLOCKABLE;
    let old = worker.tasks[id].mask;
    if worker.signals.masks.get(old) == mask {
        return;
    }
    worker.tasks[id].mask = worker.signals.masks.exchange(old, mask);
    if (worker.signals.pending.set != 0 || worker.tasks[id].has_pending) && pending_for(worker, id) != 0 {
        worker.want_attention();
    }
    // All signals at once is the C library's own short section around making or ending a thread: not worth two calls.
    if mask | UNBLOCKABLE != SignalSet::MAX && wanted_kernel_mask(worker) != worker.signals.kernel_mask {
        sync_kernel_mask(worker);
    }
}

/// Signals that task `id` would be given now.
pub fn pending_for(worker: &Worker, id: TaskId) -> SignalSet {
    let own = worker.tasks[id].extra.as_ref().map_or(0, |extra| extra.pending.set);
    (own | worker.signals.pending.set) & !mask_of(worker, id)
}

/// Signals that grivet holds back which task `id` could take, blocked or not.
pub fn held_back(worker: &Worker, id: TaskId) -> SignalSet {
    worker.tasks[id].extra.as_ref().map_or(0, |extra| extra.pending.set) | worker.signals.pending.set
}

fn wanted_kernel_mask(worker: &Worker) -> SignalSet {
    let kept_open = worker.signals.masks.awaited() | bit(preempt::SIGNAL) | worker.signals.dump_bit();
    worker.signals.masks.intersection() & !kept_open
}

/// Brings the kernel thread's mask up to date.
pub fn sync_kernel_mask(worker: &mut Worker) {
    let wanted = wanted_kernel_mask(worker);
    if wanted != worker.signals.kernel_mask {
        raw::set_signal_mask(wanted);
        worker.signals.kernel_mask = wanted;
    }
}

/// Gives the kernel thread the current task's mask, which a child process or a new program is about to inherit.
pub fn lend_mask(worker: &mut Worker) {
    let mask = mask_of(worker, worker.current);
    if mask != worker.signals.kernel_mask {
        raw::set_signal_mask(mask);
        worker.signals.kernel_mask = mask;
    }
}

/// In the child of a fork: signals pending for the parent stay there.
pub fn become_child(worker: &mut Worker) {
    worker.signals.pending = Pending::new();
    let current = worker.current;
    worker.tasks[current].has_pending = false;
    if let Some(extra) = worker.tasks[current].extra.as_mut() {
        extra.pending = Pending::new();
    }
    worker.signals.masks.await_nothing();
    sync_kernel_mask(worker);
}

/// The task that a signal of the kernel's is for, None if it is for the process. An error if its task is gone.
fn target_of(worker: &Worker, info: &mut SigInfo) -> Result<Option<TaskId>, NoTask> {
    if let Some(tid) = info.take_task() {
        return worker.tasks.by_tid(tid as i32).map(Some).ok_or(NoTask);
    }
    match info.si_code {
        SI_TIMER => timer::target(worker, info),
        // From another process, which knows only the first thread.
        SI_TKILL if worker.tasks[MAIN].state != State::Free => Ok(Some(MAIN)),
        _ => Ok(None),
    }
}

/// Gives every noted signal to a task. Called on the worker's stack.
pub fn look_after(worker: &mut Worker) {
    worker.attention.store(0, Ordering::Relaxed);
    while let Some(mut arrival) = arrival::take() {
        if arrival.is_fault {
            let current = worker.current;
            delivery::force(worker, current, arrival.info);
        } else if worker.signals.dump_bit() & bit(arrival.info.si_signo as u32) != 0 {
            itself::dump(worker);
        } else {
            if arrival.info.si_signo as u32 == SIGCHLD && child::is_waited_for(worker) {
                child::changed(worker);
            }
            if worker.cpu_timers.is_alarm(&arrival.info) {
                cpu_timers::alarm_came(worker);
                continue;
            }
            let target = match arrival.target {
                NONE => target_of(worker, &mut arrival.info),
                target => Ok(Some(target)),
            };
            if let Ok(target) = target {
                delivery::post(worker, arrival.info, target);
            }
        }
    }
    if worker.cpu_timers.is_due() {
        cpu_timers::expire(worker);
    }
    if worker.signals.kernel_mask == SignalSet::MAX {
        // So many came that the handler had to hold the rest back.
        sync_kernel_mask(worker);
    }
}

/// The current task is about to go on with `resume`, and signals were noted: they are given out, and what concerns this
/// task is put on its stack. How a task (this one, or another if its slice is over) goes on.
pub fn attend(worker: &mut Worker, resume: Resume) -> Resume {
    let current = worker.current;
    worker.tasks[current].resume = resume;
    worker.tasks[current].float_control = FloatControl::current();
    look_after(worker);
    while pending_for(worker, current) != 0 {
        let wanted = !mask_of(worker, current);
        let own = worker.tasks[current].extra.as_mut().and_then(|extra| extra.pending.take(wanted));
        let Some(info) = own.or_else(|| worker.signals.pending.take(wanted)) else { break };
        delivery::interrupt(worker, current, info);
    }
    worker.tasks[current].has_pending =
        worker.tasks[current].extra.as_ref().is_some_and(|extra| extra.pending.set != 0);
    if resume.as_signal().is_some() {
        // The registers of what was interrupted are put aside; whoever goes on finds none of them in use.
        worker.tasks[current].float_control.load_afresh();
        worker.forget_float_control();
    } else if worker.tasks[current].resume != resume {
        worker.tasks[current].float_control.load();
        worker.forget_float_control();
    }
    let resume = worker.tasks[current].resume;
    if worker.observer.blocking.is_on() {
        blocking::attend(worker);
    }
    let ended_inside = arrival::slice_ended_inside(worker);
    let is_slice_over = (worker.preemption.take_slice_over() && resume.as_signal().is_some()) || ended_inside;
    if is_slice_over {
        worker.look_around();
    }
    if worker.run_queue.real_time.take_outranks() {
        return give_way(worker, resume);
    }
    let keeps = core::mem::take(&mut worker.run_queue.real_time.keeps);
    if is_slice_over && !keeps && !worker.run_queue.is_empty() {
        if let Some(frame) = resume.as_gate() {
            let slices = worker.tasks[current].slices;
            worker.suspend(frame);
            worker.tasks[current].slices = slices;
        }
        let task = &mut worker.tasks[current];
        task.state = State::Ready;
        if !ended_inside && worker.preemption.gave_way(task) {
            preempt::report(worker, current);
        }
        if scheduling::is_fifo(worker, current) {
            // It stops for those that are no real-time tasks only.
            return give_way(worker, resume);
        }
        worker.yield_current();
        return worker.schedule();
    }
    if let Some(place) = resume.as_signal() {
        prepare_return(worker, place);
    }
    resume
}

/// A real-time task that goes before the current one is ready: that one waits, first of its priority.
fn give_way(worker: &mut Worker, resume: Resume) -> Resume {
    if let Some(frame) = resume.as_gate() {
        worker.suspend(frame);
    }
    let current = worker.current;
    worker.run_queue.push_front(&mut worker.tasks, current);
    worker.schedule()
}

/// Makes the signal frame at `place` ready for rt_sigreturn: with it the kernel also restores the mask and the alternate
/// stack, which are grivet's business. A frame that cannot be written is left for the kernel to refuse.
pub fn prepare_return(worker: &mut Worker, place: usize) {
    use crate::arch::x86_64::user_memory as user;
    let context = place + core::mem::offset_of!(SignalFrame, context);
    let _ = user::write(context + core::mem::offset_of!(frame::UContext, mask), &worker.signals.kernel_mask);
    let _ = user::write(context + core::mem::offset_of!(frame::UContext, stack), &worker.signals.handler_stack);
    worker.forget_float_control();
}
