//! recv(2), send(2) and their kin: attempted with MSG_DONTWAIT. A receive with MSG_WAITALL and a send on a stream go on
//! until all bytes are through.

use super::parts::{MOST_BYTES, Part, Parts, bytes_of};
use super::transfer::claim_broken_pipe;
use super::{Attempt, Call, EAGAIN, begins_to_read, hand_over, is_drained, is_ready, kinds, took, would_block, wrote};
use crate::arch::x86_64::user_memory as user;
use crate::kernel::pool::Job;
use crate::raw;
use crate::sched::descriptors::{Direction, Kind};
use crate::sched::worker::Worker;
use core::mem::offset_of;
use syscalls::{Errno, Sysno};

const MSG_PEEK: usize = 0x2;
pub const MSG_DONTWAIT: usize = 0x40;
const MSG_WAITALL: usize = 0x100;
pub const MSG_ERRQUEUE: usize = 0x2000;
pub const MSG_NOSIGNAL: usize = 0x4000;

/// struct msghdr.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Header {
    name: usize,
    name_length: u32,
    padding: u32,
    parts: usize,
    part_count: usize,
    control: usize,
    control_length: usize,
    flags: u32,
    padding_at_end: u32,
}

impl Header {
    const BLANK: Header = Header {
        name: 0,
        name_length: 0,
        padding: 0,
        parts: 0,
        part_count: 0,
        control: 0,
        control_length: 0,
        flags: 0,
        padding_at_end: 0,
    };
}

/// A copy of the message at `address` without its first `done` bytes; what has been passed with those is not passed
/// again.
fn rest_of(address: usize, done: usize) -> Result<(Header, Parts), Errno> {
    // SAFETY: struct msghdr is plain integers.
    let mut header = unsafe { user::read::<Header>(address) }?;
    let parts = Parts::read(header.parts, header.part_count, done)?;
    header.control = 0;
    header.control_length = 0;
    header.name = 0;
    header.name_length = 0;
    Ok((header, parts))
}

/// The bytes that the message at `address` has room for, or holds.
fn size_of_message(address: usize) -> usize {
    // SAFETY: struct msghdr is plain integers.
    let Ok(header) = (unsafe { user::read::<Header>(address) }) else { return 0 };
    bytes_of(header.parts, header.part_count)
}

#[inline(never)]
pub fn all_bytes(address: usize) -> usize {
    // SAFETY: as above.
    let Ok(header) = (unsafe { user::read::<Header>(address) }) else { return 0 };
    Parts::read(header.parts, header.part_count, 0).map_or(0, |parts| parts.bytes())
}

fn flags_of(call: &Call) -> usize {
    match call.number {
        Sysno::recvfrom | Sysno::sendto | Sysno::recvmmsg | Sysno::sendmmsg => call.arguments[3],
        _ => call.arguments[2],
    }
}

/// One attempt from byte `done` on; its result, and the bytes it was about if that is known (or else 0).
pub fn once(call: &Call, done: usize, more_flags: usize) -> (isize, usize) {
    let [_, address, length, ..] = call.arguments;
    let length = length.min(MOST_BYTES);
    let flags = flags_of(call) | MSG_DONTWAIT | more_flags;
    let mut arguments = call.arguments;
    arguments[0] = call.fd as usize;
    if matches!(call.number, Sysno::recvfrom | Sysno::sendto) {
        arguments[1] = address + done;
        arguments[2] = length - done;
        arguments[3] = flags;
        // SAFETY: the program's own buffers.
        return (unsafe { raw::call(call.number as u32, arguments) }, length - done);
    }
    arguments[2] = flags;
    if done == 0 {
        // SAFETY: as above.
        return (unsafe { raw::call(call.number as u32, arguments) }, size_of_message(address));
    }
    once_more(call.number, arguments, done)
}

/// The same for the rest of a message of which some bytes are done.
#[inline(never)]
fn once_more(number: Sysno, mut arguments: [usize; 6], done: usize) -> (isize, usize) {
    let Ok((mut header, parts)) = rest_of(arguments[1], done) else { return (0, 0) };
    (header.parts, header.part_count) = parts.rest();
    arguments[1] = &raw const header as usize;
    // SAFETY: the program's own buffers, through a copy of its message that lives across the call.
    (unsafe { raw::call(number as u32, arguments) }, parts.bytes())
}

