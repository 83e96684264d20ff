//! Waiting for events: epoll_wait(2) and its kin; and what calls of the whole family have in common around a wait:
//! their time limit, and the signal mask that some of them bring.

use super::{Attempt, Call, kinds, lend, queue, ring};
use crate::arch::x86_64::user_memory as user;
use crate::kernel::signal::{delivery, set_mask};
use crate::kernel::{error, time};
use crate::raw;
use crate::sched::clock::NS_PER_S;
use crate::sched::descriptors::Direction;
use crate::sched::task::TaskId;
use crate::sched::worker::Worker;
use linux_raw_sys::general::__kernel_timespec;
use syscalls::{Errno, Sysno};

/// epoll_wait(2), epoll_pwait(2), epoll_pwait2(2).
#[inline(never)]
pub fn epoll_wait(worker: &mut Worker, call: &Call) -> Attempt {
    let [_, events, most, timeout, mask, mask_size] = call.arguments;
    if worker.descriptors.is_private(call.fd) {
        return Attempt::Done(error(Errno::EBADF));
    }
    if call.is_first
        && (limit(call).is_err()
            || (call.number != Sysno::epoll_wait && mask != 0 && read_mask(mask, mask_size).is_err()))
    {
        return Attempt::Pass;
    }
    // SAFETY: the program's own array.
    let answer = unsafe { raw::call(Sysno::epoll_wait as u32, [call.fd as usize, events, most, 0, 0, 0]) };
    let is_look = match call.number {
        Sysno::epoll_pwait2 => limit(call) == Ok(Some(0)),
        _ => timeout as i32 == 0,
    };
    if answer != 0 || is_look {
        return Attempt::Done(answer);
    }
    if let Some(entry) = worker.descriptors.get_mut(call.fd)
        && entry.watched & Direction::Read.bit() != 0
    {
        entry.drained |= Direction::Read.bit();
    }
    Attempt::Block(call.fd, Direction::Read)
}

/// How long an epoll_wait may take, ns. None: for ever.
fn limit(call: &Call) -> Result<Option<u64>, Errno> {
    let timeout = call.arguments[3];
    if call.number == Sysno::epoll_pwait2 {
        if timeout == 0 {
            return Ok(None);
        }
        // SAFETY: a timespec is two plain integers.
        return time::to_ns(unsafe { user::read::<__kernel_timespec>(timeout) }?).map(Some);
    }
    Ok(u64::try_from(timeout as i32).ok().map(|ms| ms * (NS_PER_S / 1000)))
}

fn read_mask(address: usize, size: usize) -> Result<u64, Errno> {
    if size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: a set is one plain word.
    unsafe { user::read(address) }
}

/// When the wait of any call of the family is over, on CLOCK_MONOTONIC, ns. None: never.
pub fn deadline(worker: &mut Worker, call: &Call, fd: i32, direction: Direction) -> Result<Option<u64>, Errno> {
    let span = match call.number {
        Sysno::epoll_wait | Sysno::epoll_pwait | Sysno::epoll_pwait2 => limit(call)?,
        Sysno::io_uring_enter => ring::limit(call)?,
        Sysno::mq_timedsend | Sysno::mq_timedreceive => return queue::deadline(worker, call),
        _ => kinds::timeout(worker, fd, direction),
    };
    Ok(span.map(|span| worker.clock.now().saturating_add(span)))
}

/// The waiting task takes on the mask that its call brings (epoll_pwait), and what that lets through.
pub fn lend_mask(worker: &mut Worker, call: &Call) {
    let [_, _, _, _, mask, size] = call.arguments;
    if matches!(call.number, Sysno::epoll_pwait | Sysno::epoll_pwait2)
        && mask != 0
        && let Ok(mask) = read_mask(mask, size)
    {
        lend(worker, call.id, mask);
        delivery::deliver_pending(worker, call.id);
    }
}

/// The mask that was in force before the call is again.
#[inline(always)]
pub fn restore_mask(worker: &mut Worker, id: TaskId) {
    if worker.tasks[id].extra.is_some() {
        let saved = worker.tasks[id].extra.as_mut().and_then(|extra| extra.saved_mask.take());
        if let Some(mask) = saved {
            set_mask(worker, id, mask);
        }
    }
}
