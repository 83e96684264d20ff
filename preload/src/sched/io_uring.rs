//! An io_uring(7): requests go to the kernel and results come back through memory that both share. Two things in grivet
//! use one: the second poller (`sched::poller::polls`) and receives that are made together (`kernel::io::together`).
//! Nothing here knows what is asked for.
//!
//! ```text
//!   submission ring (ours to write: tail)          completion ring (ours to write: head)
//!   head -> kernel takes   tail -> we add          tail -> kernel adds   head -> we take
//! ```

use crate::arch::x86_64::gate::idle_call;
use crate::raw;
use crate::sched::idle::timespec;
use core::sync::atomic::{AtomicU32, Ordering};
use linux_raw_sys::general::{MAP_POPULATE, MAP_SHARED, PROT_READ, PROT_WRITE};
use syscalls::{Errno, Sysno};

/// Requests that fit into the submission ring.
pub const ENTRIES: u32 = 256;
/// Words of a submission entry; bytes of a completion.
const ENTRY_WORDS: usize = 8;
const COMPLETION: usize = size_of::<Completion>();

// Of include/uapi/linux/io_uring.h.
const SETUP_CQSIZE: u32 = 1 << 3;
const SETUP_SUBMIT_ALL: u32 = 1 << 7;
const SETUP_COOP_TASKRUN: u32 = 1 << 8;
const SETUP_TASKRUN_FLAG: u32 = 1 << 9;
const SETUP_SINGLE_ISSUER: u32 = 1 << 12;
const FEAT_SINGLE_MMAP: u32 = 1;
const FEAT_NODROP: u32 = 2;
const FEAT_EXT_ARG: u32 = 1 << 8;
const OFF_ENTRIES: usize = 0x1000_0000;
const ENTER_GETEVENTS: usize = 1;
const ENTER_EXT_ARG: usize = 8;
/// Of the submission ring's flags: completions did not fit, or wait for the worker to enter the kernel.
const HAS_OVERFLOW: u32 = 2;
const HAS_WORK: u32 = 4;

/// struct io_uring_params.
#[repr(C)]
#[derive(Default)]
struct Parameters {
    entries: u32,
    completions: u32,
    flags: u32,
    thread: [u32; 2],
    features: u32,
    reserved: [u32; 4],
    /// head, tail, mask, entries, flags, dropped, array, reserved, address.
    submission: [u32; 10],
    /// head, tail, mask, entries, overflow, cqes, flags, reserved, address.
    completion: [u32; 10],
}

/// One request: struct io_uring_sqe, by its words.
pub type Entry = [u64; ENTRY_WORDS];

/// What became of a request: struct io_uring_cqe.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Completion {
    pub tag: u64,
    pub result: i32,
    pub flags: u32,
}

/// An io_uring.
pub struct Ring {
    pub descriptor: i32,
    rings: usize,
    rings_size: usize,
    entries: usize,
    submission: [u32; 10],
    completion: [u32; 10],
    /// Added and not yet handed to the kernel.
    unsubmitted: u32,
}

impl Ring {
    /// A ring with room for `completions` results. ENOSYS, EPERM where there is none, or it is forbidden; ENOSYS before
    /// Linux 6.0.
    pub fn open(completions: u32) -> Result<Ring, Errno> {
        let flags = SETUP_CQSIZE | SETUP_SUBMIT_ALL | SETUP_COOP_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_SINGLE_ISSUER;
        let mut parameters = Parameters { flags, completions, ..Parameters::default() };
        // SAFETY: the kernel reads and writes the parameters.
        let fd = raw::check(unsafe {
            raw::call(Sysno::io_uring_setup as u32, [ENTRIES as usize, &raw mut parameters as usize, 0, 0, 0, 0])
        })? as i32;
        let wanted = FEAT_SINGLE_MMAP | FEAT_NODROP | FEAT_EXT_ARG;
        let mapped = if parameters.features & wanted == wanted { map(fd, &parameters) } else { Err(Errno::ENOSYS) };
        if mapped.is_err() {
            // SAFETY: closes the ring made above.
            unsafe { raw::call(Sysno::close as u32, [fd as usize, 0, 0, 0, 0, 0]) };
        }
        let (rings, rings_size, entries) = mapped?;
        Ok(Ring {
            descriptor: fd,
            rings,
            rings_size,
            entries,
            submission: parameters.submission,
            completion: parameters.completion,
            unsubmitted: 0,
        })
    }

    /// Gives the shared memory back (in the child of a fork, whose parent goes on using it).
    pub fn unmap(&mut self) {
        // SAFETY: both are this ring's own mappings, which is not used any more.
        unsafe {
            let _ = raw::munmap(self.rings, self.rings_size);
            let _ = raw::munmap(self.entries, ENTRIES as usize * ENTRY_WORDS * 8);
        }
    }

