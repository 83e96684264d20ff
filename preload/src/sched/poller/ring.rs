//! The poller on io_uring(7): each direction of a file is one poll request that stays armed (IORING_POLL_ADD_MULTI).
//! Completions appear in shared memory when the worker makes any system call, so a look costs none of its own. The
//! price: a request holds its file, so it has to be taken back before the program closes the descriptor.
//!
//! ```text
//!   submission ring (ours to write: tail)          completion ring (ours to write: head)
//!   head -> kernel takes   tail -> we add          tail -> kernel adds   head -> we take
//! ```

use super::{Event, Events, mask};
use crate::arch::x86_64::gate::idle_call;
use crate::raw;
use crate::sched::descriptors::Direction;
use crate::sched::idle::timespec;
use core::sync::atomic::{AtomicU32, Ordering};
use linux_raw_sys::general::{EPOLLPRI, MAP_POPULATE, MAP_SHARED, PROT_READ, PROT_WRITE};
use syscalls::{Errno, Sysno};

const ENTRIES: u32 = 128;
const COMPLETIONS: u32 = 4096;
/// Words of a submission entry; bytes of a completion.
const ENTRY_WORDS: usize = 8;
const COMPLETION: usize = 16;

// Of include/uapi/linux/io_uring.h.
const SETUP_CQSIZE: u32 = 1 << 3;
const SETUP_COOP_TASKRUN: u32 = 1 << 8;
const SETUP_TASKRUN_FLAG: u32 = 1 << 9;
const SETUP_SINGLE_ISSUER: u32 = 1 << 12;
const FEAT_SINGLE_MMAP: u32 = 1;
const FEAT_NODROP: u32 = 2;
const FEAT_EXT_ARG: u32 = 1 << 8;
const OFF_ENTRIES: usize = 0x1000_0000;
const OP_POLL_ADD: u64 = 6;
const OP_POLL_REMOVE: u64 = 7;
const POLL_ADD_MULTI: u64 = 1;
const SKIP_SUCCESS: u64 = 1 << 6;
const ENTER_GETEVENTS: usize = 1;
const ENTER_EXT_ARG: usize = 8;
const COMPLETION_MORE: u32 = 2;
/// Of the submission ring's flags: completions did not fit, or wait for the worker to enter the kernel.
const HAS_OVERFLOW: u32 = 2;
const HAS_WORK: u32 = 4;
/// Whose completion tells nothing.
const NOBODY: u64 = u64::MAX;

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
    /// Files that were found ready otherwise; told with the next look.
    found: alloc::vec::Vec<Event>,
}

