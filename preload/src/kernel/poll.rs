//! poll(2), ppoll(2), select(2), pselect6(2): tried without waiting; if nothing is ready the task parks. The worker then waits for the
//! files of all such tasks at once. A set of no files is a plain sleep.

use super::{Outcome, error, time};
use crate::arch::Frame;
use crate::arch::x86_64::gate::idle_call;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::signal::{mask_of, set_mask};
use crate::raw;
use crate::sched::clock::NS_PER_S;
use crate::sched::idle::timespec;
use crate::sched::task::{TaskId, Wait};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{__kernel_timespec, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, pollfd};
use syscalls::{Errno, Sysno};

/// Bytes of the largest fd_set that the C library has (FD_SETSIZE 1024); longer ones are left to the kernel.
const SET_BYTES: usize = 128;

/// The tasks that wait for files.
pub struct Pollers {
    tasks: Vec<TaskId>,
    /// The files of all of them, gathered for one call.
    files: Vec<pollfd>,
}

impl Pollers {
    pub const fn new() -> Pollers {
        Pollers { tasks: Vec::new(), files: Vec::new() }
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub fn clear(&mut self) {
        self.tasks.clear();
    }

    /// Takes `id` out.
    pub fn remove(&mut self, id: TaskId) {
        self.tasks.retain(|&poller| poller != id);
    }
}

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
    if let Request::Select(count, _) = request
        && count > SET_BYTES * 8
    {
        return Outcome::Pass;
    }
    let ready = attempt(&request);
    if ready != 0 || timeout == Some(0) {
        return Outcome::Done(ready);
    }
    let id = worker.current;
    if worker.pollers.tasks.try_reserve(1).is_err() {
        return Outcome::Done(error(Errno::ENOMEM));
    }
    if let Some(span) = timeout {
        let deadline = worker.clock.now().saturating_add(span);
        if worker.timers.insert(id, deadline).is_err() {
            return Outcome::Done(error(Errno::ENOMEM));
        }
        worker.tasks[id].deadline = deadline;
    }
    if let Request::Poll(_, 0) | Request::Select(0, _) = request {
        worker.stats.parks_sleep += 1;
    } else {
        worker.stats.parks_poll += 1;
    }
    worker.pollers.tasks.push(id);
    worker.park(call, Wait::Poll);
    if let Some(mask) = mask {
        let old = mask_of(worker, id);
        worker.tasks[id].extra().saved_mask = Some(old);
        set_mask(worker, id, mask);
        crate::kernel::signal::delivery::deliver_pending(worker, id);
    }
    Outcome::Switch
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
fn attempt(request: &Request) -> isize {
    let now = timespec(0);
    match *request {
        // SAFETY: the program's own array; with no time to wait, the kernel writes revents only.
        Request::Poll(files, count) => unsafe {
            raw::call(Sysno::ppoll as u32, [files, count, &raw const now as usize, 0, 8, 0])
        },
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

fn hand_back(copies: &[[u8; SET_BYTES]; 3], sets: &[usize; 3], bytes: usize) -> Result<(), Errno> {
    for (copy, &set) in copies.iter().zip(sets) {
        if set != 0 {
            // SAFETY: writes to the program's own set.
            unsafe { user::copy(set, copy.as_ptr() as usize, bytes) }?;
        }
    }
    Ok(())
}

/// Gathers the files of all waiting tasks.
fn gather(worker: &mut Worker) {
    let mut files = core::mem::take(&mut worker.pollers.files);
    files.clear();
    for place in 0..worker.pollers.tasks.len() {
        let id = worker.pollers.tasks[place];
        match request(worker.frame_of(id)) {
            Request::Poll(array, count) => {
                for index in 0..count {
                    // SAFETY: a pollfd is plain integers.
                    let Ok(file) = (unsafe { user::read::<pollfd>(array + index * size_of::<pollfd>()) }) else {
                        break;
                    };
                    files.push(pollfd { revents: 0, ..file });
                }
            }
            Request::Select(count, sets) => {
                let events = [POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI];
                for (set, events) in sets.into_iter().zip(events).filter(|&(set, _)| set != 0) {
                    for word in 0..count.div_ceil(64) {
                        // SAFETY: a word of a set is a plain integer.
                        let Ok(mut bits) = (unsafe { user::read::<u64>(set + word * 8) }) else { break };
                        while bits != 0 {
                            let fd = word * 64 + bits.trailing_zeros() as usize;
                            bits &= bits - 1;
                            if fd < count {
                                files.push(pollfd { fd: fd as i32, events: events as i16, revents: 0 });
                            }
                        }
                    }
                }
            }
        }
    }
    worker.pollers.files = files;
}

/// Completes the calls of those tasks whose files are ready. `known` says that something is; otherwise the kernel is asked
/// about all of them first.
pub fn check(worker: &mut Worker, known: bool) {
    if !known {
        gather(worker);
        let now = timespec(0);
        let (files, count) = (worker.pollers.files.as_mut_ptr() as usize, worker.pollers.files.len());
        // SAFETY: the array lives across the call.
        if unsafe { raw::call(Sysno::ppoll as u32, [files, count, &raw const now as usize, 0, 8, 0]) } <= 0 {
            return;
        }
    }
    let mut place = 0;
    while let Some(&id) = worker.pollers.tasks.get(place) {
        let ready = attempt(&request(worker.frame_of(id)));
        if ready == 0 {
            place += 1;
        } else {
            worker.pollers.tasks.remove(place);
            worker.timers.remove(id);
            finish(worker, id, ready);
        }
    }
}

/// Sleeps until a file is ready or `timeout` ns are over.
pub fn wait(worker: &mut Worker, timeout: Option<u64>) {
    gather(worker);
    let time = timeout.map(timespec);
    let pointer = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    let (files, count) = (worker.pollers.files.as_mut_ptr() as usize, worker.pollers.files.len());
    // SAFETY: the array and the time live across the call.
    let answer =
        unsafe { idle_call(Sysno::ppoll as u32, [files, count, pointer as usize, 0, 8], worker.attention.as_ptr()) };
    if answer > 0 {
        check(worker, true);
    }
}

/// A poll's time is over: nothing is ready.
pub fn time_out(worker: &mut Worker, id: TaskId) {
    worker.pollers.remove(id);
    let request = request(worker.frame_of(id));
    let ready = attempt(&request);
    if ready == 0
        && let Request::Select(count, sets) = request
    {
        let empty = [[0u8; SET_BYTES]; 3];
        let _ = hand_back(&empty, &sets, count.div_ceil(64) * 8);
    }
    finish(worker, id, ready);
}

/// Ends the call, with the mask that was in force before it and, for select, the time left (select(2)).
fn finish(worker: &mut Worker, id: TaskId, result: isize) {
    let saved = worker.tasks[id].extra.as_mut().and_then(|extra| extra.saved_mask.take());
    if let Some(mask) = saved {
        set_mask(worker, id, mask);
    }
    let left = worker.tasks[id].deadline.saturating_sub(worker.clock.now());
    let call = worker.frame_of(id);
    let [.., fifth, _] = call.arguments();
    let number = Sysno::new(call.number() as usize);
    if number == Some(Sysno::select) && fifth != 0 {
        let _ = user::write(fifth, &[(left / NS_PER_S) as i64, (left % NS_PER_S / 1000) as i64]);
    } else if number == Some(Sysno::pselect6) && fifth != 0 {
        let _ = user::write(fifth, &timespec(left));
    }
    worker.tasks[id].deadline = 0;
    worker.wake(id, result);
}
