//! Giving a signal to a task: choosing the task, ending or restarting the call it is parked in, and laying the frame
//! from which its handler runs (kernel/signal.c, arch/x86/kernel/signal_64.c; signal(7) for what restarts).

use super::descriptor;
use super::frame::{self, SigContext, SigInfo, SignalFrame, StackT, UContext};
use super::{Action, IGNORED_BY_DEFAULT, SIG_DFL, SIG_IGN, STOPPED_BY_DEFAULT, bit, mask_of, pending_for, set_mask};
use crate::arch::x86_64::cpu::FloatControl;
use crate::arch::x86_64::frame::RED_ZONE;
use crate::arch::x86_64::user_memory as user;
use crate::arch::{Frame, Resume};
use crate::kernel::{error, io, poll, pool, priority_inheritance, process, time, timer, withdraw};
use crate::observe::finish::End;
use crate::raw;
use crate::report::say;
use crate::sched::task::{State, TaskId, Wait};
use crate::sched::worker::Worker;
use crate::spawn;
use core::mem::offset_of;
use linux_raw_sys::general::{
    FUTEX_CLOCK_REALTIME, FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_PRIVATE_FLAG, FUTEX_WAIT_REQUEUE_PI, SA_NODEFER,
    SA_ONSTACK, SA_RESETHAND, SA_RESTART, SIGSEGV,
};
use syscalls::{Errno, Sysno};

/// Gives a signal to the process (`target` None) or to one task.
pub fn post(worker: &mut Worker, info: SigInfo, target: Option<TaskId>) {
    let signal = info.si_signo as u32;
    if let Some(waiter) = waiter_for(worker, signal, target) {
        return complete_wait(worker, waiter, info);
    }
    let open = |worker: &Worker, id: TaskId| mask_of(worker, id) & bit(signal) == 0;
    let action = worker.signals.actions[signal as usize];
    let ignored = action.handler == SIG_IGN || action.handler == SIG_DFL && IGNORED_BY_DEFAULT & bit(signal) != 0;
    let chosen = match target {
        Some(id) => open(worker, id).then_some(id),
        None if worker.signals.masks.intersection() & bit(signal) != 0 => None,
        None => {
            let current = worker.current;
            let alive = |id: TaskId| worker.tasks[id].state != State::Free;
            // The kernel asks the main thread first, but timers whoever runs (profilers count on that).
            let is_running = worker.tasks[current].state == State::Running;
            let order = if is_running && timer::goes_to_running(&info) { [current, 0] } else { [0, current] };
            let first = order.into_iter().find(|&id| alive(id) && open(worker, id));
            first.or_else(|| worker.tasks.iter().find(|&id| open(worker, id)))
        }
    };
    match chosen {
        Some(_) if ignored => {}
        Some(id) if worker.tasks[id].state == State::Running => {
            // Seen on its way out of grivet, behind those for the process that came earlier.
            match target {
                Some(_) => add_pending(worker, id, info),
                None => worker.signals.pending.add(info),
            }
            worker.want_attention();
        }
        Some(id) => interrupt(worker, id, info),
        None => match target {
            Some(id) => {
                add_pending(worker, id, info);
                descriptor::arrived(worker, id, signal);
            }
            None => worker.signals.pending.add(info),
        },
    }
}

fn add_pending(worker: &mut Worker, id: TaskId, info: SigInfo) {
    let task = &mut worker.tasks[id];
    task.extra().pending.add(info);
    task.has_pending = true;
}

/// A task that waits for `signal` with sigwait or its kin.
fn waiter_for(worker: &Worker, signal: u32, target: Option<TaskId>) -> Option<TaskId> {
    if worker.signals.masks.awaited() & bit(signal) == 0 {
        return None;
    }
    let waits = |id: TaskId| {
        let task = &worker.tasks[id];
        task.state == State::Parked
            && task.wait == Wait::Signal
            && task.extra.as_ref().is_some_and(|extra| extra.awaited & bit(signal) != 0)
    };
    match target {
        Some(id) => waits(id).then_some(id),
        None => worker.tasks.iter().find(|&id| waits(id)),
    }
}

fn complete_wait(worker: &mut Worker, id: TaskId, info: SigInfo) {
    end_await(worker, id);
    timer::delivered(worker, &info);
    worker.timers.remove(id);
    let place = worker.frame_of(id).rsi as usize;
    let result =
        if place != 0 && user::write(place, &info).is_err() { error(Errno::EFAULT) } else { info.si_signo as isize };
    worker.wake(id, result);
}

/// A task's sigwait is over.
pub fn end_await(worker: &mut Worker, id: TaskId) {
    if let Some(extra) = worker.tasks[id].extra.as_mut() {
        let signals = core::mem::take(&mut extra.awaited);
        worker.signals.masks.end_await(signals);
    }
}

