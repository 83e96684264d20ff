//! The poller: tells which of the watched files have become ready. Two stand behind one interface: epoll(7)
//! (`epoll.rs`) and io_uring(7) with polls that stay armed (`polls.rs`). Both are edge-triggered: a file is registered
//! once, and an event is told once for each change.
//!
//! An event carries the descriptor number and its generation (`sched::descriptors`): a file that lives on in another
//! process or under another number after its number was closed here may go on reporting, and is told by its old
//! generation.

mod epoll;
mod polls;

use crate::raw;
use crate::sched::descriptors::Direction;
use core::sync::atomic::AtomicU32;
use epoll::Epoll;
use linux_raw_sys::general::{EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP};
use polls::Polls;
use syscalls::{Errno, Sysno};

/// Events taken at a time.
const BATCH: usize = 256;

/// Which poller to use (`GRIVET_POLLER`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    Epoll,
    /// io_uring if the kernel allows it, epoll otherwise.
    Ring,
}

/// What is told of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    pub fd: i32,
    pub generation: u16,
    /// Directions that have become ready.
    pub directions: u8,
    /// It has hung up, failed, or has urgent data.
    pub ended: bool,
    /// Directions that are not watched any more.
    pub dropped: u8,
}

impl Event {
    const NONE: Event = Event { fd: -1, generation: 0, directions: 0, ended: false, dropped: 0 };

    /// From a mask of poll(2)'s, which is epoll's and io_uring's as well.
    fn new(fd: i32, generation: u16, mask: u32) -> Event {
        const READ: u32 = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
        const WRITE: u32 = EPOLLOUT | EPOLLHUP | EPOLLERR;
        let read = if mask & READ != 0 { Direction::Read.bit() } else { 0 };
        let write = if mask & WRITE != 0 { Direction::Write.bit() } else { 0 };
        let ended = mask & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI) != 0;
        Event { fd, generation, directions: read | write, ended, dropped: 0 }
    }
}

/// The mask to ask for, for `directions`.
fn mask(directions: u8) -> u32 {
    let read = if directions & Direction::Read.bit() != 0 { EPOLLIN | EPOLLPRI } else { 0 };
    let write = if directions & Direction::Write.bit() != 0 { EPOLLOUT } else { 0 };
    read | write | EPOLLRDHUP
}

/// The events of one look.
pub struct Events {
    list: [Event; BATCH],
    count: usize,
}

impl Events {
    fn none() -> Events {
        Events { list: [Event::NONE; BATCH], count: 0 }
    }

    fn add(&mut self, event: Event) {
        if let Some(place) = self.list.get_mut(self.count) {
            *place = event;
            self.count += 1;
        }
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.list[..self.count].iter().copied()
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether there may be more than were taken.
    pub fn is_full(&self) -> bool {
        self.count == BATCH
    }
}

enum Instance {
    None,
    Epoll(Epoll),
    Polls(Polls),
}

/// The process's poller, made on first use.
pub struct Poller {
    instance: Instance,
    /// Files were registered.
    has_files: bool,
}

impl Poller {
    pub const fn new() -> Poller {
        Poller { instance: Instance::None, has_files: false }
    }

    /// Makes an instance; its descriptor, which the caller moves out of the program's way and hands back by `adopt`.
    /// EMFILE, ENFILE, ENOMEM.
    pub fn open(&mut self, choice: Choice) -> Result<i32, Errno> {
        self.instance = match choice {
            Choice::Ring => {
                Polls::open().map_or_else(|_| Epoll::open().map(Instance::Epoll), |polls| Ok(Instance::Polls(polls)))?
            }
            Choice::Epoll => Instance::Epoll(Epoll::open()?),
        };
        Ok(self.descriptor().unwrap_or(-1))
    }

    /// The descriptor of the instance, if there is one.
    pub fn descriptor(&self) -> Option<i32> {
        match &self.instance {
            Instance::None => None,
            Instance::Epoll(epoll) => Some(epoll.descriptor),
            Instance::Polls(polls) => Some(polls.ring.descriptor),
        }
    }

    /// The instance's descriptor is `fd` from now on.
    pub fn adopt(&mut self, fd: i32) {
        match &mut self.instance {
            Instance::None => {}
            Instance::Epoll(epoll) => epoll.descriptor = fd,
            Instance::Polls(polls) => polls.ring.descriptor = fd,
        }
    }

    /// In the child of a fork: the instance is the parent's. Its descriptor here, to be closed.
    pub fn become_child(&mut self) -> Option<i32> {
        let descriptor = self.descriptor();
        if let Instance::Polls(polls) = &mut self.instance {
            polls.ring.unmap();
        }
        *self = Poller::new();
        descriptor
    }

    /// Whether a look could find anything.
    #[inline(always)]
    pub fn has_files(&self) -> bool {
        self.has_files
    }

