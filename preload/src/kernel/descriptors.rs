//! Calls that make, copy, close or change descriptors, as far as grivet has to know of them: what was learned of a
//! number is forgotten when the program closes it, and a file that tasks wait for stays open until they are done, as
//! natively a file does that a thread is in a call on. Grivet's own descriptors are kept out of the program's reach.

use super::{Outcome, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::raw;
use crate::sched::descriptors::watches::NO_WATCH;
use crate::sched::descriptors::{Direction, Kind, NO_PEER, place_of};
use crate::sched::task::{NONE, TaskId};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{F_DUPFD_CLOEXEC, F_GETFD};
use syscalls::{Errno, Sysno};

/// Where grivet's own descriptors are put, if the limit (RLIMIT_NOFILE) allows: out of the way of the program's.
const OUT_OF_THE_WAY: [usize; 4] = [1000, 200, 50, 3];

const F_DUPFD: usize = 0;
const F_DUPFD_CLOSE_ON_EXEC: usize = F_DUPFD_CLOEXEC as usize;
const F_SETFL: usize = 4;
const O_DIRECT: usize = 0o40000;
const CLOSE_RANGE_CLOEXEC: u32 = 4;
const FIONBIO: usize = 0x5421;
const SOL_SOCKET: i32 = 1;
const SOL_TCP: i32 = 6;
const TCP_ULP: i32 = 31;
/// SO_RCVTIMEO and SO_SNDTIMEO, old and new.
const TIMEOUTS: [i32; 4] = [20, 21, 66, 67];
const SO_RCVLOWAT: i32 = 18;
const SOCK_NONBLOCK: usize = 0o4000;
const SOCK_STREAM: usize = 1;
const SOCK_KIND: usize = 0xf;

fn duplicate(fd: i32) -> Option<i32> {
    OUT_OF_THE_WAY.into_iter().find_map(|lowest| {
        // SAFETY: takes plain numbers.
        let copy = unsafe { raw::call(Sysno::fcntl as u32, [fd as usize, F_DUPFD_CLOEXEC as usize, lowest, 0, 0, 0]) };
        i32::try_from(copy).ok().filter(|&copy| copy >= 0)
    })
}

fn close_now(fd: i32) -> isize {
    // SAFETY: the descriptor is grivet's, or the program asks for it.
    unsafe { raw::call(Sysno::close as u32, [fd as usize, 0, 0, 0, 0, 0]) }
}

/// Makes `fd` one of grivet's own, under a number out of the program's way.
pub fn make_private(worker: &mut Worker, fd: i32) -> i32 {
    let own = duplicate(fd).unwrap_or(fd);
    if own != fd {
        close_now(fd);
    }
    worker.descriptors.forget(own);
    if let Some(entry) = worker.descriptors.entry(own) {
        entry.kind = Kind::Private;
    }
    own
}

/// Gives up one of grivet's own.
pub fn close_private(worker: &mut Worker, fd: i32) {
    if let Some(&entry) = worker.descriptors.get(fd) {
        worker.poller.forget(fd, entry.generation, entry.watched);
    }
    worker.descriptors.forget(fd);
    close_now(fd);
}

/// The program is about to close `fd`: nothing is known of the number any more.
fn leave(worker: &mut Worker, fd: i32) {
    worker.signal_files.forget(fd);
    worker.program_rings.forget(fd);
    let Some(entry) = worker.descriptors.get(fd) else { return };
    if entry.peer != NO_PEER {
        // Whoever waits at the other end may be told of the end, once it is closed.
        let peer = entry.peer;
        super::io::became_ready(worker, peer, Direction::Read.bit() | Direction::Write.bit(), false);
    }
    let Some(entry) = worker.descriptors.get(fd) else { return };
    if entry.has_waiters() {
        move_waiters(worker, fd);
    }
    if let Some(&entry) = worker.descriptors.get(fd)
        && !entry.has_waiters()
    {
        worker.poller.forget(fd, entry.generation, entry.watched);
        worker.descriptors.forget(fd);
    }
}

/// Tasks wait for `fd`: they go on waiting for its file under another number.
fn move_waiters(worker: &mut Worker, fd: i32) {
    if worker.descriptors.stand_ins.try_reserve(1).is_err() {
        return;
    }
    let Some(stand_in) = duplicate(fd) else { return };
    worker.descriptors.forget(stand_in);
    let Some(&known) = worker.descriptors.get(fd) else { return };
    let Some(entry) = worker.descriptors.entry(stand_in) else { return };
    entry.kind = known.kind;
    entry.ended = known.ended;
    worker.descriptors.stand_ins.push(stand_in);
    for direction in [Direction::Read, Direction::Write] {
        while let Some(id) = first(worker, fd, direction) {
            worker.descriptors.leave(&mut worker.tasks, id);
            worker.descriptors.enter(&mut worker.tasks, id, stand_in, direction, false);
        }
    }
    // Those in poll(2) are woken by the file, and then look the number up anew, as natively.
    if let Some(old) = worker.descriptors.get_mut(fd) {
        let first = core::mem::replace(&mut old.watches, NO_WATCH);
        worker.descriptors.watches.move_all(first, stand_in);
        if let Some(entry) = worker.descriptors.get_mut(stand_in) {
            entry.watches = first;
        }
    }
    worker.descriptors.make_due(stand_in);
}

fn first(worker: &Worker, fd: i32, direction: Direction) -> Option<TaskId> {
    worker.descriptors.get(fd).map(|entry| entry.first(direction)).filter(|&id| id != NONE)
}

/// Closes the numbers that stood in for closed ones and that nobody waits for any more.
pub fn close_stand_ins(worker: &mut Worker) {
    let mut place = 0;
    while let Some(&fd) = worker.descriptors.stand_ins.get(place) {
        let is_used = worker.descriptors.get(fd).is_some_and(|entry| entry.has_waiters());
        let is_tried = worker
            .tasks
            .iter()
            .any(|id| worker.tasks[id].retries && worker.tasks[id].key != 0 && place_of(worker.tasks[id].key).0 == fd);
        if is_used || is_tried {
            place += 1;
        } else {
            worker.descriptors.stand_ins.swap_remove(place);
            close_private(worker, fd);
        }
    }
}

/// close(2).
#[inline]
pub fn close(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let fd = call.rdi as i32;
    if worker.descriptors.is_private(fd) || worker.descriptors.stand_ins.contains(&fd) {
        return Outcome::Done(error(Errno::EBADF));
    }
    leave(worker, fd);
    super::proc_files::close(worker, fd);
    Outcome::Pass
}

/// dup2(2) and dup3(2).
pub fn duplicate_to(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let (old, new) = (call.rdi as i32, call.rsi as i32);
    // SAFETY: takes plain numbers.
    let is_open = unsafe { raw::call(Sysno::fcntl as u32, [old as usize, F_GETFD as usize, 0, 0, 0, 0]) } >= 0;
    if old == new || !is_open || worker.descriptors.is_private(old) {
        return if worker.descriptors.is_private(old) { Outcome::Done(error(Errno::EBADF)) } else { Outcome::Pass };
    }
    worker.descriptors.share(old);
    give_way(worker, new);
    leave(worker, new);
    super::proc_files::close(worker, new);
    Outcome::Pass
}

/// One of grivet's own has a number that the program wants.
fn give_way(worker: &mut Worker, fd: i32) {
    if let Some(place) = worker.descriptors.stand_ins.iter().position(|&stand_in| stand_in == fd) {
        worker.descriptors.stand_ins.swap_remove(place);
        return;
    }
    if !worker.descriptors.is_private(fd) {
        return;
    }
    let Some(other) = duplicate(fd) else { return };
    worker.descriptors.forget(fd);
    worker.descriptors.forget(other);
    if let Some(entry) = worker.descriptors.entry(other) {
        entry.kind = Kind::Private;
    }
    if worker.poller.descriptor() == Some(fd) {
        worker.poller.adopt(other);
    } else if worker.together.descriptor() == Some(fd) {
        worker.together.adopt(other);
    } else {
        super::pool::moved(worker, other);
    }
}

/// close_range(2): grivet's own are left out.
pub fn close_range(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let (first, last, flags) = (call.rdi as u32, call.rsi as u32, call.rdx as u32);
    if first > last || flags & CLOSE_RANGE_CLOEXEC != 0 {
        return Outcome::Pass;
    }
    let end = (worker.descriptors.end() as u32).min(last.saturating_add(1));
    let mut from = first;
    let mut answer = 0;
    let mut close = |from: u32, to: u32| {
        if from <= to && answer == 0 {
            // SAFETY: the program's own call, on a part of its range.
            answer =
                unsafe { raw::call(Sysno::close_range as u32, [from as usize, to as usize, flags as usize, 0, 0, 0]) };
        }
    };
    for fd in first..end {
        let fd_number = fd as i32;
        if worker.descriptors.is_private(fd_number) || worker.descriptors.stand_ins.contains(&fd_number) {
            if fd > from {
                close(from, fd - 1);
            }
            from = fd + 1;
        } else {
            leave(worker, fd_number);
            super::proc_files::close(worker, fd_number);
        }
    }
    close(from, last);
    Outcome::Done(answer)
}

/// pipe(2), pipe2(2), socketpair(2): both ends are this process's own, for now.
pub fn make_pair(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    // SAFETY: the program's own call.
    let answer = unsafe { raw::call(number as u32, call.arguments()) };
    if answer != 0 {
        return Outcome::Done(answer);
    }
    let (address, flags) = match number {
        Sysno::pipe => (call.rdi, 0),
        Sysno::pipe2 => (call.rdi, call.rsi),
        _ => (call.r10, call.rsi),
    };
    // SAFETY: two plain integers.
    let Ok(ends) = (unsafe { user::read::<[i32; 2]>(address as usize) }) else { return Outcome::Done(answer) };
    let kind = match number {
        Sysno::socketpair if flags as usize & SOCK_KIND == SOCK_STREAM => Kind::Stream,
        Sysno::socketpair => Kind::Datagram,
        _ => Kind::Pipe,
    };
    let epoch = worker.descriptors.flags_epoch;
    for fd in ends {
        worker.descriptors.forget(fd);
        if let Some(entry) = worker.descriptors.entry(fd) {
            entry.kind = kind;
            entry.flags_epoch = epoch;
            entry.is_nonblocking = flags as usize & SOCK_NONBLOCK != 0;
        }
    }
    worker.descriptors.pair(ends[0], ends[1]);
    // Packets (O_DIRECT) are not for handing over.
    let is_plain = kind != Kind::Datagram && flags as usize & O_DIRECT == 0;
    for fd in ends {
        if let Some(entry) = worker.descriptors.entry(fd) {
            entry.is_exact = is_plain;
            entry.was_made_here = is_plain;
        }
    }
    Outcome::Done(answer)
}

/// dup(2): a second number for the same file.
pub fn duplicate_any(worker: &mut Worker, call: &mut Frame) -> Outcome {
    worker.descriptors.share(call.rdi as i32);
    Outcome::Pass
}

/// shutdown(2): what is written from now on, if anything, is for the kernel to judge.
pub fn shutdown(worker: &mut Worker, call: &mut Frame) -> Outcome {
    worker.descriptors.share(call.rdi as i32);
    Outcome::Pass
}

/// fcntl(2), as far as it changes what is known of files.
#[inline]
pub fn fcntl(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let command = call.rsi as usize;
    if command == F_SETFL && call.rdx as usize & O_DIRECT != 0 || matches!(command, F_DUPFD | F_DUPFD_CLOSE_ON_EXEC) {
        worker.descriptors.share(call.rdi as i32);
    }
    if command == F_SETFL {
        worker.descriptors.flags_epoch = worker.descriptors.flags_epoch.wrapping_add(1);
    }
    if worker.descriptors.is_private(call.rdi as i32) {
        return Outcome::Done(error(Errno::EBADF));
    }
    super::elsewhere::lock_record(worker, call)
}

/// ioctl(2), likewise.
#[inline]
pub fn ioctl(worker: &mut Worker, call: &mut Frame) -> Outcome {
    if call.rsi as usize == FIONBIO {
        worker.descriptors.flags_epoch = worker.descriptors.flags_epoch.wrapping_add(1);
    }
    Outcome::Pass
}

/// setsockopt(2), likewise.
pub fn setsockopt(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [fd, level, name, ..] = call.arguments().map(|word| word as i32);
    if level == SOL_SOCKET && TIMEOUTS.contains(&name) {
        worker.descriptors.timeouts_epoch = worker.descriptors.timeouts_epoch.wrapping_add(1);
    } else if level == SOL_SOCKET && name == SO_RCVLOWAT {
        set_low_water(worker, fd, call.r10 as usize);
    } else if level == SOL_TCP
        && name == TCP_ULP
        && let Some(entry) = worker.descriptors.get_mut(fd)
    {
        // With TLS in the kernel a short read is the end of a record, not of what is there.
        entry.kind = Kind::Stream;
    }
    Outcome::Pass
}

fn set_low_water(worker: &mut Worker, fd: i32, value: usize) {
    super::io::kinds::of(worker, fd);
    // SAFETY: a plain integer.
    if let Ok(bytes) = unsafe { user::read::<i32>(value) }
        && let Some(entry) = worker.descriptors.get_mut(fd)
    {
        entry.low_water = if bytes < 0 { i32::MAX as u32 } else { bytes as u32 };
    }
}
