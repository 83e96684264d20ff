//! accept(2), accept4(2), connect(2), and open(2) of a FIFO. None of them can be asked not to wait without changing the
//! file's flags: they are watched (`kernel::watched`). A TCP connection that is being made goes on by itself, and the
//! poller tells when it is there.

use super::{Attempt, Call, is_ready, kinds, would_block};
use crate::arch::x86_64::user_memory as user;
use crate::kernel::pool::Job;
use crate::kernel::watched::{self, Answer, Waits};
use crate::sched::descriptors::{Direction, Kind};
use crate::sched::worker::Worker;
use syscalls::Sysno;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const SOCK_NONBLOCK: usize = 0o4000;

/// accept(2) and accept4(2).
#[inline(never)]
pub fn accept(worker: &mut Worker, call: &Call) -> Attempt {
    const READ: u8 = Direction::Read as u8;
    let kind = kinds::of(worker, call.fd);
    if !kind.is_socket() || kinds::is_nonblocking(worker, call.fd) || !is_valid(worker, call) {
        return Attempt::Pass;
    }
    let is_drained = worker.descriptors.get(call.fd).is_some_and(|entry| entry.drained & READ != 0);
    if (call.is_first && is_drained) || !is_ready(call.fd, Direction::Read) {
        return would_block(worker, call, Direction::Read);
    }
    let mut arguments = call.arguments;
    arguments[0] = call.fd as usize;
    // SAFETY: the program's own call.
    match unsafe { watched::call(worker, call.number, arguments, Waits::Unlikely) } {
        Answer::Interrupted => Attempt::Again,
        Answer::Waited => would_block(worker, call, Direction::Read),
        Answer::Returned(answer) => {
            if answer >= 0 {
                note_accepted(worker, call, answer as i32, kind);
            }
            Attempt::Done(answer)
        }
    }
}

/// Whether the call can come to wait: the kernel refuses others at once.
fn is_valid(worker: &mut Worker, call: &Call) -> bool {
    const KNOWN_FLAGS: usize = SOCK_NONBLOCK | 0o2000000;
    if call.number == Sysno::accept4 && call.arguments[3] as u32 as usize & !KNOWN_FLAGS != 0 {
        return false;
    }
    let Some(entry) = worker.descriptors.get_mut(call.fd) else { return false };
    entry.listens = entry.listens || kinds::listens(call.fd);
    entry.listens
}

/// An accepted socket is of its listener's kind.
fn note_accepted(worker: &mut Worker, call: &Call, fd: i32, kind: Kind) {
    let epoch = worker.descriptors.flags_epoch;
    worker.descriptors.forget(fd);
    if let Some(entry) = worker.descriptors.entry(fd) {
        entry.kind = kind;
        entry.flags_epoch = epoch;
        entry.is_nonblocking = call.number == Sysno::accept4 && call.arguments[3] & SOCK_NONBLOCK != 0;
    }
}

/// connect(2).
#[inline(never)]
pub fn connect(worker: &mut Worker, call: &Call) -> Attempt {
    let kind = kinds::of(worker, call.fd);
    if !kind.is_socket() || (call.is_first && kinds::is_nonblocking(worker, call.fd)) {
        return Attempt::Pass;
    }
    let [_, address, length, ..] = call.arguments;
    let waits = if kind == Kind::Tcp && !is_near(address, length) { Waits::Likely } else { Waits::Unlikely };
    let arguments = [call.fd as usize, address, length, 0, 0, 0];
    // SAFETY: the program's own call.
    match unsafe { watched::call(worker, Sysno::connect, arguments, waits) } {
        Answer::Interrupted => Attempt::Again,
        Answer::Waited if kind == Kind::Tcp => would_block(worker, call, Direction::Write),
        // A Unix socket's listener has no room: nothing tells when it has.
        Answer::Waited => Attempt::Elsewhere(Job::whole(Sysno::connect, arguments)),
        Answer::Returned(answer) => Attempt::Done(answer),
    }
}

/// Whether the address is this machine's own, so that the connection is there, or refused, at once.
fn is_near(address: usize, length: usize) -> bool {
    // SAFETY: socket addresses are plain integers.
    match unsafe { user::read::<u16>(address) } {
        // SAFETY: as above.
        Ok(AF_INET) if length >= 8 => unsafe { user::read::<[u8; 8]>(address) }.is_ok_and(|bytes| bytes[4] == 127),
        Ok(AF_INET6) if length >= 24 => {
            // SAFETY: as above.
            unsafe { user::read::<[u8; 24]>(address) }
                .is_ok_and(|bytes| bytes[8..23].iter().all(|&byte| byte == 0) && bytes[23] == 1)
        }
        _ => false,
    }
}

/// open(2), openat(2), openat2(2) and creat(2), which wait for the other side if the file is a FIFO.
#[inline(never)]
pub fn open(worker: &mut Worker, call: &Call) -> Attempt {
    // SAFETY: the program's own call.
    match unsafe { watched::call(worker, call.number, call.arguments, Waits::Unlikely) } {
        Answer::Interrupted => Attempt::Again,
        Answer::Waited => Attempt::Elsewhere(Job::whole(call.number, call.arguments)),
        Answer::Returned(answer) => Attempt::Done(answer),
    }
}
