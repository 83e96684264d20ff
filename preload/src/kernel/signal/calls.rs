//! The system calls about signals, answered for the calling task: sigaction(2), sigprocmask(2), sigreturn(2),
//! sigaltstack(2), sigsuspend(2), sigtimedwait(2), sigpending(2), pause(2). Those that send one are in `sending.rs`.

use super::delivery::deliver_pending;
use super::frame::{AUTODISARM, SigContext, SignalFrame, StackT, UContext, unshow};
use super::{
    Action, FAULTS, IGNORED_BY_DEFAULT, SIG_DFL, SIG_IGN, SIGNALS, Signals, UNBLOCKABLE, bit, mask_of, pending_for,
    set_mask, sync_kernel_mask,
};
use crate::arch::x86_64::gate;
use crate::arch::x86_64::user_memory as user;
use crate::arch::{Frame, Resume};
use crate::kernel::signal::arrival::arrive;
use crate::kernel::{Outcome, error, preempt, time, timer};
use crate::raw;
use crate::sched::task::{TaskId, Wait};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    __kernel_timespec, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_ONSTACK, SA_RESTART, SA_RESTORER, SA_SIGINFO, SIG_BLOCK,
    SIG_SETMASK, SIG_UNBLOCK, SIGCHLD, SIGKILL, SIGSTOP, SS_DISABLE, SS_ONSTACK,
};
use syscalls::{Errno, Sysno};

/// Bytes of a kernel signal set.
const SET_SIZE: usize = 8;
/// UAPI_SA_FLAGS: the kernel clears what it does not know.
const KNOWN_FLAGS: u64 = 0xdc00_0807;
/// The smallest alternate stack the kernel takes (MINSIGSTKSZ).
const SMALLEST_STACK: u64 = 2048;

/// Signals for which the kernel keeps grivet's handler whatever the program says: an overflow of a task's stack is
/// reported, and bad addresses in system calls are errors.
pub const ALWAYS_CAUGHT: u64 =
    bit(linux_raw_sys::general::SIGSEGV) | bit(linux_raw_sys::general::SIGBUS) | bit(preempt::SIGNAL);

/// Makes grivet's handler the kernel's for `signal`, with those of the program's `flags` that the kernel acts on.
pub fn catch(signals: &mut Signals, signal: u32, flags: u64) {
    // The slice timer must not be seen by calls that the kernel can restart.
    let flags = if signal == preempt::SIGNAL { flags | u64::from(SA_RESTART) } else { flags };
    let mut kept = flags & u64::from(SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT);
    if signal == SIGCHLD && signals.actions[SIGCHLD as usize].handler == SIG_IGN {
        // Children of a program that ignores the signal leave no zombies; that must stay so.
        kept |= u64::from(SA_NOCLDWAIT);
    }
    let action = Action {
        handler: arrive as *const () as u64,
        flags: u64::from(SA_SIGINFO | SA_ONSTACK | SA_RESTORER) | kept,
        restorer: gate::restorer() as u64,
        // Faults in grivet's handler itself must not be held back.
        mask: !FAULTS,
    };
    // SAFETY: the handler and its restorer live as long as the process.
    unsafe { raw::call(Sysno::rt_sigaction as u32, [signal as usize, &raw const action as usize, 0, SET_SIZE, 0, 0]) };
    signals.caught |= bit(signal);
}

/// Nobody waits for `signal` any more: the kernel treats it by the program's action again.
pub fn release(worker: &mut Worker, signal: u32) {
    let action = worker.signals.actions[signal as usize];
    if !worker.signals.is_to_be_caught(signal) {
        set_plain(&mut worker.signals, signal, action);
    }
    super::sync_kernel_mask(worker);
}