/// recvfrom(2) and recvmsg(2).
#[inline(never)]
pub fn receive(worker: &mut Worker, call: &Call) -> Attempt {
    let flags = flags_of(call);
    let kind = kinds::of(worker, call.fd);
    if flags & (MSG_DONTWAIT | MSG_ERRQUEUE) != 0 || !kind.is_socket() {
        worker.descriptors.lose_count(call.fd);
        return Attempt::Pass;
    }
    let is_plain = flags & MSG_PEEK == 0;
    begins_to_read(worker, call);
    if has_mark(worker, call.fd) && is_plain && flags & MSG_WAITALL == 0 {
        let room = if call.number == Sysno::recvfrom { call.arguments[2] } else { all_bytes(call.arguments[1]) };
        if let Some(block) = below_mark(worker, call, room) {
            return block;
        }
    }
    if is_plain && kind != Kind::Datagram && is_drained(worker, call) {
        return Attempt::Block(call.fd, Direction::Read);
    }
    // Only TCP waits until all of it is there to be looked at.
    if flags & MSG_WAITALL != 0 && kind == Kind::Stream && is_plain {
        return receive_all(worker, call);
    }
    let wants_all = flags & MSG_WAITALL != 0 && (kind == Kind::Tcp || kind.is_stream() && is_plain);
    loop {
        let done = if is_plain { worker.tasks[call.id].expected as usize } else { 0 };
        let (answer, asked) = once(call, done, 0);
        if answer == EAGAIN {
            return block_or_end(worker, call, kind);
        }
        if answer <= 0 {
            return Attempt::Done(if done > 0 { done as isize } else { answer });
        }
        if is_plain && kind.is_stream() {
            if asked != 0 {
                took(worker, call.fd, asked, answer);
            } else {
                worker.descriptors.lose_count(call.fd);
            }
        }
        let total = done + answer as usize;
        let all = match call.number {
            _ if !wants_all => 0,
            Sysno::recvfrom => call.arguments[2].min(MOST_BYTES),
            _ => all_bytes(call.arguments[1]),
        };
        if total >= all || kinds::is_nonblocking(worker, call.fd) {
            return Attempt::Done(total as isize);
        }
        if !is_plain {
            // Wait for more, unless no more will come.
            let ended = worker.descriptors.get(call.fd).is_some_and(|entry| entry.ended);
            if ended || kinds::has_hung_up(call.fd) {
                return Attempt::Done(total as isize);
            }
            return would_block(worker, call, Direction::Read);
        }
        worker.tasks[call.id].expected = total as u32;
    }
}

/// A receive from a socket with a low-water mark (SO_RCVLOWAT), which waits until that many bytes are there, or as many
/// as it has room for: what it waits for, None if they are. The poller tells of the mark only; with less room a thread
/// of the pool waits.
#[inline(never)]
pub fn below_mark(worker: &mut Worker, call: &Call, room: usize) -> Option<Attempt> {
    const FIONREAD: usize = 0x541b;
    let mark = worker.descriptors.get(call.fd).map_or(0, |entry| entry.low_water as usize);
    // poll(2) heeds the mark of a TCP socket only.
    let is_over = if kinds::of(worker, call.fd) == Kind::Tcp {
        is_ready(call.fd, Direction::Read)
    } else {
        kinds::has_hung_up(call.fd)
    };
    if is_over || kinds::is_nonblocking(worker, call.fd) {
        return None;
    }
    let mut there = 0i32;
    // SAFETY: the kernel writes one int.
    unsafe { raw::call(Sysno::ioctl as u32, [call.fd as usize, FIONREAD, &raw mut there as usize, 0, 0, 0]) };
    if there as usize >= mark.min(room) {
        None
    } else if room >= mark {
        Some(Attempt::Block(call.fd, Direction::Read))
    } else {
        Some(Attempt::Elsewhere(Job::whole(call.number, call.arguments)))
    }
}

/// Whether the program has set a low-water mark that matters.
#[inline(always)]
pub fn has_mark(worker: &Worker, fd: i32) -> bool {
    worker.descriptors.get(fd).is_some_and(|entry| entry.low_water > 1)
}