    /// Watches `fd` in the directions `more` as well as in those `watched` already. If it is ready, the next look
    /// tells. EPERM if it can't be watched because it is always ready; ENOSPC, ENOMEM if the kernel's limits are
    /// reached.
    pub fn watch(&mut self, fd: i32, generation: u16, more: u8, watched: u8) -> Result<(), Errno> {
        match &mut self.instance {
            Instance::None => return Err(Errno::EBADF),
            Instance::Epoll(epoll) => epoll.watch(fd, generation, more | watched, watched != 0)?,
            Instance::Polls(polls) => polls.watch(fd, generation, more, watched)?,
        }
        self.has_files = true;
        Ok(())
    }

    /// The program is about to close `fd`.
    pub fn forget(&mut self, fd: i32, generation: u16, watched: u8) {
        if let Instance::Polls(polls) = &mut self.instance
            && watched != 0
        {
            polls.forget(fd, generation, watched);
        }
    }

    /// What has happened, without waiting.
    pub fn look(&mut self) -> Events {
        match &mut self.instance {
            Instance::None => Events::none(),
            Instance::Epoll(epoll) => epoll.look(),
            Instance::Polls(polls) => polls.look(),
        }
    }

    /// Sleeps until something happens, `timeout` ns are over (None: for ever), or attention is wanted.
    pub fn wait(&mut self, timeout: Option<u64>, attention: &AtomicU32) -> Events {
        match &mut self.instance {
            Instance::None => Events::none(),
            Instance::Epoll(epoll) => epoll.wait(timeout, attention),
            Instance::Polls(polls) => polls.wait(timeout, attention),
        }
    }
}

/// Whether `fd` is a file that can become ready at all; a few devices, such as /dev/null, always are.
pub fn is_pollable(fd: i32) -> bool {
    let Ok(mut trial) = Epoll::open() else { return true };
    let answer = trial.watch(fd, 0, Direction::Read.bit(), false);
    // SAFETY: closes the instance made above.
    unsafe { raw::call(Sysno::close as u32, [trial.descriptor as usize, 0, 0, 0, 0, 0]) };
    answer != Err(Errno::EPERM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    const READ: u8 = Direction::Read as u8;
    const WRITE: u8 = Direction::Write as u8;

    fn opened(choice: Choice) -> Poller {
        let mut poller = Poller::new();
        poller.open(choice).unwrap();
        poller
    }

    fn one(events: &Events) -> Option<Event> {
        events.iter().next()
    }

    fn tells_each_change_once(choice: Choice) {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let mut poller = opened(choice);
        let fd = ours.as_raw_fd();
        let quiet = AtomicU32::new(0);
        poller.watch(fd, 7, READ, 0).unwrap();
        assert!(one(&poller.look()).is_none());
        theirs.write_all(b"x").unwrap();
        let event = one(&poller.wait(Some(1_000_000_000), &quiet)).expect("an event");
        assert_eq!((event.fd, event.generation, event.directions, event.ended), (fd, 7, READ, false));
        assert!(one(&poller.look()).is_none(), "told twice");
        ours.read_exact(&mut [0]).unwrap();
        poller.watch(fd, 7, WRITE, READ).unwrap();
        let event = one(&poller.look()).expect("it can be written");
        assert_eq!(event.directions & WRITE, WRITE);
        drop(theirs);
        let event = one(&poller.wait(Some(1_000_000_000), &quiet)).expect("the end");
        assert!(event.ended);
    }

    #[test]
    fn epoll_tells_each_change_once() {
        tells_each_change_once(Choice::Epoll);
    }

    #[test]
    fn ring_tells_each_change_once() {
        tells_each_change_once(Choice::Ring);
    }

    #[test]
    fn a_closed_file_is_closed_although_it_was_watched() {
        for choice in [Choice::Epoll, Choice::Ring] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let mut poller = opened(choice);
            poller.watch(ours.as_raw_fd(), 1, READ, 0).unwrap();
            poller.forget(ours.as_raw_fd(), 1, READ);
            drop(ours);
            assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
        }
    }

    #[test]
    fn a_wait_ends_in_time() {
        for choice in [Choice::Epoll, Choice::Ring] {
            let mut poller = opened(choice);
            let (ours, _theirs) = UnixStream::pair().unwrap();
            poller.watch(ours.as_raw_fd(), 1, READ, 0).unwrap();
            let begin = std::time::Instant::now();
            assert!(one(&poller.wait(Some(3_000_000), &AtomicU32::new(0))).is_none());
            assert!(begin.elapsed().as_nanos() >= 3_000_000);
            assert!(one(&poller.wait(None, &AtomicU32::new(1))).is_none(), "attention is wanted");
        }
    }

    #[test]
    fn devices_that_are_always_ready_are_known() {
        assert!(!is_pollable(std::fs::File::open("/dev/null").unwrap().as_raw_fd()));
        assert!(is_pollable(UnixStream::pair().unwrap().0.as_raw_fd()));
    }
}
