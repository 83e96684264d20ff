//! read(2), write(2) and their vector and positioned forms. On sockets and pipes they are attempted with the flag that
//! each has for it (MSG_DONTWAIT, RWF_NOWAIT); on other files that poll(2) knows, poll is asked first. What a disk has
//! in its cache is read at once, and the rest by a kernel thread of the pool.

use super::disk::{read_disk, read_memory};
use super::parts::{MOST_BYTES, Part, Parts, bytes_of, count_all};
use super::{
    Attempt, Call, EAGAIN, begins_to_read, hand_over, is_drained, is_ready, kinds, message, took, would_block, wrote,
};
use crate::kernel::error;
use crate::kernel::pool::Job;
use crate::kernel::signal::{arrival, descriptor};
use crate::kernel::watched::{self, Answer, Waits};
use crate::raw;
use crate::sched::descriptors::{Direction, Kind, NO_PEER};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{RWF_NOWAIT, SIGPIPE};
use syscalls::{Errno, Sysno};

const MSG_DONTWAIT: usize = 0x40;
const MSG_NOSIGNAL: usize = 0x4000;
/// TASK_SIZE: no buffer ends above.
pub const END: usize = 0x7fff_ffff_f000;
/// "At the file's own position", for preadv2(2).
pub const OWN_POSITION: usize = usize::MAX;
pub const EOPNOTSUPP: isize = -95;
const EPIPE: isize = -32;
pub const EINVAL: isize = -22;
pub const EINTR: isize = -4;

/// Whether the call names a position in the file, which only files on disks (and some devices) have.
fn is_positioned(call: &Call) -> bool {
    match call.number {
        Sysno::pread64 | Sysno::pwrite64 | Sysno::preadv | Sysno::pwritev => true,
        Sysno::preadv2 | Sysno::pwritev2 => call.arguments[3] != OWN_POSITION,
        _ => false,
    }
}

pub fn is_plain(call: &Call) -> bool {
    matches!(call.number, Sysno::read | Sysno::write)
}

/// Whether the kernel answers the call at once, with an error or without anything to do.
fn is_for_kernel(call: &Call) -> bool {
    let [_, address, count, ..] = call.arguments;
    is_positioned(call)
        || count == 0
        || (is_plain(call) && address.checked_add(count).is_none_or(|end| end > END))
        || flags(call) & RWF_NOWAIT as usize != 0
}

/// The flags of preadv2(2) and pwritev2(2).
pub fn flags(call: &Call) -> usize {
    if matches!(call.number, Sysno::preadv2 | Sysno::pwritev2) { call.arguments[5] } else { 0 }
}

/// The call on parts, without waiting. `number` is preadv2 or pwritev2.
pub fn vector(fd: i32, number: Sysno, parts: (usize, usize), position: usize, flags: usize) -> isize {
    let arguments = [fd as usize, parts.0, parts.1, position, position >> 32, flags | RWF_NOWAIT as usize];
    // SAFETY: the program's own buffers, in its own parts or in a copy that lives across the call.
    unsafe { raw::call(number as u32, arguments) }
}

/// read(2) and its kin.
pub fn read(worker: &mut Worker, call: &Call) -> Attempt {
    let [_, address, count, ..] = call.arguments;
    let kind = kinds::of(worker, call.fd);
    match kind {
        Kind::Private => return Attempt::Done(error(Errno::EBADF)),
        Kind::Unknown | Kind::Direct => return Attempt::Pass,
        Kind::Memory => return read_memory(call),
        Kind::Disk | Kind::SynchronousDisk => return read_disk(worker, call),
        _ => {}
    }
    if is_for_kernel(call) {
        worker.descriptors.lose_count(call.fd);
        return Attempt::Pass;
    }
    if kind == Kind::Other {
        return ask_first(worker, call, Direction::Read);
    }
    if kind == Kind::Event && is_plain(call) {
        let given = descriptor::read(worker, call.id, call.fd, address, count);
        if given > 0 {
            return Attempt::Done(given as isize);
        }
    }
    begins_to_read(worker, call);
    if is_drained(worker, call) {
        return Attempt::Block(call.fd, Direction::Read);
    }
    let (answer, asked) = if !is_plain(call) {
        (vector(call.fd, Sysno::preadv2, (address, count), OWN_POSITION, flags(call)), bytes_of(address, count))
    } else if kind.is_socket() {
        if message::has_mark(worker, call.fd)
            && let Some(block) = message::below_mark(worker, call, count)
        {
            return block;
        }
        // SAFETY: the program's own buffer.
        let answer =
            unsafe { raw::call(Sysno::recvfrom as u32, [call.fd as usize, address, count, MSG_DONTWAIT, 0, 0]) };
        (answer, count)
    } else if worker.descriptors.get(call.fd).is_some_and(|entry| entry.peer != NO_PEER && entry.level > 0) {
        (sure(worker, Sysno::read, call.fd, address, count), count)
    } else {
        let part = Part { base: address, length: count };
        (vector(call.fd, Sysno::preadv2, (&raw const part as usize, 1), OWN_POSITION, 0), count)
    };
    match answer {
        EINTR => Attempt::Again,
        EAGAIN if kind == Kind::Datagram => message::block_or_end(worker, call, kind),
        EAGAIN => would_block(worker, call, Direction::Read),
        EOPNOTSUPP => becomes_other(worker, call, Direction::Read),
        _ => {
            if kind.is_stream() {
                took(worker, call.fd, asked, answer);
            }
            Attempt::Done(answer)
        }
    }
}