/// A receive with MSG_WAITALL on a Unix socket, which ends where descriptors or credentials were passed: only a
/// message's header tells of them.
#[inline(never)]
fn receive_all(worker: &mut Worker, call: &Call) -> Attempt {
    const MSG_CTRUNC: u32 = 8;
    loop {
        let done = worker.tasks[call.id].expected as usize;
        let [_, address, length, flags, name, _] = call.arguments;
        let is_message = call.number == Sysno::recvmsg;
        let mut part = Part::default();
        let mut copy = Header::BLANK;
        let parts;
        if is_message {
            // SAFETY: struct msghdr is plain integers.
            match unsafe { user::read::<Header>(address) } {
                Ok(header) => copy = header,
                Err(errno) => return Err(errno).into(),
            }
            parts = match Parts::read(copy.parts, copy.part_count, done) {
                Ok(parts) => parts,
                // Too many of them, most probably: the kernel says what is wrong.
                Err(_) => return Attempt::Pass,
            };
            (copy.parts, copy.part_count) = parts.rest();
            if done > 0 {
                (copy.control, copy.control_length) = (0, 0);
            }
        } else if name != 0 {
            return Attempt::Pass;
        } else {
            part = Part { base: address + done, length: length.min(MOST_BYTES) - done };
            copy.parts = &raw const part as usize;
            copy.part_count = 1;
        }
        let flags = if is_message { length } else { flags };
        let asked = if is_message { all_bytes(&raw const copy as usize) } else { part.length };
        let arguments = [call.fd as usize, &raw mut copy as usize, flags | MSG_DONTWAIT, 0, 0, 0];
        // SAFETY: the program's own buffers, through a header that lives across the call.
        let answer = unsafe { raw::call(Sysno::recvmsg as u32, arguments) };
        if answer == EAGAIN {
            return would_block(worker, call, Direction::Read);
        }
        if answer <= 0 {
            return Attempt::Done(if done > 0 { done as isize } else { answer });
        }
        if is_message && done == 0 {
            // What the kernel says of the message goes back to the program: lengths and flags.
            let told = (|| {
                user::write(address + offset_of!(Header, name_length), &copy.name_length)?;
                user::write(address + offset_of!(Header, control_length), &copy.control_length)?;
                user::write(address + offset_of!(Header, flags), &copy.flags)
            })();
            if let Err(errno) = told {
                return Err(errno).into();
            }
        }
        took(worker, call.fd, asked, answer);
        let total = done + answer as usize;
        let brings_more = copy.flags & MSG_CTRUNC != 0 || copy.control_length != 0;
        if answer as usize >= asked || brings_more || kinds::is_nonblocking(worker, call.fd) {
            return Attempt::Done(total as isize);
        }
        worker.tasks[call.id].expected = total as u32;
    }
}

/// A message with control data may carry descriptors to another process: all private pairs are taken to be known there.
pub fn pass_on_descriptors(worker: &mut Worker, address: usize) {
    // SAFETY: struct msghdr is plain integers.
    if unsafe { user::read::<Header>(address) }.is_ok_and(|header| header.control_length != 0) {
        worker.descriptors.share_all();
    }
}

/// Nothing is there. A datagram socket that was shut down for reading says so only to a call that waits: it ends.
pub fn block_or_end(worker: &mut Worker, call: &Call, kind: Kind) -> Attempt {
    let ended = worker.descriptors.get(call.fd).is_some_and(|entry| entry.ended);
    let block = would_block(worker, call, Direction::Read);
    match block {
        Attempt::Block(fd, _) if kind == Kind::Datagram && ended && kinds::has_hung_up(fd) => Attempt::Done(0),
        _ => block,
    }
}

/// sendto(2) and sendmsg(2).
#[inline(never)]
pub fn send(worker: &mut Worker, call: &Call) -> Attempt {
    let flags = flags_of(call);
    let kind = kinds::of(worker, call.fd);
    if call.number == Sysno::sendmsg && kind == Kind::Stream {
        // It may pass descriptors on.
        worker.descriptors.lose_count(call.fd);
        pass_on_descriptors(worker, call.arguments[1]);
    }
    if flags & MSG_DONTWAIT != 0 || !kind.is_socket() {
        if kind == Kind::Stream {
            worker.descriptors.lose_count(call.fd);
        }
        return Attempt::Pass;
    }
    if call.number == Sysno::sendto && kind == Kind::Stream && flags & !MSG_NOSIGNAL == 0 && call.arguments[4] == 0 {
        if hand_over::should_wait_for_reader(worker, call) {
            return Attempt::Again;
        }
        let count = call.arguments[2].min(MOST_BYTES);
        if worker.tasks[call.id].expected == 0 {
            let given = hand_over::give(worker, call.fd, call.arguments[1], count);
            if given == count && count > 0 {
                return Attempt::Done(given as isize);
            }
            worker.tasks[call.id].expected = given as u32;
        }
    }
    loop {
        let done = worker.tasks[call.id].expected as usize;
        let (answer, asked) = once(call, done, if done > 0 { MSG_NOSIGNAL } else { 0 });
        if answer == EAGAIN {
            return would_block(worker, call, Direction::Write);
        }
        if answer <= 0 {
            if done > 0 {
                return Attempt::Done(done as isize);
            }
            claim_broken_pipe(call, answer);
            return Attempt::Done(answer);
        }
        wrote(worker, call.fd, answer);
        let asked = if asked == 0 { all_bytes(call.arguments[1]) - done } else { asked };
        let total = done + answer as usize;
        if answer as usize >= asked || !kind.is_stream() || kinds::is_nonblocking(worker, call.fd) {
            return Attempt::Done(total as isize);
        }
        worker.tasks[call.id].expected = total as u32;
    }
}

const _: () = assert!(size_of::<Header>() == 56 && size_of::<Part>() == 16);