    /// A word of the rings' that is shared with the kernel.
    fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the kernel gave the offset of an aligned word within the mapping, which lives as long as `self`.
        unsafe { &*((self.rings + offset as usize) as *const AtomicU32) }
    }

    /// Adds a request; the kernel gets it with the next `submit`, or at once if the ring is full.
    pub fn add(&mut self, entry: Entry) -> Result<(), Errno> {
        let [_, tail_at, mask_at, _, _, _, array_at, ..] = self.submission;
        let tail = self.word(tail_at).load(Ordering::Relaxed);
        let place = tail & self.word(mask_at).load(Ordering::Relaxed);
        // SAFETY: the place is below the number of entries; the kernel reads it only once the tail has passed it.
        unsafe { ((self.entries as *mut Entry).add(place as usize)).write(entry) };
        self.word(array_at + place * 4).store(place, Ordering::Relaxed);
        self.word(tail_at).store(tail.wrapping_add(1), Ordering::Release);
        self.unsubmitted += 1;
        if self.unsubmitted == ENTRIES { self.submit() } else { Ok(()) }
    }

    /// Hands what was added to the kernel.
    pub fn submit(&mut self) -> Result<(), Errno> {
        while self.unsubmitted > 0 {
            let arguments = [self.descriptor as usize, self.unsubmitted as usize, 0, 0, 0, 0];
            // SAFETY: the ring is ours.
            match raw::check(unsafe { raw::call(Sysno::io_uring_enter as u32, arguments) }) {
                Ok(taken) => self.unsubmitted -= (taken as u32).min(self.unsubmitted),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Lets the kernel write down what is done, if it waits for us to ask.
    pub fn settle(&mut self) {
        let flags = self.word(self.submission[4]).load(Ordering::Relaxed);
        if flags & (HAS_OVERFLOW | HAS_WORK) != 0 {
            let arguments = [self.descriptor as usize, 0, 0, ENTER_GETEVENTS, 0, 0];
            // SAFETY: the ring is ours.
            unsafe { raw::call(Sysno::io_uring_enter as u32, arguments) };
        }
    }

    /// Sleeps until there is a completion, `timeout` ns are over (None: for ever), or attention is wanted.
    pub fn wait(&mut self, timeout: Option<u64>, attention: &AtomicU32) {
        let time = timeout.map(timespec);
        let pointer = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        // struct io_uring_getevents_arg: mask, its size, padding, time.
        let argument = [0usize, 8, pointer as usize];
        let flags = ENTER_GETEVENTS | ENTER_EXT_ARG;
        let arguments = [self.descriptor as usize, 0, 1, flags, argument.as_ptr() as usize, size_of_val(&argument)];
        // SAFETY: the ring is ours; argument and time live across the call.
        unsafe { idle_call(Sysno::io_uring_enter as u32, arguments, attention.as_ptr()) };
    }

    /// The next completion.
    pub fn next(&mut self) -> Option<Completion> {
        let [head_at, tail_at, mask_at, _, _, entries_at, ..] = self.completion;
        let head = self.word(head_at).load(Ordering::Relaxed);
        if head == self.word(tail_at).load(Ordering::Acquire) {
            return None;
        }
        let place = head & self.word(mask_at).load(Ordering::Relaxed);
        let place = self.rings + entries_at as usize + place as usize * COMPLETION;
        // SAFETY: the kernel has written this entry before it moved the tail: tag, result, flags.
        let completion = unsafe { (place as *const Completion).read() };
        self.word(head_at).store(head.wrapping_add(1), Ordering::Release);
        Some(completion)
    }
}

/// Maps the rings and the entries: address and size of the first, address of the second.
fn map(fd: i32, parameters: &Parameters) -> Result<(usize, usize, usize), Errno> {
    let submissions = parameters.submission[6] as usize + parameters.entries as usize * 4;
    let completions = parameters.completion[5] as usize + parameters.completions as usize * COMPLETION;
    let size = submissions.max(completions);
    let (protection, flags) = (PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE);
    // SAFETY: new mappings of the ring's own memory.
    unsafe {
        let rings = raw::mmap(0, size, protection, flags, fd, 0)?;
        let entries = raw::mmap(0, ENTRIES as usize * ENTRY_WORDS * 8, protection, flags, fd, OFF_ENTRIES);
        if entries.is_err() {
            let _ = raw::munmap(rings, size);
        }
        entries.map(|entries| (rings, size, entries))
    }
}
