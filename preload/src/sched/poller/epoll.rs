//! The poller on epoll(7), edge-triggered. A file's registration goes when its last descriptor is closed.

use super::{BATCH, Event, Events, mask};
use crate::arch::x86_64::gate::idle_call;
use crate::raw;
use crate::sched::clock::NS_PER_S;
use crate::sched::idle::timespec;
use core::sync::atomic::AtomicU32;
use linux_raw_sys::general::{EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLET, epoll_event};
use syscalls::{Errno, Sysno};

const ENOSYS: isize = -38;

/// An epoll instance.
pub struct Epoll {
    pub descriptor: i32,
    /// epoll_pwait2(2) is not there (before Linux 5.11): times are rounded up to milliseconds.
    is_coarse: bool,
}

impl Epoll {
    pub fn open() -> Result<Epoll, Errno> {
        // SAFETY: takes a plain number.
        let fd =
            raw::check(unsafe { raw::call(Sysno::epoll_create1 as u32, [EPOLL_CLOEXEC as usize, 0, 0, 0, 0, 0]) })?;
        Ok(Epoll { descriptor: fd as i32, is_coarse: false })
    }

    /// Watches `fd` in `directions`; `is_known` tells that it was registered before.
    pub fn watch(&mut self, fd: i32, generation: u16, directions: u8, is_known: bool) -> Result<(), Errno> {
        let data = fd as u32 as u64 | u64::from(generation) << 32;
        let event = epoll_event { events: mask(directions) | EPOLLET, data };
        let control = |operation: u32| {
            let arguments =
                [self.descriptor as usize, operation as usize, fd as usize, &raw const event as usize, 0, 0];
            // SAFETY: the kernel reads one epoll_event.
            raw::check(unsafe { raw::call(Sysno::epoll_ctl as u32, arguments) })
        };
        let (first, second) = if is_known { (EPOLL_CTL_MOD, EPOLL_CTL_ADD) } else { (EPOLL_CTL_ADD, EPOLL_CTL_MOD) };
        match control(first) {
            // The same file was registered under this number before it was closed, or was closed behind our back.
            Err(Errno::EEXIST | Errno::ENOENT) => control(second).map(drop),
            other => other.map(drop),
        }
    }

    /// What has happened, without waiting.
    pub fn look(&mut self) -> Events {
        let mut buffer = [epoll_event { events: 0, data: 0 }; BATCH];
        let arguments = [self.descriptor as usize, buffer.as_mut_ptr() as usize, BATCH, 0, 0, 0];
        // SAFETY: the kernel writes at most BATCH events.
        let count = unsafe { raw::call(Sysno::epoll_wait as u32, arguments) };
        told(&buffer, count)
    }

    /// Sleeps until something happens, `timeout` ns are over, or attention is wanted.
    pub fn wait(&mut self, timeout: Option<u64>, attention: &AtomicU32) -> Events {
        let mut buffer = [epoll_event { events: 0, data: 0 }; BATCH];
        let time = timeout.map(timespec);
        let pointer = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        let mut arguments = [self.descriptor as usize, buffer.as_mut_ptr() as usize, BATCH, pointer as usize, 0, 0];
        let mut count = ENOSYS;
        if !self.is_coarse {
            // SAFETY: the kernel writes at most BATCH events and reads the timespec, if there is one.
            count = unsafe { idle_call(Sysno::epoll_pwait2 as u32, arguments, attention.as_ptr()) };
        }
        if count == ENOSYS {
            self.is_coarse = true;
            const MS: u64 = NS_PER_S / 1000;
            arguments[3] = timeout.map_or(-1, |ns| i32::try_from(ns.div_ceil(MS)).unwrap_or(i32::MAX)) as usize;
            // SAFETY: as above.
            count = unsafe { idle_call(Sysno::epoll_wait as u32, arguments, attention.as_ptr()) };
        }
        told(&buffer, count)
    }
}

fn told(buffer: &[epoll_event; BATCH], count: isize) -> Events {
    let mut events = Events::none();
    for event in &buffer[..count.max(0) as usize] {
        let (mask, data) = (event.events, event.data);
        events.add(Event::new(data as u32 as i32, (data >> 32) as u16, mask));
    }
    events
}
