//! Waiting for events: epoll_wait(2) and its kin, io_uring_enter(2); and what calls of the whole family have in common around a wait: their
//! time limit, and the signal mask that some of them bring.

use super::{Attempt, Call, kinds, lend, queue};
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

const IORING_ENTER_GETEVENTS: usize = 1;
const IORING_ENTER_EXT_ARG: usize = 8;
const IORING_ENTER_REGISTERED_RING: usize = 16;

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

/// io_uring_enter(2): what is to be submitted is, once; then completions are waited for on the ring's descriptor.
#[inline(never)]
pub fn io_uring_enter(worker: &mut Worker, call: &Call) -> Attempt {
    let [_, submit, wanted, flags, _, _] = call.arguments;
    // What a ring does to pipes is not seen.
    worker.descriptors.share_all();
    let (submit, wanted) = (submit as u32, wanted as u32);
    if flags & IORING_ENTER_GETEVENTS == 0
        || wanted == 0
        || flags & IORING_ENTER_REGISTERED_RING != 0
        || worker.descriptors.is_private(call.fd)
    {
        return Attempt::Pass;
    }
    if call.is_first {
        if ring_limit(call).is_err() {
            return Attempt::Pass;
        }
        if submit > 0 {
            let plain = flags & !(IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG);
            let arguments = [call.fd as usize, submit as usize, 0, plain, 0, 0];
            // SAFETY: the program's own ring.
            let answer = unsafe { raw::call(Sysno::io_uring_enter as u32, arguments) };
            if answer != submit as isize {
                return Attempt::Done(answer);
            }
            worker.tasks[call.id].expected = submit;
        }
    }
    let submitted = worker.tasks[call.id].expected as isize;
    let now = __kernel_timespec { tv_sec: 0, tv_nsec: 0 };
    // struct io_uring_getevents_arg: mask, its size, padding, time.
    let argument = [0usize, 8, &raw const now as usize];
    let arguments = [
        call.fd as usize,
        0,
        wanted as usize,
        flags & !IORING_ENTER_EXT_ARG | IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
        argument.as_ptr() as usize,
        size_of_val(&argument),
    ];
    // SAFETY: the program's own ring; argument and time live across the call.
    let answer = unsafe { raw::call(Sysno::io_uring_enter as u32, arguments) };
    if answer == error(Errno::EINTR) {
        return Attempt::Again;
    }
    if answer == error(Errno::ETIME) {
        return Attempt::Block(call.fd, Direction::Read);
    }
    Attempt::Done(if answer >= 0 || submitted > 0 { submitted.max(answer) } else { answer })
}

/// How long an io_uring_enter may take, ns. None: for ever. EINVAL for forms that are the kernel's to judge.
fn ring_limit(call: &Call) -> Result<Option<u64>, Errno> {
    let [_, _, _, flags, address, size] = call.arguments;
    if flags & IORING_ENTER_EXT_ARG == 0 {
        return if address == 0 { Ok(None) } else { Err(Errno::EINVAL) };
    }
    if size != 3 * size_of::<usize>() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the structure is three plain words.
    let [mask, _, limit] = unsafe { user::read::<[usize; 3]>(address) }?;
    if mask != 0 {
        return Err(Errno::EINVAL);
    }
    if limit == 0 {
        return Ok(None);
    }
    // SAFETY: a timespec is two plain integers.
    time::to_ns(unsafe { user::read::<__kernel_timespec>(limit) }?).map(Some)
}

/// When the wait of any call of the family is over, on CLOCK_MONOTONIC, ns. None: never.
pub fn deadline(worker: &mut Worker, call: &Call, fd: i32, direction: Direction) -> Result<Option<u64>, Errno> {
    let span = match call.number {
        Sysno::epoll_wait | Sysno::epoll_pwait | Sysno::epoll_pwait2 => limit(call)?,
        Sysno::io_uring_enter => ring_limit(call)?,
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