/// A fault of the running task's own: it cannot be blocked or ignored (force_sig_info).
pub fn force(worker: &mut Worker, id: TaskId, info: SigInfo) {
    let signal = info.si_signo as u32;
    let action = worker.signals.actions[signal as usize];
    if !action.is_handled() || mask_of(worker, id) & bit(signal) != 0 {
        // Back to the faulting instruction, which the kernel then answers with death.
        name_spawned_call(worker, id, signal);
        process::ending(worker, End::Signal(signal));
        default_in_kernel(signal);
        let mask = mask_of(worker, id);
        set_mask(worker, id, mask & !bit(signal));
        return;
    }
    interrupt(worker, id, info);
}

/// Says in which spawned call a signal ended the program, if it was in one.
fn name_spawned_call(worker: &Worker, id: TaskId, signal: u32) {
    if let Some(name) = spawn::call::running_in(worker.tasks[id].fs_base) {
        say!("a spawned call of {name} ends the program (signal {signal})");
    }
}

/// Makes the kernel treat `signal` by its default action.
pub fn default_in_kernel(signal: u32) {
    let action = Action::default();
    // SAFETY: a plain rt_sigaction.
    unsafe { raw::call(Sysno::rt_sigaction as u32, [signal as usize, &raw const action as usize, 0, 8, 0, 0]) };
}

/// What happens to a process that a signal without a handler reaches.
fn default_action(worker: &mut Worker, signal: u32) {
    if IGNORED_BY_DEFAULT & bit(signal) != 0 {
        return;
    }
    name_spawned_call(worker, worker.current, signal);
    if STOPPED_BY_DEFAULT & bit(signal) == 0 {
        process::ending(worker, End::Signal(signal));
    }
    default_in_kernel(signal);
    raw::set_signal_mask(!bit(signal));
    // SAFETY: sends this process a signal.
    unsafe { raw::call(Sysno::tgkill as u32, [worker.pid as usize, raw::gettid() as usize, signal as usize, 0, 0, 0]) };
    // It was one that stops the process, which now goes on.
    worker.signals.caught &= !bit(signal);
    raw::set_signal_mask(worker.signals.kernel_mask);
}

/// Runs the handler for `info` in task `id`, which is parked, ready, or the current one with its `resume` set.
pub fn interrupt(worker: &mut Worker, id: TaskId, info: SigInfo) {
    let signal = info.si_signo as u32;
    let action = worker.signals.actions[signal as usize];
    match action.handler {
        SIG_IGN => return,
        SIG_DFL => return default_action(worker, signal),
        _ => {}
    }
    if worker.tasks[id].wait == Wait::Pool {
        add_pending(worker, id, info);
        return pool::interrupt(worker, id);
    }
    if worker.tasks[id].state == State::Parked {
        break_off(worker, id, &action);
        worker.make_ready(id);
    } else if worker.tasks[id].retries {
        break_off(worker, id, &action);
        worker.tasks[id].retries = false;
        worker.tasks[id].wait = Wait::Nothing;
    }
    let old_mask = worker.tasks[id].extra.as_mut().and_then(|extra| extra.saved_mask.take());
    let mask = mask_of(worker, id);
    match lay_frame(worker, id, info, &action, old_mask.unwrap_or(mask)) {
        Ok(resume) => worker.tasks[id].resume = resume,
        // No stack to run the handler on: the kernel answers that with SIGSEGV, which may have a stack of its own.
        Err(_) if signal == SIGSEGV => return default_action(worker, SIGSEGV),
        Err(_) => {
            return force(worker, id, SigInfo::from_kernel(SIGSEGV));
        }
    }
    timer::delivered(worker, &info);
    let own = if action.flags & u64::from(SA_NODEFER) == 0 { bit(signal) } else { 0 };
    set_mask(worker, id, mask | action.mask | own);
    if action.flags & u64::from(SA_RESETHAND) != 0 {
        worker.signals.actions[signal as usize].handler = SIG_DFL;
    }
}

/// Ends the call that task `id` is parked in, or prepares it to be made again.
fn break_off(worker: &mut Worker, id: TaskId, action: &Action) {
    let wait = worker.tasks[id].wait;
    let result = match wait {
        Wait::Sleep => time::interrupt_sleeper(worker, id),
        Wait::File => io::interrupted_result(worker, id),
        Wait::Poll => {
            poll::tell_time_left(worker, id);
            error(Errno::EINTR)
        }
        Wait::Futex if priority_inheritance::is_moved(worker, id) => error(Errno::EAGAIN),
        _ => error(Errno::EINTR),
    };
    let number = Sysno::new(worker.frame_of(id).number() as usize);
    let restarts_always = wait == Wait::Futex && result == error(Errno::EINTR) && is_for_lock(worker.frame_of(id));
    let can_restart = match wait {
        Wait::Futex | Wait::File => {
            (worker.tasks[id].deadline == 0 || number.is_some_and(restarts_with_limit))
                && !number.is_some_and(never_restarts)
        }
        Wait::Child | Wait::Several => true,
        _ => false,
    };
    // A call that was put off before it had begun is not interrupted: the handler runs first.
    let has_not_begun = worker.tasks[id].retries && worker.tasks[id].key == 0 && wait == Wait::File;
    let restarts = has_not_begun
        || restarts_always
        || can_restart && result == error(Errno::EINTR) && action.flags & u64::from(SA_RESTART) != 0;
    if wait == Wait::Signal {
        end_await(worker, id);
    }
    withdraw(worker, id);
    let call = worker.frame_of(id);
    if restarts {
        call.restart();
    } else {
        call.answer(result);
    }
}

