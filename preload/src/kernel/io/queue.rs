//! mq_timedsend(2) and mq_timedreceive(2): a message queue is a descriptor that poll(2) knows, and a time limit in the
//! past makes the call not wait. But what waits by poll(2) is nobody who waits for a message: the kernel would tell whoever
//! asked for it with mq_notify(2) of a message that finds a thread waiting. So while somebody has asked, a kernel thread of
//! the pool waits in the call itself.

use super::{Attempt, Call, kinds};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::pool::{self, Job};
use crate::kernel::{Outcome, error, time};
use crate::raw;
use crate::sched::descriptors::{Direction, place_of};
use crate::sched::task::{State, TaskId, Wait};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{__kernel_timespec, CLOCK_REALTIME};
use syscalls::{Errno, Sysno};

/// How long mq_notify(2) may take until those that wait are seen to do so, ns.
const SETTLED_WITHIN: u64 = 5_000_000;

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
    // A duplicate that stands in for a closed number would be closed when nobody stands in its queue.
    let is_own_number = call.fd == call.arguments[0] as i32;
    if is_own_number && has_notification(call.fd) && pool::has_room(worker) {
        return Attempt::Elsewhere(Job::whole(call.number, call.arguments));
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

/// Whether some process is to be told of the next message. Unknown, and so taken for not, where the queue is open for
/// writing only.
fn has_notification(fd: i32) -> bool {
    // FILENT_SIZE of ipc/mqueue.c.
    const LONGEST: usize = 80;
    const KEY: &[u8] = b"NOTIFY_PID:";
    let mut text = [0u8; LONGEST];
    // SAFETY: writes to the text. The place in the file, which the program may use, stays as it is.
    let length =
        unsafe { raw::call(Sysno::pread64 as u32, [fd as usize, text.as_mut_ptr() as usize, LONGEST, 0, 0, 0]) };
    let text = &text[..length.max(0) as usize];
    let place = text.windows(KEY.len()).position(|window| window == KEY);
    place.and_then(|place| text.get(place + KEY.len())).is_some_and(|&first| first != b'0')
}

/// mq_notify(2): those that wait for the queue already must be waiting in the kernel when it is asked for. The kernel
/// answers.
pub fn notify(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [queue, event, ..] = call.arguments();
    if event == 0 || worker.is_alone() {
        return Outcome::Pass;
    }
    let Some((_, inode)) = kinds::stat(queue as i32) else { return Outcome::Pass };
    let mut has_moved = false;
    for id in 0..worker.tasks.used() {
        if let Some(job) = waits_for(worker, id, inode)
            && pool::has_room(worker)
        {
            worker.descriptors.leave(&mut worker.tasks, id);
            pool::submit(worker, id, job);
            has_moved = true;
        }
    }
    if has_moved {
        pool::settle(worker, SETTLED_WITHIN);
    }
    Outcome::Pass
}

/// The call of task `id`, if it waits by poll(2) in one of this family on the queue that is `inode`.
fn waits_for(worker: &mut Worker, id: TaskId, inode: u64) -> Option<Job> {
    let task = &worker.tasks[id];
    if task.state != State::Parked || task.wait != Wait::File || task.key == 0 {
        return None;
    }
    let (fd, _) = place_of(task.key);
    let call = worker.frame_of(id);
    let number = Sysno::new(call.number() as usize)?;
    let arguments = call.arguments();
    let is_on_queue = matches!(number, Sysno::mq_timedsend | Sysno::mq_timedreceive)
        && fd == arguments[0] as i32
        && kinds::stat(fd).is_some_and(|(_, other)| other == inode);
    is_on_queue.then(|| Job::whole(number, arguments))
}
