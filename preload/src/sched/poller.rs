//! The poller: tells which of the watched files have become ready. Behind a small interface stands epoll(7), edge-triggered: a file is
//! registered once and stays so until it is closed; an event is told once for each change.
//!
//! An event carries the descriptor number and its generation (`descriptors`): a file that lives on in another process or
//! under another number after its number was closed here goes on reporting, and is told by its old generation.

use crate::arch::x86_64::gate::idle_call;
use crate::raw;
use crate::sched::clock::NS_PER_S;
use crate::sched::descriptors::Direction;
use crate::sched::idle::timespec;
use core::sync::atomic::AtomicU32;
use linux_raw_sys::general::{
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP,
    epoll_event,
};
use syscalls::{Errno, Sysno};

/// Events taken at a time.
const BATCH: usize = 256;

/// What is told of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    pub fd: i32,
    pub generation: u16,
    /// Directions that have become ready.
    pub directions: u8,
    /// It has hung up, failed, or has urgent data.
    pub ended: bool,
}

/// The events of one look.
pub struct Events {
    raw: [epoll_event; BATCH],
    count: usize,
}

impl Events {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.raw[..self.count].iter().map(|event| {
            let (events, data) = (event.events, event.data);
            let directions = if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI) != 0 {
                Direction::Read.bit()
            } else {
                0
            } | if events & (EPOLLOUT | EPOLLHUP | EPOLLERR) != 0 { Direction::Write.bit() } else { 0 };
            Event {
                fd: data as u32 as i32,
                generation: (data >> 32) as u16,
                directions,
                ended: events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI) != 0,
            }
        })
    }

    /// Whether there may be more than were taken.
    pub fn is_full(&self) -> bool {
        self.count == BATCH
    }
}

/// The process's epoll instance, made on first use.
pub struct Poller {
    epoll: Option<i32>,
    /// Files registered so far.
    registered: bool,
    /// epoll_pwait2(2) is not there (before Linux 5.11): times are rounded up to milliseconds.
    is_coarse: bool,
}

impl Poller {
    pub const fn new() -> Poller {
        Poller { epoll: None, registered: false, is_coarse: false }
    }

    /// The descriptor of the instance, if there is one.
    pub fn descriptor(&self) -> Option<i32> {
        self.epoll
    }

    /// Makes an instance; its descriptor, which the caller moves out of the program's way and hands back by `adopt`.
    pub fn open() -> Result<i32, Errno> {
        // SAFETY: takes a plain number.
        raw::check(unsafe { raw::call(Sysno::epoll_create1 as u32, [EPOLL_CLOEXEC as usize, 0, 0, 0, 0, 0]) })
            .map(|fd| fd as i32)
    }

    /// The instance is `fd` from now on.
    pub fn adopt(&mut self, fd: i32) {
        self.epoll = Some(fd);
    }

    /// Whether a look could find anything.
    #[inline(always)]
    pub fn has_files(&self) -> bool {
        self.registered
    }

    /// Watches `fd` in `directions`; `is_known` tells that it was registered before. If it is ready already, the next look
    /// tells. EPERM if it can't be watched because it is always ready; ENOSPC, ENOMEM if the kernel's limits are reached.
    pub fn watch(&mut self, fd: i32, generation: u16, directions: u8, is_known: bool) -> Result<(), Errno> {
        let Some(epoll) = self.epoll else { return Err(Errno::EBADF) };
        let mut events = EPOLLET | EPOLLRDHUP;
        if directions & Direction::Read.bit() != 0 {
            events |= EPOLLIN | EPOLLPRI;
        }
        if directions & Direction::Write.bit() != 0 {
            events |= EPOLLOUT;
        }
        let event = epoll_event { events, data: fd as u32 as u64 | u64::from(generation) << 32 };
        let control = |operation: u32| {
            // SAFETY: the kernel reads one epoll_event.
            raw::check(unsafe {
                raw::call(
                    Sysno::epoll_ctl as u32,
                    [epoll as usize, operation as usize, fd as usize, &raw const event as usize, 0, 0],
                )
            })
        };
        let (first, second) =
            if is_known { (EPOLL_CTL_MOD, EPOLL_CTL_ADD) } else { (EPOLL_CTL_ADD, EPOLL_CTL_MOD) };
        match control(first) {
            // The same file was registered under this number before it was closed, or was closed behind our back.
            Err(Errno::EEXIST | Errno::ENOENT) => control(second)?,
            other => other?,
        };
        self.registered = true;
        Ok(())
    }

    /// What has happened, without waiting.
    pub fn look(&self) -> Events {
        let mut events = Events { raw: [epoll_event { events: 0, data: 0 }; BATCH], count: 0 };
        if let Some(epoll) = self.epoll {
            // SAFETY: the kernel writes at most BATCH events.
            let count = unsafe {
                raw::call(
                    Sysno::epoll_wait as u32,
                    [epoll as usize, events.raw.as_mut_ptr() as usize, BATCH, 0, 0, 0],
                )
            };
            events.count = count.max(0) as usize;
        }
        events
    }

    /// Sleeps until something happens, `timeout` ns are over (None: for ever), or attention is wanted.
    pub fn wait(&mut self, timeout: Option<u64>, attention: &AtomicU32) -> Events {
        let mut events = Events { raw: [epoll_event { events: 0, data: 0 }; BATCH], count: 0 };
        let Some(epoll) = self.epoll else { return events };
        let time = timeout.map(timespec);
        let pointer = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        let buffer = events.raw.as_mut_ptr() as usize;
        let mut count = -(Errno::ENOSYS.into_raw() as isize);
        if !self.is_coarse {
            let arguments = [epoll as usize, buffer, BATCH, pointer as usize, 0, 0];
            // SAFETY: the kernel writes at most BATCH events and reads the timespec, if there is one.
            count = unsafe { idle_call(Sysno::epoll_pwait2 as u32, arguments, attention.as_ptr()) };
        }
        if count == -(Errno::ENOSYS.into_raw() as isize) {
            self.is_coarse = true;
            const MS: u64 = NS_PER_S / 1000;
            let wait = timeout.map_or(-1, |ns| i32::try_from(ns.div_ceil(MS)).unwrap_or(i32::MAX));
            let arguments = [epoll as usize, buffer, BATCH, wait as usize, 0, 0];
            // SAFETY: as above.
            count = unsafe { idle_call(Sysno::epoll_wait as u32, arguments, attention.as_ptr()) };
        }
        events.count = count.max(0) as usize;
        events
    }
}
