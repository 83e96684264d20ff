//! poll(2), ppoll(2), select(2), pselect6(2): tried without waiting; if nothing is ready the task parks with a watch on
//! each of its files, and looks again when the poller says that something happened to one. A set of no files is a plain
//! sleep.

use super::{Outcome, error, time};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::io::{became_ready, complete, lend};
use crate::kernel::signal::{delivery, held_back};
use crate::raw;
use crate::sched::clock::NS_PER_S;
use crate::sched::descriptors::Direction;
use crate::sched::descriptors::watches::{NO_WATCH, WatchId};
use crate::sched::idle::timespec;
use crate::sched::task::{NONE, State, TaskId, Wait};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{__kernel_timespec, POLLIN, POLLOUT, POLLPRI, POLLWRBAND, POLLWRNORM, pollfd};
use syscalls::{Errno, Sysno};

/// Bytes of the largest fd_set that the C library has (FD_SETSIZE 1024); longer ones are left to the kernel.
const SET_BYTES: usize = 128;

/// A call's arguments in one form.
enum Request {
    /// pollfd array, count.
    Poll(usize, usize),
    /// Number of files, and the three sets.
    Select(usize, [usize; 3]),
}

fn request(call: &Frame) -> Request {
    let [a, b, c, d, ..] = call.arguments();
    match Sysno::new(call.number() as usize) {
        Some(Sysno::poll | Sysno::ppoll) => Request::Poll(a, b),
        _ => Request::Select((a as i32).max(0) as usize, [b, c, d]),
    }
}

