//! Calls that wait for a file: read, write, accept, connect, epoll_wait and their kin. Each is *attempted* without
//! waiting; if it would wait, its task parks in the queue of the descriptor (`sched::descriptors`) until the poller, or
//! another task's write to the other end, says that an attempt is worth while. The attempt is then made when the task's
//! turn comes, before it goes on, so a file that is written many times is read once.
//!
//! An attempt takes everything from the task's saved registers and keeps what was done so far in `Task::expected`
//! (bytes or messages): nothing else of a call outlives its wait. A file's O_NONBLOCK flag is never changed, because
//! other processes may share it; where a call has no flag of its own, see `watched`.

pub mod connection;
pub mod disk;
pub mod events;
mod hand_over;
pub mod kinds;
pub mod message;
mod messages;
mod parts;
pub mod queue;
mod readiness;
pub mod ring;
pub mod splice;
pub mod together;
pub mod transfer;

pub use readiness::{became_ready, hand_out, look, open_poller, register_all, try_unwatchable};

use super::{Outcome, error};
use crate::arch::Frame;
use crate::kernel::pool::{self, Job};
use crate::kernel::signal::set_mask;
use crate::observe;
use crate::raw;
use crate::sched::descriptors::{Direction, Kind, NO_PEER, place_of};
use crate::sched::task::{State, TaskId, Wait};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{POLLIN, POLLOUT, pollfd};
use readiness::{pass_on, wake_first};
use syscalls::{Errno, Sysno};

/// What an attempt came to.
pub enum Attempt {
    /// The call is over, with this result.
    Done(isize),
    /// It does not wait, or is not for grivet: the program's own call is made.
    Pass,
    /// It would wait until this descriptor is ready.
    Block(i32, Direction),
    /// Signals must be looked after first.
    Again,
    /// Nothing tells when it would not wait: a kernel thread of the pool makes it.
    Elsewhere(Job),
}

impl From<Result<usize, Errno>> for Attempt {
    fn from(result: Result<usize, Errno>) -> Attempt {
        Attempt::Done(match result {
            Ok(value) => value as isize,
            Err(errno) => error(errno),
        })
    }
}

/// A call that is being attempted.
#[derive(Clone, Copy)]
pub struct Call {
    pub id: TaskId,
    pub number: Sysno,
    pub arguments: [usize; 6],
    /// The descriptor it is about: the first argument, or what stands in for that if it was closed meanwhile.
    pub fd: i32,
    /// The first attempt; later ones follow a wait.
    pub is_first: bool,
}

const EAGAIN: isize = -11;

/// Any call of the family by the running task. With one task alone the program's own call is made, as if grivet was not
/// there.
#[inline]
pub fn begin(worker: &mut Worker, frame: &mut Frame, number: Sysno) -> Outcome {
    if worker.is_alone() {
        worker.descriptors.lose_count(frame.rdi as i32);
        return Outcome::Pass;
    }
    let id = worker.current;
    let arguments = frame.arguments();
    let call = Call { id, number, arguments, fd: arguments[0] as i32, is_first: true };
    worker.tasks[id].expected = 0;
    worker.tasks[id].bitset = 0;
    match attempt(worker, &call) {
        Attempt::Done(result) => {
            events::restore_mask(worker, id);
            let is_look = matches!(number, Sysno::epoll_wait | Sysno::epoll_pwait | Sysno::epoll_pwait2);
            if is_look && worker.is_time_for_others(false) {
                frame.answer(result);
                worker.suspend(frame);
                worker.yield_current();
                return Outcome::Switch;
            }
            Outcome::Done(result)
        }
        Attempt::Pass => Outcome::Pass,
        Attempt::Block(fd, direction) => wait_for(worker, frame, &call, fd, direction),
        Attempt::Again => {
            park(worker, frame);
            make_retry(worker, id);
            Outcome::Switch
        }
        Attempt::Elsewhere(job) => pool::hand_over(worker, frame, job),
    }
}