/// The kernel gets an action that has no handler.
pub fn set_plain(signals: &mut Signals, signal: u32, action: Action) {
    let plain = Action { mask: 0, ..action };
    // SAFETY: no handler is set.
    unsafe { raw::call(Sysno::rt_sigaction as u32, [signal as usize, &raw const plain as usize, 0, SET_SIZE, 0, 0]) };
    signals.caught &= !bit(signal);
}

/// Takes over the actions, mask and alternate stack that the process's only thread had when grivet awoke.
pub fn adopt(worker: &mut Worker) {
    for signal in 1..=SIGNALS as u32 {
        let mut action = Action::default();
        // SAFETY: the kernel writes one struct sigaction.
        unsafe {
            raw::call(Sysno::rt_sigaction as u32, [signal as usize, 0, &raw mut action as usize, SET_SIZE, 0, 0])
        };
        worker.signals.actions[signal as usize] = action;
    }
    let mut stack = StackT::NONE;
    let own = worker.signals.handler_stack;
    // SAFETY: the new stack is mapped for the life of the process; the kernel writes one stack_t.
    unsafe { raw::call(Sysno::sigaltstack as u32, [&raw const own as usize, &raw mut stack as usize, 0, 0, 0, 0]) };
    if stack.flags & SS_DISABLE as i32 == 0 {
        let current = worker.current;
        worker.tasks[current].extra().alternate_stack =
            StackT::new(stack.address, stack.size, stack.flags & AUTODISARM);
    }
    // SAFETY: with no new set the kernel writes the old one.
    let mut mask = 0u64;
    // SAFETY: as above.
    unsafe {
        raw::call(Sysno::rt_sigprocmask as u32, [SIG_SETMASK as usize, 0, &raw mut mask as usize, SET_SIZE, 0, 0])
    };
    worker.signals.kernel_mask = mask;
    let current = worker.current;
    worker.tasks[current].mask = worker.signals.masks.insert(mask);
    for signal in 1..=SIGNALS as u32 {
        let action = worker.signals.actions[signal as usize];
        if worker.signals.is_to_be_caught(signal) {
            catch(&mut worker.signals, signal, action.flags);
        }
    }
    super::inherited::adopt_pending(worker);
}

/// Forgets what is pending of a signal that is ignored from now on.
fn discard(worker: &mut Worker, signal: u32) {
    worker.signals.pending.discard(bit(signal));
    let holders = worker.tasks.iter().filter(|&id| worker.tasks[id].has_pending);
    for id in holders.collect::<Vec<_>>() {
        worker.tasks[id].extra().pending.discard(bit(signal));
    }
}

