//! The poller on io_uring(7): each direction of a file is one poll request that stays armed (IORING_POLL_ADD_MULTI).
//! Completions appear in shared memory when the worker makes any system call, so a look costs none of its own. The
//! price: a request holds its file, so it has to be taken back before the program closes the descriptor.

use super::{Event, Events, mask};
use crate::raw;
use crate::sched::descriptors::Direction;
use crate::sched::io_uring::{Entry, Ring};
use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;
use linux_raw_sys::general::EPOLLPRI;
use syscalls::{Errno, Sysno};

const COMPLETIONS: u32 = 4096;

// Of include/uapi/linux/io_uring.h.
const OP_POLL_ADD: u64 = 6;
const OP_POLL_REMOVE: u64 = 7;
const POLL_ADD_MULTI: u64 = 1;
const SKIP_SUCCESS: u64 = 1 << 6;
const COMPLETION_MORE: u32 = 2;
/// Whose completion tells nothing.
const NOBODY: u64 = u64::MAX;

/// Polls that stay armed.
pub struct Polls {
    pub ring: Ring,
    /// Files that were found ready otherwise; told with the next look.
    found: Vec<Event>,
}

impl Polls {
    /// ENOSYS, EPERM where there is no io_uring, or it is forbidden.
    pub fn open() -> Result<Polls, Errno> {
        Ok(Polls { ring: Ring::open(COMPLETIONS)?, found: Vec::new() })
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
            let mut entry = Entry::default();
            entry[0] = OP_POLL_ADD | u64::from(fd as u32) << 32;
            entry[3] = POLL_ADD_MULTI | u64::from(wanted(bit)) << 32;
            entry[4] = tag(fd, generation, bit);
            self.ring.add(entry)?;
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
            let mut entry = Entry::default();
            entry[0] = OP_POLL_REMOVE | SKIP_SUCCESS << 8 | u64::from(u32::MAX) << 32;
            entry[2] = tag(fd, generation, bit);
            entry[4] = NOBODY;
            let _ = self.ring.add(entry);
        }
        let _ = self.ring.submit();
    }

    /// What has happened, without waiting, and without a system call if there is nothing to hand in.
    pub fn look(&mut self) -> Events {
        let _ = self.ring.submit();
        self.ring.settle();
        self.take()
    }

    /// Sleeps until something happens, `timeout` ns are over, or attention is wanted.
    pub fn wait(&mut self, timeout: Option<u64>, attention: &AtomicU32) -> Events {
        let events = self.look();
        if events.count > 0 {
            return events;
        }
        self.ring.wait(timeout, attention);
        self.take()
    }

    fn take(&mut self) -> Events {
        let mut events = Events::none();
        while !events.is_full()
            && let Some(event) = self.found.pop()
        {
            events.add(event);
        }
        while !events.is_full()
            && let Some(completion) = self.ring.next()
        {
            let tag = completion.tag;
            if tag == NOBODY {
                continue;
            }
            let direction = (tag >> 48) as u8;
            let mut event = Event::new(tag as u32 as i32, (tag >> 32) as u16, completion.result.max(0) as u32);
            if completion.flags & COMPLETION_MORE == 0 {
                event.dropped = direction;
                // Ready or not, those who wait try, and ask for a new poll.
                event.directions |= direction;
            }
            events.add(event);
        }
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
