//! mq_timedsend(2) and mq_timedreceive(2): a message queue is a descriptor that poll(2) knows, and a time limit in the
//! past makes the call not wait.

use super::{Attempt, Call, kinds};
use crate::arch::x86_64::user_memory as user;
use crate::kernel::{error, time};
use crate::raw;
use crate::sched::descriptors::Direction;
use crate::sched::worker::Worker;
use linux_raw_sys::general::{__kernel_timespec, CLOCK_REALTIME};
use syscalls::{Errno, Sysno};

/// Either call.
#[inline(never)]
pub fn transfer(worker: &mut Worker, call: &Call) -> Attempt {
    if worker.descriptors.is_private(call.fd) {
        return Attempt::Done(error(Errno::EBADF));
    }
    if kinds::is_nonblocking(worker, call.fd) || deadline(worker, call).is_err() {
        return Attempt::Pass;
    }
    let past = __kernel_timespec { tv_sec: 0, tv_nsec: 0 };
    let mut arguments = call.arguments;
    arguments[0] = call.fd as usize;
    arguments[4] = &raw const past as usize;
    // SAFETY: the program's own buffers; the time lives across the call.
    let answer = unsafe { raw::call(call.number as u32, arguments) };
    if answer != error(Errno::ETIMEDOUT) {
        return Attempt::Done(answer);
    }
    let direction = if call.number == Sysno::mq_timedsend { Direction::Write } else { Direction::Read };
    Attempt::Block(call.fd, direction)
}

/// When the call's time is over, on CLOCK_MONOTONIC, ns. None: never.
pub fn deadline(worker: &Worker, call: &Call) -> Result<Option<u64>, Errno> {
    let limit = call.arguments[4];
    if limit == 0 {
        return Ok(None);
    }
    // SAFETY: a timespec is two plain integers.
    let time = time::to_ns(unsafe { user::read::<__kernel_timespec>(limit) }?)?;
    let there = worker.clock.read(CLOCK_REALTIME as i32).ok_or(Errno::EINVAL)?;
    Ok(Some(worker.clock.now().saturating_add(time.saturating_sub(there))))
}