/// rt_sigaction(2).
pub fn rt_sigaction(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [signal, new, old, size, ..] = call.arguments();
    let signal = signal as u32;
    if size != SET_SIZE
        || signal == 0
        || signal > SIGNALS as u32
        || (new != 0 && bit(signal) & (bit(SIGKILL) | bit(SIGSTOP)) != 0)
    {
        return Outcome::Done(error(Errno::EINVAL));
    }
    // SAFETY: struct sigaction is plain integers.
    let new = match if new == 0 { Ok(None) } else { unsafe { user::read::<Action>(new) }.map(Some) } {
        Ok(new) => new,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    let previous = worker.signals.actions[signal as usize];
    if let Some(mut new) = new {
        new.flags &= KNOWN_FLAGS;
        new.mask &= !UNBLOCKABLE;
        worker.signals.actions[signal as usize] = new;
        if worker.signals.is_to_be_caught(signal) {
            catch(&mut worker.signals, signal, new.flags);
        } else {
            set_plain(&mut worker.signals, signal, new);
        }
        if new.handler == SIG_IGN || new.handler == SIG_DFL && IGNORED_BY_DEFAULT & bit(signal) != 0 {
            discard(worker, signal);
        }
    }
    if old != 0 && user::write(old, &previous).is_err() {
        return Outcome::Done(error(Errno::EFAULT));
    }
    Outcome::Done(0)
}

/// rt_sigprocmask(2), mostly without the kernel.
#[inline(always)]
pub fn rt_sigprocmask(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [how, new, old, size, ..] = call.arguments();
    if size != SET_SIZE {
        return Outcome::Done(error(Errno::EINVAL));
    }
    let id = worker.current;
    let mask = mask_of(worker, id);
    if new != 0 {
        // SAFETY: a set is one plain word.
        let set: u64 = match unsafe { user::read(new) } {
            Ok(set) => set,
            Err(errno) => return Outcome::Done(error(errno)),
        };
        let wanted = match how as u32 {
            SIG_BLOCK => mask | set,
            SIG_UNBLOCK => mask & !set,
            SIG_SETMASK => set,
            _ => return Outcome::Done(error(Errno::EINVAL)),
        };
        set_mask(worker, id, wanted);
    }
    if old != 0 && user::write(old, &mask).is_err() {
        return Outcome::Done(error(Errno::EFAULT));
    }
    Outcome::Done(0)
}

/// rt_sigreturn(2): the handler that ran on the frame at rsp − 8 has returned.
pub fn rt_sigreturn(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let place = call.rsp as usize - size_of::<u64>();
    let context = place + core::mem::offset_of!(SignalFrame, context);
    // SAFETY: plain integers.
    let read = unsafe {
        let mask = user::read::<u64>(context + core::mem::offset_of!(UContext, mask));
        let stack = user::read::<StackT>(context + core::mem::offset_of!(UContext, stack));
        let registers = context + core::mem::offset_of!(UContext, registers);
        let rsp = user::read::<u64>(registers + core::mem::offset_of!(SigContext, rsp));
        mask.and_then(|mask| Ok((mask, stack?, rsp?)))
    };
    let Ok((mask, stack, rsp)) = read.and_then(|read| unshow(place).map(|()| read)) else {
        return Outcome::Pass;
    };
    let current = worker.current;
    // As the kernel, which does not mind if that fails.
    let _ = change_stack(worker, current, stack, rsp);
    set_mask(worker, current, mask);
    super::prepare_return(worker, place);
    Outcome::Resume(Resume::signal(place))
}

/// Gives task `id`, whose stack pointer is `rsp`, another alternate stack (do_sigaltstack).
fn change_stack(worker: &mut Worker, id: TaskId, stack: StackT, rsp: u64) -> Result<(), Errno> {
    let present = worker.tasks[id].extra.as_ref().map_or(StackT::NONE, |extra| extra.alternate_stack);
    if present.is_in_use(rsp) {
        return Err(Errno::EPERM);
    }
    let stack = match (stack.flags & !AUTODISARM) as u32 {
        SS_DISABLE => StackT::new(0, 0, stack.flags),
        0 | SS_ONSTACK if stack.size < SMALLEST_STACK => return Err(Errno::ENOMEM),
        0 | SS_ONSTACK => StackT::new(stack.address, stack.size, stack.flags),
        _ => return Err(Errno::EINVAL),
    };
    if stack != present {
        worker.tasks[id].extra().alternate_stack = stack;
    }
    Ok(())
}

/// sigaltstack(2).
pub fn sigaltstack(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [new, old, ..] = call.arguments();
    let current = worker.current;
    let present = worker.tasks[current].extra.as_ref().map_or(StackT::NONE, |extra| extra.alternate_stack);
    if new != 0 {
        // SAFETY: a stack_t is plain integers.
        let changed = unsafe { user::read(new) }.and_then(|stack| change_stack(worker, current, stack, call.rsp));
        if let Err(errno) = changed {
            return Outcome::Done(error(errno));
        }
    }
    if old != 0 && user::write(old, &present.as_told(call.rsp)).is_err() {
        return Outcome::Done(error(Errno::EFAULT));
    }
    Outcome::Done(0)
}

/// rt_sigsuspend(2): a mask for the time of the wait.
pub fn rt_sigsuspend(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [set, size, ..] = call.arguments();
    if size != SET_SIZE {
        return Outcome::Done(error(Errno::EINVAL));
    }
    // SAFETY: a set is one plain word.
    let mask: u64 = match unsafe { user::read(set) } {
        Ok(mask) => mask,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    let id = worker.current;
    let old = mask_of(worker, id);
    worker.tasks[id].extra().saved_mask = Some(old);
    wait_for_signal(worker, call, mask)
}

/// pause(2).
pub fn pause(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let mask = mask_of(worker, worker.current);
    wait_for_signal(worker, call, mask)
}

fn wait_for_signal(worker: &mut Worker, call: &mut Frame, mask: u64) -> Outcome {
    let id = worker.current;
    worker.park(call, Wait::Signal);
    worker.stats.parks_signal += 1;
    set_mask(worker, id, mask);
    deliver_pending(worker, id);
    Outcome::Switch
}

/// rt_sigtimedwait(2), which sigwait and sigwaitinfo are made of.
pub fn rt_sigtimedwait(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [set, info, timeout, size, ..] = call.arguments();
    if size != SET_SIZE {
        return Outcome::Done(error(Errno::EINVAL));
    }
    // SAFETY: a set is one plain word, a timespec two.
    let read = unsafe {
        user::read::<u64>(set).and_then(|set| {
            if timeout == 0 {
                Ok((set, None))
            } else {
                user::read::<__kernel_timespec>(timeout).map(|time| (set, Some(time)))
            }
        })
    };
    let (set, span) = match read.and_then(|(set, time)| time.map(time::to_ns).transpose().map(|span| (set, span))) {
        Ok(pair) => pair,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    let set = set & !(bit(SIGKILL) | bit(SIGSTOP));
    let id = worker.current;
    let own = worker.tasks[id].extra.as_mut().and_then(|extra| extra.pending.take(set));
    if let Some(found) = own.or_else(|| worker.signals.pending.take(set)) {
        timer::delivered(worker, &found);
        let told = info == 0 || user::write(info, &found).is_ok();
        return Outcome::Done(if told { found.si_signo as isize } else { error(Errno::EFAULT) });
    }
    // Signals that the kernel holds back because every task blocks them must be seen from here on.
    let unseen = set & !worker.signals.caught;
    for signal in (1..=SIGNALS as u32).filter(|&signal| unseen & bit(signal) != 0) {
        let flags = worker.signals.actions[signal as usize].flags;
        catch(&mut worker.signals, signal, flags);
    }
    if let Some(span) = span {
        let deadline = worker.clock.now().saturating_add(span);
        if worker.timers.insert(id, deadline).is_err() {
            return Outcome::Done(error(Errno::EAGAIN));
        }
    }
    worker.tasks[id].extra().awaited = set;
    worker.signals.masks.begin_await(set);
    worker.park(call, Wait::Signal);
    worker.stats.parks_signal += 1;
    sync_kernel_mask(worker);
    deliver_pending(worker, id);
    Outcome::Switch
}

/// rt_sigpending(2).
pub fn rt_sigpending(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [set, size, ..] = call.arguments();
    if size > SET_SIZE {
        return Outcome::Done(error(Errno::EINVAL));
    }
    let mut pending = 0u64;
    // SAFETY: the kernel writes one set: what is blocked in its own mask waits there.
    unsafe { raw::call(Sysno::rt_sigpending as u32, [&raw mut pending as usize, SET_SIZE, 0, 0, 0, 0]) };
    let id = worker.current;
    let own = worker.tasks[id].extra.as_ref().map_or(0, |extra| extra.pending.set);
    let all = (pending | own | worker.signals.pending.set) & mask_of(worker, id);
    debug_assert_eq!(pending_for(worker, id) & all, 0);
    if user::write(set, &all).is_err() { Outcome::Done(error(Errno::EFAULT)) } else { Outcome::Done(0) }
}