/// The kernel has no RWF_NOWAIT for this kind of file (pipes before Linux 6.4, inotify).
#[cold]
fn becomes_other(worker: &mut Worker, call: &Call, direction: Direction) -> Attempt {
    worker.descriptors.share(call.fd);
    if flags(call) != 0 {
        // It may be the program's own flags that are not supported.
        return Attempt::Pass;
    }
    if let Some(entry) = worker.descriptors.get_mut(call.fd) {
        entry.kind = Kind::Other;
    }
    ask_first(worker, call, direction)
}

/// Files without a call that does not wait: poll(2) is asked first.
#[inline(never)]
fn ask_first(worker: &mut Worker, call: &Call, direction: Direction) -> Attempt {
    if kinds::is_nonblocking(worker, call.fd) {
        return Attempt::Pass;
    }
    if !is_ready(call.fd, direction) {
        if direction == Direction::Read && call.is_first && kinds::reads_by_time(call.fd) {
            return Attempt::Elsewhere(Job::whole(call.number, call.arguments));
        }
        return would_block(worker, call, direction);
    }
    let mut arguments = call.arguments;
    arguments[0] = call.fd as usize;
    let done = worker.tasks[call.id].expected as usize;
    let is_plain_write = call.number == Sysno::write;
    if is_plain_write {
        arguments[1] += done;
        arguments[2] -= done;
    }
    // SAFETY: the program's own call.
    match unsafe { watched::call(worker, call.number, arguments, Waits::Unlikely) } {
        Answer::Interrupted => Attempt::Again,
        Answer::Waited => would_block(worker, call, direction),
        Answer::Returned(answer) if is_plain_write && answer > 0 && (answer as usize) < arguments[2] => {
            // A terminal takes what it has room for when it is interrupted.
            worker.tasks[call.id].expected += answer as u32;
            would_block(worker, call, direction)
        }
        Answer::Returned(answer) if answer >= 0 => Attempt::Done(answer + done as isize),
        Answer::Returned(_) if done > 0 => Attempt::Done(done as isize),
        Answer::Returned(answer) => {
            claim_broken_pipe(call, answer);
            Attempt::Done(answer)
        }
    }
}

/// write(2) and its kin. On a stream a blocking write goes on until all is written.
pub fn write(worker: &mut Worker, call: &Call) -> Attempt {
    let [_, address, mut count, ..] = call.arguments;
    let kind = kinds::of(worker, call.fd);
    match kind {
        Kind::Private => return Attempt::Done(error(Errno::EBADF)),
        Kind::Unknown | Kind::Direct | Kind::Memory | Kind::Disk => return Attempt::Pass,
        Kind::SynchronousDisk => return Attempt::Elsewhere(Job::whole(call.number, call.arguments)),
        _ => {}
    }
    if is_for_kernel(call) {
        worker.descriptors.lose_count(call.fd);
        return Attempt::Pass;
    }
    if matches!(kind, Kind::Event | Kind::Other) {
        return write_other(worker, call, address, count);
    }
    if is_plain(call) {
        count = count.min(MOST_BYTES);
        if kind.is_stream() {
            if hand_over::should_wait_for_reader(worker, call) {
                return Attempt::Again;
            }
            if worker.tasks[call.id].expected == 0 {
                let given = hand_over::give(worker, call.fd, address, count);
                if given == count {
                    return Attempt::Done(given as isize);
                }
                worker.tasks[call.id].expected = given as u32;
            }
        }
    }
    loop {
        let done = worker.tasks[call.id].expected as usize;
        let (answer, asked) = if is_plain(call) {
            (write_plain(worker, call, kind, address + done, count - done, done > 0), count - done)
        } else if done == 0 {
            (vector(call.fd, Sysno::pwritev2, (address, count), OWN_POSITION, flags(call)), bytes_of(address, count))
        } else {
            write_rest(call, done)
        };
        match answer {
            EAGAIN => return would_block(worker, call, Direction::Write),
            EINTR => return Attempt::Again,
            EOPNOTSUPP if done == 0 => return becomes_other(worker, call, Direction::Write),
            _ if answer <= 0 => {
                // A pipe's writer gets the signal even if the call succeeds in part.
                claim_broken_pipe(call, answer);
                return Attempt::Done(if done > 0 { done as isize } else { answer });
            }
            _ => {}
        }
        wrote(worker, call.fd, answer);
        let all = if asked == 0 && !is_plain(call) { count_all(address, count) } else { asked + done };
        let done = done + answer as usize;
        if done >= all || !kind.is_stream() || kinds::is_nonblocking(worker, call.fd) {
            return Attempt::Done(done as isize);
        }
        worker.tasks[call.id].expected = done as u32;
    }
}

