//! recvmmsg(2) and sendmmsg(2): one message after the other, until all are through.

use super::message::{Header, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_NOSIGNAL, all_bytes, once};
use super::transfer::claim_broken_pipe;
use super::{Attempt, Call, EAGAIN, kinds, would_block, wrote};
use crate::arch::x86_64::user_memory as user;
use crate::kernel::time;
use crate::raw;
use crate::sched::descriptors::Direction;
use crate::sched::worker::Worker;
use linux_raw_sys::general::__kernel_timespec;
use syscalls::{Errno, Sysno};

const MSG_WAITFORONE: usize = 0x10000;
/// UIO_MAXIOV, which these calls have for their vectors too.
const MOST_MESSAGES: usize = 1024;
/// Bytes of struct mmsghdr.
const SLOT: usize = 64;

/// recvmmsg(2). Its time limit is looked at after each message, as the kernel does.
#[inline(never)]
pub fn receive_many(worker: &mut Worker, call: &Call) -> Attempt {
    let [_, vector, count, flags, limit, _] = call.arguments;
    let kind = kinds::of(worker, call.fd);
    if flags & (MSG_DONTWAIT | MSG_ERRQUEUE) != 0 || !kind.is_socket() || count as u32 == 0 {
        return Attempt::Pass;
    }
    let count = (count as u32 as usize).min(MOST_MESSAGES);
    if limit != 0 && call.is_first {
        // SAFETY: a timespec is two plain integers.
        match unsafe { user::read::<__kernel_timespec>(limit) }.and_then(time::to_ns) {
            Ok(span) => worker.tasks[call.id].extra().message_deadline = worker.clock.now().saturating_add(span),
            Err(errno) => return Err(errno).into(),
        }
    }
    loop {
        let done = worker.tasks[call.id].expected as usize;
        let at_once = if limit == 0 { count - done } else { 1 };
        // SAFETY: the program's own vector.
        let answer = unsafe {
            raw::call(
                Sysno::recvmmsg as u32,
                [call.fd as usize, vector + done * SLOT, at_once, flags & !MSG_WAITFORONE | MSG_DONTWAIT, 0, 0],
            )
        };
        if answer < 0 && answer != EAGAIN {
            return Attempt::Done(if done > 0 { done as isize } else { answer });
        }
        let total = done + answer.max(0) as usize;
        worker.tasks[call.id].expected = total as u32;
        let is_late = limit != 0 && answer > 0 && worker.tasks[call.id].extra().message_deadline <= worker.clock.now();
        let has_enough = total > 0 && flags & MSG_WAITFORONE != 0 && (limit == 0 || answer == EAGAIN);
        if total >= count || is_late || has_enough {
            return finish_many(worker, call, total);
        }
        if answer == EAGAIN {
            return would_block(worker, call, Direction::Read);
        }
        if limit == 0 && (answer as usize) < at_once {
            return would_block(worker, call, Direction::Read);
        }
    }
}

/// The time that is left of a recvmmsg goes back to the program, as the kernel writes it.
fn finish_many(worker: &mut Worker, call: &Call, total: usize) -> Attempt {
    let limit = call.arguments[4];
    if limit != 0 {
        let left = worker.tasks[call.id].extra().message_deadline.saturating_sub(worker.clock.now());
        if user::write(limit, &crate::sched::idle::timespec(left)).is_err() {
            return Err(Errno::EFAULT).into();
        }
    }
    Attempt::Done(total as isize)
}

/// sendmmsg(2). A message that went through in part only is completed like sendmsg's before the next.
#[inline(never)]
pub fn send_many(worker: &mut Worker, call: &Call) -> Attempt {
    let [_, vector, count, flags, ..] = call.arguments;
    let kind = kinds::of(worker, call.fd);
    if flags & MSG_DONTWAIT != 0 || !kind.is_socket() || count as u32 == 0 {
        return Attempt::Pass;
    }
    let count = (count as u32 as usize).min(MOST_MESSAGES);
    loop {
        let done = worker.tasks[call.id].expected as usize;
        if done >= count {
            return Attempt::Done(done as isize);
        }
        let slot = vector + done * SLOT;
        let sent = worker.tasks[call.id].extra.as_ref().map_or(0, |extra| extra.part_sent) as usize;
        let one = Call { number: Sysno::sendmsg, arguments: [call.arguments[0], slot, flags, 0, 0, 0], ..*call };
        let (answer, asked) = once(&one, sent, if sent > 0 { MSG_NOSIGNAL } else { 0 });
        if answer == EAGAIN {
            return would_block(worker, call, Direction::Write);
        }
        if answer < 0 {
            worker.tasks[call.id].extra().part_sent = 0;
            if done > 0 {
                return Attempt::Done(done as isize);
            }
            claim_broken_pipe(call, answer);
            return Attempt::Done(answer);
        }
        wrote(worker, call.fd, answer);
        let asked = if asked == 0 { all_bytes(slot).saturating_sub(sent) } else { asked };
        if kind.is_stream() && (answer as usize) < asked && !kinds::is_nonblocking(worker, call.fd) {
            worker.tasks[call.id].extra().part_sent = (sent + answer as usize) as u32;
            continue;
        }
        const LENGTH: usize = size_of::<Header>();
        if user::write(slot + LENGTH, &((sent + answer as usize) as u32)).is_err() {
            return Err(Errno::EFAULT).into();
        }
        if let Some(extra) = worker.tasks[call.id].extra.as_mut() {
            extra.part_sent = 0;
        }
        worker.tasks[call.id].expected = done as u32 + 1;
    }
}
