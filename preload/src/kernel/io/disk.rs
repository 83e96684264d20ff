//! Reads that never wait for anybody: from disks, whose cache is read at once and whose rest the pool reads, and from
//! devices that always have something to give.

use super::parts::{MOST_BYTES, Part, count_all};
use super::transfer::{EINTR, EINVAL, END, EOPNOTSUPP, OWN_POSITION, flags, is_plain, vector};
use super::{Attempt, Call, EAGAIN};
use crate::kernel::pool::Job;
use crate::raw;
use crate::sched::descriptors::Kind;
use crate::sched::worker::Worker;
use linux_raw_sys::general::RWF_NOWAIT;
use syscalls::Sysno;

/// A read from a device that always has something to give, such as /dev/zero. The kernel cuts it short when a signal
/// comes, and grivet's ticks are signals: the program must not notice.
pub fn read_memory(call: &Call) -> Attempt {
    let [_, address, count, ..] = call.arguments;
    if !is_plain(call) {
        return Attempt::Pass;
    }
    let read = |done: usize| {
        let arguments = [call.fd as usize, address + done, count - done, 0, 0, 0];
        // SAFETY: the program's own buffer.
        unsafe { raw::call(Sysno::read as u32, arguments) }
    };
    whole(count, read)
}

/// getrandom(2), likewise.
pub fn random(arguments: [usize; 6]) -> isize {
    let [address, count, flags, ..] = arguments;
    let read = |done: usize| {
        // SAFETY: the program's own buffer.
        unsafe { raw::call(Sysno::getrandom as u32, [address + done, count - done, flags, 0, 0, 0]) }
    };
    match whole(count, read) {
        Attempt::Done(answer) => answer,
        _ => EINTR,
    }
}

/// Calls `read`, which is told what was read already, until `count` bytes are there or no more come.
fn whole(count: usize, read: impl Fn(usize) -> isize) -> Attempt {
    let mut done = 0;
    loop {
        let answer = read(done);
        if answer == EINTR {
            continue;
        }
        if answer <= 0 {
            return Attempt::Done(if done > 0 { done as isize } else { answer });
        }
        done += answer as usize;
        if done >= count.min(MOST_BYTES) {
            return Attempt::Done(done as isize);
        }
    }
}

/// A read from a disk: what is in the cache at once, the rest by the pool.
#[inline(never)]
pub fn read_disk(worker: &mut Worker, call: &Call) -> Attempt {
    let [_, address, count, position, _, _] = call.arguments;
    let (base, length) = (address, count);
    let part = Part { base, length };
    let is_single = matches!(call.number, Sysno::read | Sysno::pread64);
    if !is_single {
        return read_disk_parts(worker, call);
    }
    if count == 0 || address.checked_add(count).is_none_or(|end| end > END) {
        return Attempt::Pass;
    }
    let position = if call.number == Sysno::read { OWN_POSITION } else { position };
    if call.number == Sysno::pread64 && (position as isize) < 0 {
        return Attempt::Pass;
    }
    let first = vector(call.fd, Sysno::preadv2, (&raw const part as usize, 1), position, 0);
    match first {
        EAGAIN => return Attempt::Elsewhere(Job::whole(call.number, call.arguments)),
        EOPNOTSUPP | EINVAL => return is_direct(worker, call),
        _ if first <= 0 || first as usize >= count => return Attempt::Done(first),
        _ => {}
    }
    // The end of the file, or of what is in the cache.
    let done = first as usize;
    let rest = Part { base: base + done, length: length - done };
    let next = if position == OWN_POSITION { position } else { position + done };
    match vector(call.fd, Sysno::preadv2, (&raw const rest as usize, 1), next, 0) {
        EAGAIN => {
            let mut arguments = call.arguments;
            arguments[1] = rest.base;
            arguments[2] = rest.length;
            if call.number == Sysno::pread64 {
                arguments[3] = next;
            }
            Attempt::Elsewhere(Job { number: call.number, arguments, done: first })
        }
        second => Attempt::Done(first + second.max(0)),
    }
}

/// The same for several parts, which the pool reads whole unless they are in the cache whole.
#[inline(never)]
fn read_disk_parts(worker: &mut Worker, call: &Call) -> Attempt {
    let [_, address, count, position, ..] = call.arguments;
    if !matches!(call.number, Sysno::preadv | Sysno::preadv2) || flags(call) & RWF_NOWAIT as usize != 0 {
        return Attempt::Pass;
    }
    if (position as isize) < 0 {
        return Attempt::Pass;
    }
    let answer = vector(call.fd, Sysno::preadv2, (address, count), position, flags(call));
    match answer {
        EAGAIN => Attempt::Elsewhere(Job::whole(call.number, call.arguments)),
        EOPNOTSUPP | EINVAL => is_direct(worker, call),
        // A short answer may be the end of the cached part: the position is the call's own, so it can be made again.
        _ if answer > 0 && (answer as usize) < count_all(address, count) => {
            Attempt::Elsewhere(Job::whole(call.number, call.arguments))
        }
        _ => Attempt::Done(answer),
    }
}

/// A file system that can't tell what it has in its cache (or has nothing else).
fn is_direct(worker: &mut Worker, call: &Call) -> Attempt {
    if let Some(entry) = worker.descriptors.get_mut(call.fd)
        && entry.kind == Kind::Disk
    {
        entry.kind = Kind::Direct;
    }
    Attempt::Pass
}