fn attempt(worker: &mut Worker, call: &Call) -> Attempt {
    match call.number {
        Sysno::read | Sysno::readv | Sysno::pread64 | Sysno::preadv | Sysno::preadv2 => transfer::read(worker, call),
        Sysno::write | Sysno::writev | Sysno::pwrite64 | Sysno::pwritev | Sysno::pwritev2 => {
            transfer::write(worker, call)
        }
        Sysno::recvfrom | Sysno::recvmsg => message::receive(worker, call),
        Sysno::sendto | Sysno::sendmsg => message::send(worker, call),
        Sysno::recvmmsg => messages::receive_many(worker, call),
        Sysno::sendmmsg => messages::send_many(worker, call),
        Sysno::accept | Sysno::accept4 => connection::accept(worker, call),
        Sysno::connect => connection::connect(worker, call),
        Sysno::epoll_wait | Sysno::epoll_pwait | Sysno::epoll_pwait2 => events::epoll_wait(worker, call),
        Sysno::io_uring_enter => ring::enter(worker, call),
        Sysno::mq_timedsend | Sysno::mq_timedreceive => queue::transfer(worker, call),
        Sysno::open | Sysno::openat | Sysno::openat2 | Sysno::creat => connection::open(worker, call),
        Sysno::splice | Sysno::tee | Sysno::vmsplice | Sysno::sendfile => splice::transfer(worker, call),
        _ => Attempt::Pass,
    }
}

/// The running task's call would wait for `fd`: it parks, unless the program wants to be told so instead.
fn wait_for(worker: &mut Worker, frame: &mut Frame, call: &Call, fd: i32, direction: Direction) -> Outcome {
    if worker.descriptors.entry(fd).is_none() {
        return Outcome::Pass;
    }
    if let Err(errno) = set_deadline(worker, call, fd, direction) {
        return Outcome::Done(error(errno));
    }
    park(worker, frame);
    begin_to_wait(worker, call, fd, direction);
    Outcome::Switch
}

/// Notes when the wait ends, if it does by itself.
fn set_deadline(worker: &mut Worker, call: &Call, fd: i32, direction: Direction) -> Result<(), Errno> {
    if let Some(deadline) = events::deadline(worker, call, fd, direction)? {
        worker.timers.insert(call.id, deadline).map_err(|_| Errno::ENOMEM)?;
        worker.tasks[call.id].deadline = deadline.max(1);
    }
    Ok(())
}

/// A parked task waits for the first time in its call.
fn begin_to_wait(worker: &mut Worker, call: &Call, fd: i32, direction: Direction) {
    queue_up(worker, call.id, fd, direction, false);
    worker.stats.parks_io += 1;
    events::lend_mask(worker, call);
}

fn park(worker: &mut Worker, frame: &mut Frame) {
    worker.park(frame, Wait::File);
    // Until it stands in a queue, it stands in none.
    let current = worker.current;
    worker.tasks[current].key = 0;
}

fn queue_up(worker: &mut Worker, id: TaskId, fd: i32, direction: Direction, at_front: bool) {
    worker.descriptors.enter(&mut worker.tasks, id, fd, direction, at_front);
    if worker.is_watched {
        observe::waits_for_file(worker, id, fd, direction);
    }
    let Some(entry) = worker.descriptors.get(fd) else { return };
    if entry.watched & direction.bit() == 0 || entry.assumed & direction.bit() != 0 {
        if worker.descriptors.is_private_pair(fd) {
            worker.descriptors.make_due_when_idle(fd);
        } else {
            worker.descriptors.make_due(fd);
        }
    }
}

/// Lets a parked task of this family, which stands in no queue any more, make another attempt when its turn comes.
fn make_retry(worker: &mut Worker, id: TaskId) {
    worker.tasks[id].retries = true;
    if worker.is_watched {
        observe::ready(worker, id);
    }
    worker.run_queue.push(&mut worker.tasks, id);
}