/// A wait for a priority-inheritance lock, or to be moved to one, which no handler ends (ERESTARTNOINTR).
fn is_for_lock(call: &Frame) -> bool {
    let command = call.rsi as u32 & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    matches!(command, FUTEX_LOCK_PI | FUTEX_LOCK_PI2 | FUTEX_WAIT_REQUEUE_PI)
}

/// Calls whose time limit is a point in time, so that they can be made again as they are.
fn restarts_with_limit(number: Sysno) -> bool {
    matches!(number, Sysno::mq_timedsend | Sysno::mq_timedreceive)
}

/// Calls that are interrupted even by handlers with SA_RESTART (signal(7)).
fn never_restarts(number: Sysno) -> bool {
    matches!(number, Sysno::epoll_wait | Sysno::epoll_pwait | Sysno::epoll_pwait2 | Sysno::io_uring_enter)
}

/// The top of task `id`'s alternate stack, if it has one and `rsp` is not on it already.
pub fn alternate_top(worker: &Worker, id: TaskId, rsp: u64) -> Option<u64> {
    let stack = worker.tasks[id].extra.as_ref()?.alternate_stack;
    (stack.size != 0 && !stack.is_in_use(rsp)).then_some(stack.address + stack.size)
}

fn lay_frame(worker: &mut Worker, id: TaskId, info: SigInfo, action: &Action, old_mask: u64) -> Result<Resume, Errno> {
    let resume = worker.tasks[id].resume;
    let rsp = match (resume.as_gate(), resume.as_signal()) {
        // SAFETY: the frame lies on the task's stack until it goes on.
        (Some(call), _) => unsafe {
            if (*call).is_passed() {
                // Not made yet: after the handler it is looked at anew.
                (*call).restart();
            }
            (*call).rsp.wrapping_sub(RED_ZONE as u64)
        },
        (_, Some(place)) => {
            let registers = place + offset_of!(SignalFrame, context) + offset_of!(UContext, registers);
            // SAFETY: a plain word.
            unsafe { user::read::<u64>(registers + offset_of!(SigContext, rsp)) }?.wrapping_sub(RED_ZONE as u64)
        }
        _ => return Err(Errno::EFAULT),
    };
    let alternate = if action.flags & u64::from(SA_ONSTACK) != 0 { alternate_top(worker, id, rsp) } else { None };
    let place = match (resume.as_gate(), resume.as_signal()) {
        (Some(call), _) => {
            // SAFETY: as above.
            let call = unsafe { *call };
            frame::make_below(&worker.cpu, &call, worker.tasks[id].float_control, alternate.unwrap_or(rsp))?
        }
        // SAFETY: the frame was copied or made by this module; below the interrupted stack pointer and its red zone, and
        // on an alternate stack that is not in use, the stack is free but for the frame itself.
        (_, Some(place)) => unsafe { frame::move_below(place, alternate.unwrap_or(rsp)) }?,
        _ => return Err(Errno::EFAULT),
    };
    let stack = worker.tasks[id].extra.as_ref().map_or(StackT::NONE, |extra| extra.alternate_stack);
    let context = place as usize + offset_of!(SignalFrame, context);
    user::write(place as usize + offset_of!(SignalFrame, return_address), &action.restorer)?;
    user::write(place as usize + offset_of!(SignalFrame, info), &info)?;
    user::write(context + offset_of!(UContext, mask), &old_mask)?;
    user::write(context + offset_of!(UContext, stack), &stack)?;
    frame::show_original(place)?;
    if stack.flags & frame::AUTODISARM != 0 {
        worker.tasks[id].extra().alternate_stack = StackT::NONE;
    }
    worker.tasks[id].float_control = FloatControl::DEFAULT;
    frame::enter_handler(place, info.si_signo as u32, action.handler).map(Resume::gate)
}

/// After task `id` has begun to wait for signals: those that came before it did.
pub fn deliver_pending(worker: &mut Worker, id: TaskId) {
    while worker.tasks[id].state == State::Parked && pending_for(worker, id) != 0 {
        let wanted = !mask_of(worker, id);
        let own = worker.tasks[id].extra.as_mut().and_then(|extra| extra.pending.take(wanted));
        let Some(info) = own.or_else(|| worker.signals.pending.take(wanted)) else { break };
        interrupt(worker, id, info);
    }
}

/// A task's call has ended: signals that came while it could not be broken off are given to it now.
pub fn deliver_to_ready(worker: &mut Worker, id: TaskId) {
    while worker.tasks[id].has_pending && worker.tasks[id].state == State::Ready && pending_for(worker, id) != 0 {
        let wanted = !mask_of(worker, id);
        let own = worker.tasks[id].extra.as_mut().and_then(|extra| extra.pending.take(wanted));
        let Some(info) = own else { break };
        interrupt(worker, id, info);
    }
    worker.tasks[id].has_pending = worker.tasks[id].extra.as_ref().is_some_and(|extra| extra.pending.set != 0);
}
