//! wait4(2) and waitid(2): tried with WNOHANG; if no child has changed, the task parks until SIGCHLD says that one may
//! have. While tasks wait so, the kernel thread lets SIGCHLD in even if every task blocks or ignores it.

use super::pool::{self, Job};
use super::signal::bit;
use super::signal::calls::{catch, release};
use super::{Outcome, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::raw;
use crate::sched::task::{TaskId, Wait};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{SIGCHLD, WNOHANG};
use syscalls::{Errno, Sysno};

/// __WNOTHREAD, __WALL, __WCLONE: children that may end without SIGCHLD.
const ODD: usize = 0xe000_0000;

/// Tasks that wait for children.
pub struct Children {
    waiters: Vec<TaskId>,
}

impl Children {
    pub const fn new() -> Children {
        Children { waiters: Vec::new() }
    }

    /// In the child of a fork nobody waits.
    pub fn clear(&mut self) {
        self.waiters.clear();
    }
}

/// Either call.
pub fn wait(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let [_, _, third, fourth, ..] = call.arguments();
    let options = if number == Sysno::wait4 { third } else { fourth };
    if worker.is_alone() || options & WNOHANG as usize != 0 {
        return Outcome::Pass;
    }
    if options & ODD != 0 {
        return pool::hand_over(worker, call, Job::whole(number, call.arguments()));
    }
    if worker.children.waiters.try_reserve(1).is_err() {
        return Outcome::Done(error(Errno::ENOMEM));
    }
    if worker.children.waiters.is_empty() {
        // Before the look, so that no change between the two is missed.
        begin_listening(worker);
    }
    if let Some(answer) = look(call, number) {
        if worker.children.waiters.is_empty() {
            end_listening(worker);
        }
        return Outcome::Done(answer);
    }
    let id = worker.current;
    worker.park(call, Wait::Child);
    worker.stats.parks_io += 1;
    worker.children.waiters.push(id);
    Outcome::Switch
}

/// What the call would return now; None if it would wait.
fn look(call: &Frame, number: Sysno) -> Option<isize> {
    let mut arguments = call.arguments();
    if number == Sysno::wait4 {
        arguments[2] |= WNOHANG as usize;
        // SAFETY: the program's own call.
        let answer = unsafe { raw::call(Sysno::wait4 as u32, arguments) };
        return (answer != 0).then_some(answer);
    }
    // siginfo_t: si_signo, si_errno, si_code, padding, si_pid, si_uid, si_status.
    let mut told = [0i32; 32];
    let place = core::mem::replace(&mut arguments[2], told.as_mut_ptr() as usize);
    arguments[3] |= WNOHANG as usize;
    // SAFETY: the program's own call, with a siginfo of ours.
    let answer = unsafe { raw::call(Sysno::waitid as u32, arguments) };
    if answer != 0 {
        return Some(answer);
    }
    if told[0] == 0 {
        return None;
    }
    const WRITTEN: usize = 7;
    // The kernel writes these fields only.
    let fields: [i32; WRITTEN] = core::array::from_fn(|index| told[index]);
    let is_told = place == 0 || user::write(place, &fields).is_ok();
    Some(if is_told { 0 } else { error(Errno::EFAULT) })
}

fn begin_listening(worker: &mut Worker) {
    let flags = worker.signals.actions[SIGCHLD as usize].flags;
    catch(&mut worker.signals, SIGCHLD, flags);
    worker.signals.masks.begin_await(bit(SIGCHLD));
    super::signal::sync_kernel_mask(worker);
}

fn end_listening(worker: &mut Worker) {
    worker.signals.masks.end_await(bit(SIGCHLD));
    release(worker, SIGCHLD);
}

/// SIGCHLD has come: those who wait look again.
pub fn changed(worker: &mut Worker) {
    let mut place = 0;
    while let Some(&id) = worker.children.waiters.get(place) {
        let frame = *worker.frame_of(id);
        let Some(number) = Sysno::new(frame.number() as usize) else { break };
        match look(&frame, number) {
            None => place += 1,
            Some(answer) => {
                worker.children.waiters.remove(place);
                worker.wake(id, answer);
            }
        }
    }
    if place == 0 {
        end_listening(worker);
    }
}

/// Whether tasks wait for children.
pub fn is_waited_for(worker: &Worker) -> bool {
    !worker.children.waiters.is_empty()
}

/// Takes a task out.
pub fn withdraw(worker: &mut Worker, id: TaskId) {
    worker.children.waiters.retain(|&waiter| waiter != id);
    if worker.children.waiters.is_empty() {
        end_listening(worker);
    }
}