/// The turn of a task that was told to try again has come; whether its call is over, so that it goes on.
pub fn retry(worker: &mut Worker, id: TaskId) -> bool {
    worker.tasks[id].retries = false;
    match worker.tasks[id].wait {
        Wait::Poll => return super::poll::retry(worker, id),
        Wait::Futex => return super::priority_inheritance::retry(worker, id),
        _ => {}
    }
    let frame = worker.frame_of(id);
    let arguments = frame.arguments();
    let Some(number) = Sysno::new(frame.number() as usize) else { return true };
    let key = worker.tasks[id].key;
    let place = (key != 0).then(|| place_of(key));
    let fd = place.map_or(arguments[0] as i32, |(fd, _)| fd);
    // Put off before it had begun to wait: as if it was made now.
    let call = Call { id, number, arguments, fd, is_first: place.is_none() };
    match attempt(worker, &call) {
        Attempt::Done(result) => {
            worker.frame_of(id).answer(result);
            worker.tasks[id].state = State::Ready;
            over(worker, id);
        }
        Attempt::Pass => over(worker, id),
        Attempt::Block(fd, direction) => {
            if call.is_first && set_deadline(worker, &call, fd, direction).is_err() {
                worker.frame_of(id).answer(error(Errno::ENOMEM));
                over(worker, id);
                return true;
            }
            worker.tasks[id].state = State::Parked;
            if call.is_first {
                begin_to_wait(worker, &call, fd, direction);
            } else {
                queue_up(worker, id, fd, direction, true);
            }
            return false;
        }
        Attempt::Again => {
            make_retry(worker, id);
            return false;
        }
        Attempt::Elsewhere(job) => {
            worker.tasks[id].state = State::Parked;
            pool::submit(worker, id, job);
            return false;
        }
    }
    if let Some((fd, direction)) = place {
        pass_on(worker, fd, direction);
        if !worker.descriptors.stand_ins.is_empty() {
            super::descriptors::close_stand_ins(worker);
        }
    }
    true
}

/// A call of the family is over, or leaves it: what its wait held is given up.
fn over(worker: &mut Worker, id: TaskId) {
    if worker.tasks[id].deadline != 0 {
        worker.timers.remove(id);
        worker.tasks[id].deadline = 0;
    }
    worker.tasks[id].wait = Wait::Nothing;
    events::restore_mask(worker, id);
}

/// Lets task `id`, which stands in a queue, try at once.
pub fn try_now(worker: &mut Worker, id: TaskId) {
    worker.descriptors.leave(&mut worker.tasks, id);
    make_retry(worker, id);
}

/// The running task has put `bytes` into `fd`: what waits at the other end, if it is ours, may try.
#[inline(always)]
fn wrote(worker: &mut Worker, fd: i32, bytes: isize) {
    if let Some(entry) = worker.descriptors.get(fd)
        && entry.peer != NO_PEER
    {
        let peer = entry.peer;
        if let Some(other) = worker.descriptors.get_mut(peer) {
            other.level = other.level.saturating_add(bytes.clamp(0, 1 << 30) as u32);
        }
        became_ready(worker, peer, Direction::Read.bit(), false);
    }
}

/// The running task has taken `got` bytes from the stream `fd`, of `asked`: notes whether there is anything left.
#[inline(always)]
fn took(worker: &mut Worker, fd: i32, asked: usize, got: isize) {
    const READ: u8 = Direction::Read as u8;
    let Some(entry) = worker.descriptors.get_mut(fd) else { return };
    if got <= 0 || entry.ended || entry.low_water > 1 {
        return;
    }
    let has_peer = entry.peer != NO_PEER;
    let mut has_room = false;
    if has_peer {
        entry.level = entry.level.saturating_sub(got as u32);
        // Half empty: the writers may go on, without the poller.
        has_room = entry.full != 0 && entry.level <= entry.full / 2;
    }
    if (got as usize) < asked {
        if entry.kind == Kind::Tcp && entry.watched & READ != 0 {
            entry.drained |= READ;
        } else {
            entry.assumed |= READ;
        }
    } else if has_peer && entry.level == 0 {
        entry.assumed |= READ;
    }
    if has_room {
        entry.full = 0;
        let peer = entry.peer;
        became_ready(worker, peer, Direction::Write.bit(), false);
    }
}

/// A task reads again from a pair.
#[inline(always)]
fn begins_to_read(worker: &mut Worker, call: &Call) {
    if let Some(entry) = worker.descriptors.get_mut(call.fd) {
        entry.was_served = false;
    }
}

/// Whether a blocking read of `fd` need not even be tried: it is drained, and the poller tells when that changes.
#[inline(always)]
fn is_drained(worker: &mut Worker, call: &Call) -> bool {
    const READ: u8 = Direction::Read as u8;
    call.is_first
        && worker.descriptors.get(call.fd).is_some_and(|entry| (entry.drained | entry.assumed) & READ != 0)
        && !kinds::is_nonblocking(worker, call.fd)
}