/// A write to a file that is neither a stream nor on a disk. Few can be written (eventfd, terminals); the others say so
/// at once.
fn write_other(worker: &mut Worker, call: &Call, address: usize, count: usize) -> Attempt {
    if worker.descriptors.get(call.fd).is_some_and(|entry| !entry.takes_writes) {
        let part = Part { base: address, length: count };
        let parts = if is_plain(call) { (&raw const part as usize, 1) } else { (address, count) };
        match vector(call.fd, Sysno::pwritev2, parts, OWN_POSITION, flags(call)) {
            EOPNOTSUPP => {}
            EAGAIN => return would_block(worker, call, Direction::Write),
            answer => return Attempt::Done(answer),
        }
        if let Some(entry) = worker.descriptors.get_mut(call.fd) {
            entry.takes_writes = true;
        }
    }
    ask_first(worker, call, Direction::Write)
}

/// One attempt at a plain write.
#[inline(always)]
fn write_plain(worker: &mut Worker, call: &Call, kind: Kind, address: usize, count: usize, is_rest: bool) -> isize {
    if kind.is_socket() {
        let quiet = if is_rest { MSG_NOSIGNAL } else { 0 };
        // SAFETY: the program's own buffer.
        return unsafe {
            raw::call(Sysno::sendto as u32, [call.fd as usize, address, count, MSG_DONTWAIT | quiet, 0, 0])
        };
    }
    if has_room(worker, call.fd, count) {
        return sure(worker, Sysno::write, call.fd, address, count);
    }
    let part = Part { base: address, length: count };
    vector(call.fd, Sysno::pwritev2, (&raw const part as usize, 1), OWN_POSITION, 0)
}

/// Whether the pipe that `fd` writes to has room for `count` bytes, as far as was seen of both its ends: half of the
/// smallest size that it has unless the program changed it.
#[inline(always)]
fn has_room(worker: &Worker, fd: i32, count: usize) -> bool {
    const HALF: usize = 32 << 10;
    let Some(entry) = worker.descriptors.get(fd) else { return false };
    entry.peer != NO_PEER
        && worker.descriptors.get(entry.peer).is_some_and(|other| other.level as usize + count <= HALF)
}

/// A plain read or write of a pipe that will not wait, as far as was seen of both its ends: half the price of one with
/// flags. A watchdog's tick ends it if it does wait all the same; then EAGAIN, and what was seen is forgotten.
#[inline(always)]
fn sure(worker: &mut Worker, number: Sysno, fd: i32, address: usize, count: usize) -> isize {
    // SAFETY: the program's own buffer.
    match unsafe { watched::call(worker, number, [fd as usize, address, count, 0, 0, 0], Waits::Unlikely) } {
        Answer::Returned(answer) => answer,
        Answer::Interrupted => EINTR,
        Answer::Waited => {
            worker.descriptors.unpair(fd);
            EAGAIN
        }
    }
}

/// An attempt at a write of parts of which some bytes are done; its result, and the bytes that it was about.
#[inline(never)]
fn write_rest(call: &Call, done: usize) -> (isize, usize) {
    let [_, address, count, ..] = call.arguments;
    match Parts::read(address, count, done) {
        Ok(parts) => (vector(call.fd, Sysno::pwritev2, parts.rest(), OWN_POSITION, flags(call)), parts.bytes()),
        Err(_) => (0, 0),
    }
}

/// After a write failed with EPIPE: the SIGPIPE that the kernel sent belongs to the task whose write it was.
pub fn claim_broken_pipe(call: &Call, answer: isize) {
    if answer == EPIPE {
        arrival::claim(SIGPIPE, call.id);
    }
}
