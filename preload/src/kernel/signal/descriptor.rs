//! signalfd(2): the kernel's descriptor gives signals that the kernel holds back. Those that are held back here, for
//! one task or because the kernel had to let them in for a task that waits, are given by the same read.

use super::frame::SigInfo;
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::{Outcome, io, poll};
use crate::raw;
use crate::sched::descriptors::{Kind, place_of};
use crate::sched::task::{State, TaskId, Wait};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};

/// Bytes of struct signalfd_siginfo.
const RECORD: usize = 128;
const NEW: i32 = -1;

/// The signals that each signalfd gives.
pub struct SignalFiles {
    files: Vec<(i32, u64)>,
}

impl SignalFiles {
    pub const fn new() -> SignalFiles {
        SignalFiles { files: Vec::new() }
    }

    /// Whether there are any.
    pub fn is_any(&self) -> bool {
        !self.files.is_empty()
    }

    /// The signals that `fd` gives, if it is one that was seen being made.
    pub fn mask(&self, fd: i32) -> Option<u64> {
        self.files.iter().find(|&&(known, _)| known == fd).map(|&(_, mask)| mask)
    }

    /// `fd` is about to be closed.
    pub fn forget(&mut self, fd: i32) {
        self.files.retain(|&(known, _)| known != fd);
    }
}

/// signalfd(2), signalfd4(2).
pub fn make(worker: &mut Worker, call: &mut Frame) -> Outcome {
    // SAFETY: the program's own call.
    let answer = unsafe { raw::call(call.number(), call.arguments()) };
    if answer >= 0
        // SAFETY: a set is one plain word, which the kernel has just read.
        && let Ok(mask) = unsafe { user::read::<u64>(call.rsi as usize) }
        && worker.signal_files.files.try_reserve(1).is_ok()
    {
        let fd = answer as i32;
        if call.rdi as i32 == NEW {
            worker.descriptors.forget(fd);
        }
        worker.signal_files.forget(fd);
        worker.signal_files.files.push((fd, mask));
        if let Some(entry) = worker.descriptors.entry(fd) {
            entry.kind = Kind::Event;
        }
    }
    Outcome::Done(answer)
}

/// Puts the signals that are held back here for task `id` into its read of `fd`; bytes, 0 if there are none.
pub fn read(worker: &mut Worker, id: TaskId, fd: i32, address: usize, count: usize) -> usize {
    let Some(mask) = worker.signal_files.mask(fd) else { return 0 };
    let mut done = 0;
    while count - done >= RECORD {
        let own = worker.tasks[id].extra.as_mut().and_then(|extra| extra.pending.take(mask));
        let Some(info) = own.or_else(|| worker.signals.pending.take(mask)) else { break };
        if user::write(address + done, &record(&info)).is_err() {
            break;
        }
        done += RECORD;
    }
    worker.tasks[id].has_pending = worker.tasks[id].extra.as_ref().is_some_and(|extra| extra.pending.set != 0);
    done
}

/// A signal was held back for task `id`: if it waits in a read of a descriptor that gives it, it tries again.
pub fn arrived(worker: &mut Worker, id: TaskId, signal: u32) {
    let task = &worker.tasks[id];
    if task.wait == Wait::Poll && worker.signal_files.is_any() {
        poll::try_again(worker, id);
        return;
    }
    if task.state != State::Parked || task.wait != Wait::File || task.key == 0 {
        return;
    }
    let (fd, _) = place_of(task.key);
    if worker.signal_files.mask(fd).is_some_and(|mask| mask & super::bit(signal) != 0) {
        io::try_now(worker, id);
    }
}

/// struct signalfd_siginfo from a siginfo (fs/signalfd.c, signalfd_copyinfo).
fn record(info: &SigInfo) -> [u32; RECORD / 4] {
    let mut record = [0u32; RECORD / 4];
    record[0] = info.si_signo as u32;
    record[1] = info.si_errno as u32;
    record[2] = info.si_code as u32;
    let word = |index: usize| info.words[index];
    let (low, high) = (|value: u64| value as u32, |value: u64| (value >> 32) as u32);
    const SI_TIMER: i32 = -2;
    if info.si_code == SI_TIMER {
        // Timer id, overrun, value.
        (record[6], record[8]) = (low(word(0)), high(word(0)));
        (record[11], record[12], record[13]) = (low(word(1)), low(word(1)), high(word(1)));
        return record;
    }
    match info.si_signo as u32 {
        SIGSEGV | SIGBUS | SIGFPE | SIGILL | SIGTRAP | SIGSYS if info.si_code > 0 => {
            (record[18], record[19]) = (low(word(0)), high(word(0)));
        }
        SIGCHLD if info.si_code > 0 => {
            (record[3], record[4], record[10]) = (low(word(0)), high(word(0)), low(word(1)));
        }
        _ => {
            // Sender, its user, and the value that it sent.
            (record[3], record[4]) = (low(word(0)), high(word(0)));
            (record[11], record[12], record[13]) = (low(word(1)), low(word(1)), high(word(1)));
        }
    }
    record
}