/// Any of the four calls.
pub fn answer(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let (timeout, mask) = match arguments(call, number) {
        Ok(both) => both,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    let request = request(call);
    if matches!(request, Request::Select(..)) && (call.rdi as i32) < 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    if let Request::Select(count, _) = request
        && count > SET_BYTES * 8
    {
        return Outcome::Pass;
    }
    let id = worker.current;
    let ready = attempt(worker, id, &request);
    if ready == 0 && timeout == Some(0) {
        empty_sets(&request);
    }
    if ready != 0 || timeout == Some(0) {
        return ready_at_once(worker, call, &request, ready);
    }
    if !watch(worker, id, &request) {
        return Outcome::Done(error(Errno::ENOMEM));
    }
    if let Some(span) = timeout {
        let deadline = worker.clock.now().saturating_add(span);
        if worker.timers.insert(id, deadline).is_err() {
            unwatch(worker, id);
            return Outcome::Done(error(Errno::ENOMEM));
        }
        worker.tasks[id].deadline = deadline.max(1);
    }
    if let Request::Poll(_, 0) | Request::Select(0, _) = request {
        worker.stats.parks_sleep += 1;
    } else {
        worker.stats.parks_poll += 1;
    }
    worker.park(call, Wait::Poll);
    if let Some(mask) = mask {
        lend(worker, id, mask);
        delivery::deliver_pending(worker, id);
    }
    Outcome::Switch
}

/// The call is over without having waited. Who asks again and again about a file that another task waits for must not
/// keep that one waiting: natively it would have run on another processor by now.
fn ready_at_once(worker: &mut Worker, call: &mut Frame, request: &Request, ready: isize) -> Outcome {
    let has_woken = ready > 0 && worker.descriptors.has_waiters() && let_waiters_try(worker, request);
    if worker.is_time_for_others(has_woken) {
        call.answer(ready);
        worker.suspend(call);
        worker.yield_current();
        return Outcome::Switch;
    }
    Outcome::Done(ready)
}

/// Tasks that wait to read from one of the files that have just been found ready may try. Whether there are any.
fn let_waiters_try(worker: &mut Worker, request: &Request) -> bool {
    const MOST: usize = 256;
    let mut has_woken = false;
    let mut may_read = |worker: &mut Worker, fd: i32| {
        if worker.descriptors.get(fd).is_some_and(|entry| entry.readers != NONE) {
            became_ready(worker, fd, Direction::Read.bit(), false);
            has_woken = true;
        }
    };
    match *request {
        Request::Poll(files, count) => {
            for place in (0..count.min(MOST)).map(|index| files + index * size_of::<pollfd>()) {
                // SAFETY: a pollfd is plain integers.
                let Ok(file) = (unsafe { user::read::<pollfd>(place) }) else { break };
                if file.revents & POLLIN as i16 != 0 {
                    may_read(worker, file.fd);
                }
            }
        }
        Request::Select(count, [read, ..]) => {
            for fd in 0..if read == 0 { 0 } else { count } {
                // SAFETY: any byte is a valid u8.
                let byte = unsafe { user::read::<u8>(read + fd / 8) }.unwrap_or(0);
                if byte >> (fd % 8) & 1 != 0 {
                    may_read(worker, fd as i32);
                }
            }
        }
    }
    has_woken
}

/// How long the call may wait (None: for ever), ns, and the mask it asks for.
fn arguments(call: &Frame, number: Sysno) -> Result<(Option<u64>, Option<u64>), Errno> {
    let [_, _, third, fourth, fifth, sixth] = call.arguments();
    // SAFETY (all reads below): timespec, timeval and sets are plain integers.
    let span = |address: usize| match address {
        0 => Ok(None),
        // SAFETY: as above.
        _ => unsafe { user::read::<__kernel_timespec>(address) }.and_then(time::to_ns).map(Some),
    };
    let set = |address: usize, size: usize| match (address, size) {
        (0, _) => Ok(None),
        // SAFETY: as above.
        (_, 8) => unsafe { user::read::<u64>(address) }.map(Some),
        _ => Err(Errno::EINVAL),
    };
    match number {
        Sysno::poll => {
            let ms = third as i32;
            Ok((u64::try_from(ms).ok().map(|ms| ms * (NS_PER_S / 1000)), None))
        }
        Sysno::ppoll => Ok((span(third)?, set(fourth, fifth)?)),
        Sysno::select => {
            if fifth == 0 {
                return Ok((None, None));
            }
            // SAFETY: as above.
            let [seconds, micros] = unsafe { user::read::<[i64; 2]>(fifth) }?;
            if seconds < 0 || micros < 0 {
                return Err(Errno::EINVAL);
            }
            Ok((
                Some((seconds as u64).saturating_mul(NS_PER_S).saturating_add((micros as u64).saturating_mul(1000))),
                None,
            ))
        }
        _ => {
            let mask = if sixth == 0 {
                None
            } else {
                // SAFETY: as above.
                let [address, size] = unsafe { user::read::<[usize; 2]>(sixth) }?;
                set(address, size)?
            };
            Ok((span(fifth)?, mask))
        }
    }
}

/// Looks without waiting; the call's result. The caller's memory is written only when something is ready.
fn attempt(worker: &Worker, id: TaskId, request: &Request) -> isize {
    loop {
        // A tick that comes just then makes the kernel say EINTR, although it does not wait.
        let ready = attempt_once(worker, id, request);
        if ready != error(Errno::EINTR) {
            return ready;
        }
    }
}

fn attempt_once(worker: &Worker, id: TaskId, request: &Request) -> isize {
    let now = timespec(0);
    match *request {
        Request::Poll(files, count) => {
            // SAFETY: the program's own array; with no time to wait, the kernel writes revents only.
            let ready = unsafe { raw::call(Sysno::ppoll as u32, [files, count, &raw const now as usize, 0, 8, 0]) };
            if ready >= 0 && worker.signal_files.is_any() {
                ready + signals_for(worker, id, files, count)
            } else {
                ready
            }
        }
        Request::Select(count, sets) => {
            let mut copies = [[0u8; SET_BYTES]; 3];
            let bytes = count.div_ceil(64) * 8;
            for (copy, &set) in copies.iter_mut().zip(&sets) {
                // SAFETY: the copy has room for SET_BYTES, and `answer` lets no more pass.
                if set != 0 && unsafe { user::copy(copy.as_mut_ptr() as usize, set, bytes) }.is_err() {
                    return error(Errno::EFAULT);
                }
            }
            let [read, write, except] =
                [0, 1, 2].map(|place: usize| if sets[place] == 0 { 0 } else { copies[place].as_mut_ptr() as usize });
            // SAFETY: the copies live across the call.
            let ready =
                unsafe { raw::call(Sysno::pselect6 as u32, [count, read, write, except, &raw const now as usize, 0]) };
            if ready > 0 && hand_back(&copies, &sets, bytes).is_err() { error(Errno::EFAULT) } else { ready }
        }
    }
}

/// A select that found nothing leaves empty sets.
fn empty_sets(request: &Request) {
    if let Request::Select(count, sets) = *request {
        let empty = [[0u8; SET_BYTES]; 3];
        let _ = hand_back(&empty, &sets, count.div_ceil(64) * 8);
    }
}

/// Marks the signalfds in the array that the kernel found nothing in, but for which signals are held back here; how
/// many.
fn signals_for(worker: &Worker, id: TaskId, files: usize, count: usize) -> isize {
    let mut more = 0;
    for place in (0..count).map(|index| files + index * size_of::<pollfd>()) {
        // SAFETY: a pollfd is plain integers.
        let Ok(file) = (unsafe { user::read::<pollfd>(place) }) else { break };
        let gives = worker.signal_files.mask(file.fd).unwrap_or(0) & held_back(worker, id);
        if gives != 0 && file.revents == 0 && file.events & POLLIN as i16 != 0 {
            let _ = user::write(place, &pollfd { revents: POLLIN as i16, ..file });
            more += 1;
        }
    }
    more
}

fn hand_back(copies: &[[u8; SET_BYTES]; 3], sets: &[usize; 3], bytes: usize) -> Result<(), Errno> {
    for (copy, &set) in copies.iter().zip(sets) {
        if set != 0 {
            // SAFETY: writes to the program's own set.
            unsafe { user::copy(set, copy.as_ptr() as usize, bytes) }?;
        }
    }
    Ok(())
}

/// Watches all files of the request for task `id`. False if there is no memory.
fn watch(worker: &mut Worker, id: TaskId, request: &Request) -> bool {
    worker.tasks[id].key = u64::from(NO_WATCH);
    let mut complete = true;
    match *request {
        Request::Poll(array, count) => {
            for index in 0..count {
                // SAFETY: a pollfd is plain integers.
                let Ok(file) = (unsafe { user::read::<pollfd>(array + index * size_of::<pollfd>()) }) else { break };
                complete &= watch_one(worker, id, file.fd, directions(file.events as u32));
            }
        }
        Request::Select(count, sets) => {
            let asked = [POLLIN, POLLOUT, POLLPRI];
            for (set, events) in sets.into_iter().zip(asked).filter(|&(set, _)| set != 0) {
                for word in 0..count.div_ceil(64) {
                    // SAFETY: a word of a set is a plain integer.
                    let Ok(mut bits) = (unsafe { user::read::<u64>(set + word * 8) }) else { break };
                    while bits != 0 {
                        let fd = word * 64 + bits.trailing_zeros() as usize;
                        bits &= bits - 1;
                        if fd < count {
                            complete &= watch_one(worker, id, fd as i32, directions(events));
                        }
                    }
                }
            }
        }
    }
    if !complete {
        unwatch(worker, id);
    }
    complete
}

/// The directions that poll(2)'s `events` are about. Errors and hang-ups are told in any case.
fn directions(events: u32) -> u8 {
    let write = if events & (POLLOUT | POLLWRNORM | POLLWRBAND) != 0 { Direction::Write.bit() } else { 0 };
    let read = if events & !(POLLOUT | POLLWRNORM | POLLWRBAND) != 0 || write == 0 { Direction::Read.bit() } else { 0 };
    read | write
}

fn watch_one(worker: &mut Worker, id: TaskId, fd: i32, directions: u8) -> bool {
    if fd < 0 {
        return true;
    }
    let Some(entry) = worker.descriptors.entry(fd) else { return false };
    let (first, watched) = (entry.watches, entry.watched);
    let chain = worker.tasks[id].key as WatchId;
    let Some(new) = worker.descriptors.watches.add(id, fd, directions, first, chain) else { return false };
    worker.tasks[id].key = u64::from(new);
    if let Some(entry) = worker.descriptors.get_mut(fd) {
        entry.watches = new;
    }
    worker.descriptors.waiters += 1;
    if directions & !watched != 0 {
        worker.descriptors.make_due(fd);
    }
    true
}

/// Takes back all watches of task `id`.
fn unwatch(worker: &mut Worker, id: TaskId) {
    let mut watch = worker.tasks[id].key as WatchId;
    while watch != NO_WATCH {
        let (next, replaced) = worker.descriptors.watches.remove(watch);
        worker.descriptors.waiters -= 1;
        if let Some((fd, first)) = replaced
            && let Some(entry) = worker.descriptors.get_mut(fd)
        {
            entry.watches = first;
        }
        watch = next;
    }
    worker.tasks[id].key = u64::from(NO_WATCH);
}

/// Something has happened to a file of task `id`: it looks again when its turn comes.
pub fn try_again(worker: &mut Worker, id: TaskId) {
    if worker.tasks[id].state == State::Parked {
        worker.tasks[id].retries = true;
        worker.run_queue.push(&mut worker.tasks, id);
    }
}

/// Its turn has come; whether its call is over.
pub fn retry(worker: &mut Worker, id: TaskId) -> bool {
    let request = request(worker.frame_of(id));
    let ready = attempt(worker, id, &request);
    if ready == 0 {
        worker.tasks[id].state = State::Parked;
        return false;
    }
    worker.timers.remove(id);
    finish(worker, id, ready);
    true
}

/// A poll's time is over: nothing is ready.
pub fn time_out(worker: &mut Worker, id: TaskId) {
    let request = request(worker.frame_of(id));
    let ready = attempt(worker, id, &request);
    if ready == 0 {
        empty_sets(&request);
    }
    finish(worker, id, ready);
}

/// Takes the task out of everything that it waits for.
pub fn withdraw(worker: &mut Worker, id: TaskId) {
    unwatch(worker, id);
    worker.tasks[id].deadline = 0;
}

/// Ends the call, with the mask that was in force before it and the time left.
fn finish(worker: &mut Worker, id: TaskId, result: isize) {
    tell_time_left(worker, id);
    withdraw(worker, id);
    complete(worker, id, result);
}

/// Puts the time that is left where the time limit was, as Linux does for all but poll, also when a signal ends the call
/// (select(2)).
pub fn tell_time_left(worker: &mut Worker, id: TaskId) {
    let left = worker.tasks[id].deadline.saturating_sub(worker.clock.now());
    let call = worker.frame_of(id);
    let [_, _, third, _, fifth, _] = call.arguments();
    let _ = match Sysno::new(call.number() as usize) {
        Some(Sysno::select) if fifth != 0 => {
            user::write(fifth, &[(left / NS_PER_S) as i64, (left % NS_PER_S / 1000) as i64])
        }
        Some(Sysno::pselect6) if fifth != 0 => user::write(fifth, &timespec(left)),
        Some(Sysno::ppoll) if third != 0 => user::write(third, &timespec(left)),
        _ => Ok(()),
    };
}