/// An attempt on `fd` was answered with EAGAIN. What the program's own call would do: return that, or wait.
#[inline]
fn would_block(worker: &mut Worker, call: &Call, direction: Direction) -> Attempt {
    let done = worker.tasks[call.id].expected as isize;
    if let Some(entry) = worker.descriptors.get_mut(call.fd) {
        if entry.watched & direction.bit() != 0 {
            entry.drained |= direction.bit();
            entry.assumed &= !direction.bit();
        }
        if direction == Direction::Read {
            entry.level = 0;
            // The kernel has just said that it is empty.
            entry.is_exact = entry.was_made_here && !entry.may_be_shared;
        } else if entry.peer != NO_PEER {
            let peer = entry.peer;
            if let Some(other) = worker.descriptors.get_mut(peer) {
                other.full = other.level;
            }
        }
    }
    if call.is_first && kinds::is_nonblocking(worker, call.fd) {
        return Attempt::Done(if done > 0 { done } else { EAGAIN });
    }
    Attempt::Block(call.fd, direction)
}

/// Whether `fd` is ready now, as poll(2) says; errors count as ready.
fn is_ready(fd: i32, direction: Direction) -> bool {
    let events = if direction == Direction::Read { POLLIN } else { POLLOUT } as i16;
    let mut file = pollfd { fd, events, revents: 0 };
    loop {
        // SAFETY: one pollfd, and no time to wait.
        let answer = unsafe { raw::call(Sysno::poll as u32, [&raw mut file as usize, 1, 0, 0, 0, 0]) };
        // A tick that comes just then makes poll(2) say EINTR, although it does not wait.
        if answer != error(Errno::EINTR) {
            return answer != 0;
        }
    }
}

/// The time of a task that waits here is over.
pub fn time_out(worker: &mut Worker, id: TaskId) {
    worker.tasks[id].deadline = 0;
    let number = Sysno::new(worker.frame_of(id).number() as usize);
    let done = worker.tasks[id].expected as isize;
    let result = match number {
        Some(Sysno::epoll_wait | Sysno::epoll_pwait | Sysno::epoll_pwait2) => 0,
        Some(Sysno::mq_timedsend | Sysno::mq_timedreceive) => error(Errno::ETIMEDOUT),
        Some(Sysno::connect) => error(Errno::EINPROGRESS),
        Some(Sysno::io_uring_enter) if done == 0 => error(Errno::ETIME),
        _ if done > 0 => done,
        _ => EAGAIN,
    };
    withdraw(worker, id);
    complete(worker, id, result);
}

/// Takes a task out of the queue it stands in. If it was about to try, the next in its queue does so in its place.
pub fn withdraw(worker: &mut Worker, id: TaskId) {
    let key = worker.tasks[id].key;
    if key == 0 {
        return;
    }
    if core::mem::take(&mut worker.tasks[id].retries) {
        let (fd, direction) = place_of(key);
        wake_first(worker, fd, direction);
    } else {
        worker.descriptors.leave(&mut worker.tasks, id);
    }
}

/// What a signal leaves of a call: the bytes done so far, or EINTR.
pub fn interrupted_result(worker: &mut Worker, id: TaskId) -> isize {
    let done = worker.tasks[id].expected as isize;
    let number = worker.frame_of(id).number();
    if done > 0 && number != Sysno::connect as u32 { done } else { error(Errno::EINTR) }
}

/// Ends the call of a task that stands in no queue of waiters, and makes it ready if it is not in the run queue
/// already.
pub fn complete(worker: &mut Worker, id: TaskId, result: isize) {
    worker.frame_of(id).answer(result);
    worker.tasks[id].retries = false;
    worker.tasks[id].wait = Wait::Nothing;
    events::restore_mask(worker, id);
    if worker.tasks[id].state == State::Parked {
        worker.make_ready(id);
    }
}

/// Gives task `id` the mask that a call of it asks for, until the call is over.
pub fn lend(worker: &mut Worker, id: TaskId, mask: u64) {
    let old = crate::kernel::signal::mask_of(worker, id);
    worker.tasks[id].extra().saved_mask = Some(old);
    set_mask(worker, id, mask);
}