impl Ring {
    /// ENOSYS, EPERM where there is none, or it is forbidden; ENOSYS before Linux 6.0.
    pub fn open() -> Result<Ring, Errno> {
        let flags = SETUP_CQSIZE | SETUP_COOP_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_SINGLE_ISSUER;
        let mut parameters = Parameters { flags, completions: COMPLETIONS, ..Parameters::default() };
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
            found: alloc::vec::Vec::new(),
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

    fn add(&mut self, entry: [u64; ENTRY_WORDS]) -> Result<(), Errno> {
        let [_, tail_at, mask_at, _, _, _, array_at, ..] = self.submission;
        let tail = self.word(tail_at).load(Ordering::Relaxed);
        let place = tail & self.word(mask_at).load(Ordering::Relaxed);
        // SAFETY: the place is below the number of entries; the kernel reads it only once the tail has passed it.
        unsafe { ((self.entries as *mut [u64; ENTRY_WORDS]).add(place as usize)).write(entry) };
        self.word(array_at + place * 4).store(place, Ordering::Relaxed);
        self.word(tail_at).store(tail.wrapping_add(1), Ordering::Release);
        self.unsubmitted += 1;
        if self.unsubmitted == ENTRIES { self.submit() } else { Ok(()) }
    }

    fn submit(&mut self) -> Result<(), Errno> {
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

    /// Arms a poll for each of the directions `more` that is not in `watched`, and asks anew about the others.
    pub fn watch(&mut self, fd: i32, generation: u16, more: u8, watched: u8) -> Result<(), Errno> {
        for direction in [Direction::Read, Direction::Write] {
            let bit = direction.bit();
            if more & bit == 0 {
                continue;
            }
            if watched & bit != 0 {
                self.ask(fd, generation, bit);
                continue;
            }
            let mut entry = [0u64; ENTRY_WORDS];
            entry[0] = OP_POLL_ADD | u64::from(fd as u32) << 32;
            entry[3] = POLL_ADD_MULTI | u64::from(wanted(bit)) << 32;
            entry[4] = tag(fd, generation, bit);
            self.add(entry)?;
        }
        Ok(())
    }

    /// Looks whether `fd` is ready already, since its poll only tells of changes.
    fn ask(&mut self, fd: i32, generation: u16, direction: u8) {
        let mut file = [u64::from(fd as u32) | u64::from(wanted(direction) as u16) << 32];
        // SAFETY: one struct pollfd, eight bytes, and no time to wait.
        let answer = unsafe { raw::call(Sysno::poll as u32, [file.as_mut_ptr() as usize, 1, 0, 0, 0, 0]) };
        if answer > 0 && self.found.try_reserve(1).is_ok() {
            self.found.push(Event::new(fd, generation, (file[0] >> 48) as u32));
        }
    }

    /// Takes the polls back at once: the file is about to be closed.
    pub fn forget(&mut self, fd: i32, generation: u16, watched: u8) {
        for bit in [Direction::Read.bit(), Direction::Write.bit()] {
            if watched & bit == 0 {
                continue;
            }
            let mut entry = [0u64; ENTRY_WORDS];
            entry[0] = OP_POLL_REMOVE | SKIP_SUCCESS << 8 | u64::from(u32::MAX) << 32;
            entry[2] = tag(fd, generation, bit);
            entry[4] = NOBODY;
            let _ = self.add(entry);
        }
        let _ = self.submit();
    }

    /// What has happened, without waiting, and without a system call if there is nothing to hand in.
    pub fn look(&mut self) -> Events {
        let _ = self.submit();
        let flags = self.word(self.submission[4]).load(Ordering::Relaxed);
        if flags & (HAS_OVERFLOW | HAS_WORK) != 0 {
            let arguments = [self.descriptor as usize, 0, 0, ENTER_GETEVENTS, 0, 0];
            // SAFETY: the ring is ours.
            unsafe { raw::call(Sysno::io_uring_enter as u32, arguments) };
        }
        self.take()
    }

    /// Sleeps until something happens, `timeout` ns are over, or attention is wanted.
    pub fn wait(&mut self, timeout: Option<u64>, attention: &AtomicU32) -> Events {
        let events = self.look();
        if events.count > 0 {
            return events;
        }
        let time = timeout.map(timespec);
        let pointer = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        // struct io_uring_getevents_arg: mask, its size, padding, time.
        let argument = [0usize, 8, pointer as usize];
        let flags = ENTER_GETEVENTS | ENTER_EXT_ARG;
        let arguments = [self.descriptor as usize, 0, 1, flags, argument.as_ptr() as usize, size_of_val(&argument)];
        // SAFETY: the ring is ours; argument and time live across the call.
        unsafe { idle_call(Sysno::io_uring_enter as u32, arguments, attention.as_ptr()) };
        self.take()
    }

    fn take(&mut self) -> Events {
        let mut events = Events::none();
        while !events.is_full()
            && let Some(event) = self.found.pop()
        {
            events.add(event);
        }
        let [head_at, tail_at, mask_at, _, _, entries_at, ..] = self.completion;
        let mut head = self.word(head_at).load(Ordering::Relaxed);
        let tail = self.word(tail_at).load(Ordering::Acquire);
        let places = self.word(mask_at).load(Ordering::Relaxed);
        while head != tail && !events.is_full() {
            let place = self.rings + entries_at as usize + (head & places) as usize * COMPLETION;
            // SAFETY: the kernel has written this entry before it moved the tail: tag, result, flags.
            let (tag, result, flags) = unsafe {
                ((place as *const u64).read(), ((place + 8) as *const i32).read(), ((place + 12) as *const u32).read())
            };
            head = head.wrapping_add(1);
            if tag == NOBODY {
                continue;
            }
            let direction = (tag >> 48) as u8;
            let mut event = Event::new(tag as u32 as i32, (tag >> 32) as u16, result.max(0) as u32);
            if flags & COMPLETION_MORE == 0 {
                event.dropped = direction;
                // Ready or not, those who wait try, and ask for a new poll.
                event.directions |= direction;
            }
            events.add(event);
        }
        self.word(head_at).store(head, Ordering::Release);
        events
    }
}

/// The mask to ask for. A completion repeats what the file's wake-up was about, and sockets say "in or urgent" for any
/// data: urgent data is not asked for by itself.
fn wanted(directions: u8) -> u32 {
    mask(directions) & !EPOLLPRI
}

fn tag(fd: i32, generation: u16, direction: u8) -> u64 {
    u64::from(fd as u32) | u64::from(generation) << 32 | u64::from(direction) << 48
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
