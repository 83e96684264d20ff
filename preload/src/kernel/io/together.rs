//! Receives made together. When the poller tells of many files at once, and tasks wait to read from them, what their
//! calls would take is taken with one system call for all (io_uring(7), IORING_OP_RECV with MSG_DONTWAIT, which
//! completes at once either way) and their calls are over before they go on. A request lives no longer than that call,
//! so nothing here holds a file, and whatever is not a plain receive that succeeds is left to its task's own attempt.
//!
//! The ring is made when the first batch is there. Where io_uring is forbidden, or the program forbids itself system
//! calls (seccomp(2)), every task makes its own.

use super::{message, over, readiness::pass_on, took};
use crate::arch::Frame;
use crate::kernel::descriptors::{close_private, make_private};
use crate::sched::descriptors::{Direction, NO_PEER, place_of};
use crate::sched::io_uring::{ENTRIES, Entry, Ring};
use crate::sched::task::{NONE, TaskId, Wait};
use crate::sched::worker::Worker;
use syscalls::{Errno, Sysno};

/// Fewer receives than this are cheaper one by one.
pub const FEWEST: usize = 4;

const COMPLETIONS: u32 = 2 * ENTRIES;
/// Of include/uapi/linux/io_uring.h.
const OP_RECV: u64 = 27;
/// More bytes than a request can ask for.
const MOST: usize = 1 << 30;

/// The ring that receives are made with.
pub struct Together {
    ring: Option<Ring>,
    is_refused: bool,
}

impl Together {
    pub const fn new() -> Together {
        Together { ring: None, is_refused: false }
    }

    /// The ring's descriptor, if there is one.
    pub fn descriptor(&self) -> Option<i32> {
        self.ring.as_ref().map(|ring| ring.descriptor)
    }

    /// The ring's descriptor is `fd` from now on.
    pub fn adopt(&mut self, fd: i32) {
        if let Some(ring) = &mut self.ring {
            ring.descriptor = fd;
        }
    }

    /// Gives the ring up. Its descriptor, to be closed.
    pub fn forget(&mut self) -> Option<i32> {
        let mut ring = self.ring.take()?;
        ring.unmap();
        Some(ring.descriptor)
    }
}

/// Tasks that have just been told to try, with the descriptor that each waited for.
pub struct Candidates {
    list: [(TaskId, i32); ENTRIES as usize],
    count: usize,
}

impl Candidates {
    pub fn new() -> Candidates {
        Candidates { list: [(NONE, -1); ENTRIES as usize], count: 0 }
    }

    #[inline(always)]
    pub fn add(&mut self, id: TaskId, fd: i32) {
        if let Some(place) = self.list.get_mut(self.count) {
            *place = (id, fd);
            self.count += 1;
        }
    }
}

/// Receives for those candidates that wait in a plain receive from a socket, if there are enough of them.
pub fn receive(worker: &mut Worker, candidates: &Candidates) {
    if candidates.count < FEWEST || worker.together.is_refused || !is_open(worker) {
        return;
    }
    let list = &candidates.list[..candidates.count];
    let mut added = 0;
    for (place, &(id, fd)) in list.iter().enumerate() {
        let Some((address, count)) = buffer(worker, id, fd) else { continue };
        let Some(ring) = &mut worker.together.ring else { return };
        let mut entry = Entry::default();
        entry[0] = OP_RECV | u64::from(fd as u32) << 32;
        entry[2] = address as u64;
        entry[3] = count as u64 | (message::MSG_DONTWAIT as u64) << 32;
        entry[4] = place as u64;
        // The ring has room for all.
        let _ = ring.add(entry);
        added += 1;
    }
    if added == 0 {
        return;
    }
    let is_submitted = worker.together.ring.as_mut().is_some_and(|ring| ring.submit().is_ok());
    while let Some(completion) = worker.together.ring.as_mut().and_then(Ring::next) {
        if let Some(&(id, fd)) = list.get(completion.tag as usize) {
            received(worker, id, fd, completion.result as isize);
        }
    }
    if !is_submitted {
        refuse(worker);
    }
}

/// No system calls of this kind any more.
#[cold]
pub fn refuse(worker: &mut Worker) {
    worker.together.is_refused = true;
    if let Some(fd) = worker.together.forget() {
        close_private(worker, fd);
    }
}

#[inline(always)]
fn is_open(worker: &mut Worker) -> bool {
    worker.together.ring.is_some() || open(worker)
}

#[cold]
fn open(worker: &mut Worker) -> bool {
    match Ring::open(COMPLETIONS) {
        Ok(mut ring) => {
            ring.descriptor = make_private(worker, ring.descriptor);
            worker.together.ring = Some(ring);
        }
        Err(_) => worker.together.is_refused = true,
    }
    !worker.together.is_refused
}

/// What `id`, which is about to try, would receive into, if its call is a plain receive.
#[inline(always)]
fn buffer(worker: &mut Worker, id: TaskId, fd: i32) -> Option<(usize, usize)> {
    let task = &worker.tasks[id];
    if !task.retries || task.wait != Wait::File || task.expected != 0 || place_of(task.key) != (fd, Direction::Read) {
        return None;
    }
    let entry = worker.descriptors.get(fd)?;
    if !entry.kind.is_socket() || !entry.kind.is_stream() || entry.peer != NO_PEER || message::has_mark(worker, fd) {
        return None;
    }
    let frame: &Frame = worker.frame_of(id);
    let [_, address, count, flags, from, _] = frame.arguments();
    let number = frame.number();
    let is_plain = number == Sysno::read as u32
        || number == Sysno::recvfrom as u32 && flags & !message::MSG_NOSIGNAL == 0 && from == 0;
    (is_plain && count > 0 && count < MOST).then_some((address, count))
}

/// The result of a receive that was made for task `id`.
fn received(worker: &mut Worker, id: TaskId, fd: i32, result: isize) {
    const TO_TRY_AGAIN: [Errno; 8] = [
        Errno::EAGAIN,
        Errno::EINTR,
        Errno::EFAULT,
        Errno::EINVAL,
        Errno::EBADF,
        Errno::EOPNOTSUPP,
        Errno::ENOMEM,
        Errno::ECANCELED,
    ];
    if TO_TRY_AGAIN.iter().any(|errno| result == -(errno.into_raw() as isize)) {
        return;
    }
    let frame = worker.frame_of(id);
    let asked = frame.rdx as usize;
    frame.answer(result);
    worker.tasks[id].retries = false;
    worker.stats.received_together += 1;
    over(worker, id);
    took(worker, fd, asked, result);
    pass_on(worker, fd, Direction::Read);
}
