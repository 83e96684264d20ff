//! Signals where grivet takes over from the kernel and the kernel from grivet. A new program inherits which are ignored,
//! though the kernel may have grivet's handler for them, and which are pending: the kernel gets both before execve(2), and
//! gives them back if that fails. What is pending when grivet awakes is taken from it.

use super::calls::{catch, set_plain};
use super::frame::SigInfo;
use super::{Action, SIG_IGN, SIGNALS, bit, delivery, lend_mask, mask_of, sync_kernel_mask};
use crate::arch::x86_64::gate;
use crate::raw::{self, SignalSet};
use crate::sched::idle::timespec;
use crate::sched::worker::Worker;
use syscalls::Sysno;

/// Bytes of a kernel signal set.
const SET_SIZE: usize = 8;

/// The kernel gets mask, ignored and pending signals of the current task. The signals that it ignores itself from now on.
pub fn lend(worker: &mut Worker) -> SignalSet {
    lend_mask(worker);
    for_each_pending(worker, |info| {
        let (process, thread) = (worker.pid as usize, gate::kernel_thread() as usize);
        let arguments = [process, thread, info.si_signo as usize, &raw const *info as usize, 0, 0];
        // SAFETY: the kernel reads the siginfo.
        unsafe { raw::call(Sysno::rt_tgsigqueueinfo as u32, arguments) };
    });
    let caught = worker.signals.caught;
    let is_lent =
        |signal: &u32| caught & bit(*signal) != 0 && worker.signals.actions[*signal as usize].handler == SIG_IGN;
    let lent = (1..=SIGNALS as u32).filter(is_lent).fold(0, |set, signal| set | bit(signal));
    for signal in members(lent) {
        let action = worker.signals.actions[signal as usize];
        set_plain(&mut worker.signals, signal, action);
    }
    lent
}

/// Takes over what is pending, so that a signal sent to the only thread stays its own when there are others.
pub fn adopt_pending(worker: &mut Worker) {
    const SI_TKILL: i32 = -6;
    let mut pending: SignalSet = 0;
    // SAFETY: the kernel writes one set.
    unsafe { raw::call(Sysno::rt_sigpending as u32, [&raw mut pending as usize, SET_SIZE, 0, 0, 0, 0]) };
    if pending == 0 {
        return;
    }
    loop {
        let (mut info, now) = (SigInfo::NONE, timespec(0));
        let arguments = [&raw const pending as usize, &raw mut info as usize, &raw const now as usize, SET_SIZE, 0, 0];
        // SAFETY: set and time live across the call, and the kernel writes one siginfo.
        if unsafe { raw::call(Sysno::rt_sigtimedwait as u32, arguments) } <= 0 {
            return;
        }
        let target = (info.si_code == SI_TKILL).then_some(worker.current);
        delivery::post(worker, info, target);
    }
}

/// There is no new program: all is as it was.
pub fn take_back(worker: &mut Worker, lent: SignalSet) {
    for signal in members(lent) {
        let flags = worker.signals.actions[signal as usize].flags;
        catch(&mut worker.signals, signal, flags);
    }
    for_each_pending(worker, |info| {
        // The kernel takes what was sent to the thread before what was sent to the process.
        let (set, now) = (bit(info.si_signo as u32), timespec(0));
        let arguments = [&raw const set as usize, 0, &raw const now as usize, SET_SIZE, 0, 0];
        // SAFETY: set and time live across the call.
        unsafe { raw::call(Sysno::rt_sigtimedwait as u32, arguments) };
    });
    sync_kernel_mask(worker);
}

/// In a child that was to have no handlers (CLONE_CLEAR_SIGHAND), and for which the kernel has taken away grivet's too.
pub fn forget_handlers(worker: &mut Worker) {
    for signal in 1..=SIGNALS as u32 {
        let action = &mut worker.signals.actions[signal as usize];
        if action.handler != SIG_IGN {
            *action = Action::default();
        }
        let action = *action;
        if worker.signals.is_to_be_caught(signal) {
            catch(&mut worker.signals, signal, action.flags);
        } else {
            set_plain(&mut worker.signals, signal, action);
        }
    }
}

fn members(set: SignalSet) -> impl Iterator<Item = u32> {
    (1..=SIGNALS as u32).filter(move |&signal| set & bit(signal) != 0)
}

/// Blocked signals that are pending for the current task or the process; each below the real-time ones once, for so the
/// kernel keeps them.
fn for_each_pending(worker: &Worker, mut action: impl FnMut(&SigInfo)) {
    const FIRST_REAL_TIME: i32 = 32;
    let blocked = mask_of(worker, worker.current);
    let own = worker.tasks[worker.current].extra.as_ref().map(|extra| &extra.pending);
    let mut seen = 0;
    for info in own.into_iter().chain([&worker.signals.pending]).flat_map(|pending| &pending.queue) {
        let bit = bit(info.si_signo as u32);
        if blocked & bit != 0 && (info.si_signo >= FIRST_REAL_TIME || seen & bit == 0) {
            seen |= bit;
            action(info);
        }
    }
}
