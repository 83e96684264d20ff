//! From the poller to the tasks: telling it what tasks wait for, and letting those try whose files have become ready.

use super::make_retry;
use super::together::{self, Candidates};
use crate::kernel::{descriptors, poll, pool};
use crate::sched::descriptors::watches::NO_WATCH;
use crate::sched::descriptors::{Direction, Kind};
use crate::sched::poller::{Event, Events};
use crate::sched::task::NONE;
use crate::sched::worker::Worker;
use syscalls::Errno;

/// Notes that `fd` has become ready in `directions`, and lets those who wait for that try.
pub fn became_ready(worker: &mut Worker, fd: i32, directions: u8, ended: bool) {
    let Some(entry) = worker.descriptors.get_mut(fd) else { return };
    entry.drained &= !directions;
    entry.assumed &= !directions;
    entry.ended |= ended;
    let mut watch = entry.watches;
    for direction in [Direction::Read, Direction::Write] {
        if directions & direction.bit() != 0 {
            wake_first(worker, fd, direction);
        }
    }
    while watch != NO_WATCH {
        let entry = worker.descriptors.watches.get(watch);
        if entry.directions & directions != 0 || ended {
            poll::try_again(worker, entry.task);
        }
        watch = entry.next;
    }
}

/// After one waiter has had its turn: the next one tries, if there may be something left.
pub fn pass_on(worker: &mut Worker, fd: i32, direction: Direction) {
    if let Some(entry) = worker.descriptors.get(fd)
        && entry.first(direction) != NONE
        && (entry.drained | entry.assumed) & direction.bit() == 0
    {
        wake_first(worker, fd, direction);
    }
}

/// Lets the first waiter of `fd` try again.
pub fn wake_first(worker: &mut Worker, fd: i32, direction: Direction) {
    let Some(entry) = worker.descriptors.get(fd) else { return };
    let id = entry.first(direction);
    if id != NONE {
        worker.descriptors.leave(&mut worker.tasks, id);
        make_retry(worker, id);
    }
}

/// Makes the poller's instance, unless it is there.
pub fn open_poller(worker: &mut Worker) -> Result<(), Errno> {
    if worker.poller.descriptor().is_some() {
        return Ok(());
    }
    let choice = worker.config.poller;
    let fd = worker.poller.open(choice)?;
    let fd = descriptors::make_private(worker, fd);
    worker.poller.adopt(fd);
    Ok(())
}

/// Tells the poller of all files that tasks wait for, before the worker sleeps.
pub fn register_all(worker: &mut Worker) {
    while let Some(fd) = worker.descriptors.due_when_idle.pop() {
        worker.descriptors.due.push(fd);
    }
    register_due(worker);
}

/// Tells the poller of all files that tasks have begun to wait for.
fn register_due(worker: &mut Worker) {
    while let Some(fd) = worker.descriptors.due.pop() {
        let Some(entry) = worker.descriptors.get_mut(fd) else { continue };
        entry.is_due = false;
        let mut wanted = 0;
        if entry.readers != NONE {
            wanted |= Direction::Read.bit();
        }
        if entry.writers != NONE {
            wanted |= Direction::Write.bit();
        }
        let (mut watch, watched, assumed, generation) = (entry.watches, entry.watched, entry.assumed, entry.generation);
        while watch != NO_WATCH {
            let one = worker.descriptors.watches.get(watch);
            wanted |= one.directions;
            watch = one.next;
        }
        if wanted & (!watched | assumed) == 0 {
            continue;
        }
        if open_poller(worker).is_err() {
            give_up_watching(worker, fd);
            continue;
        }
        match worker.poller.watch(fd, generation, wanted, watched) {
            Ok(()) => {
                if let Some(entry) = worker.descriptors.get_mut(fd) {
                    entry.watched |= wanted;
                    entry.assumed &= !wanted;
                }
            }
            Err(_) => give_up_watching(worker, fd),
        }
    }
}

/// The poller refuses `fd`: those who wait for it try again and again.
fn give_up_watching(worker: &mut Worker, fd: i32) {
    if let Some(entry) = worker.descriptors.get_mut(fd)
        && !core::mem::replace(&mut entry.is_unwatchable, true)
    {
        worker.descriptors.unwatchable.push(fd);
    }
}

/// Lets those who wait for files that the poller refuses try again.
pub fn try_unwatchable(worker: &mut Worker) {
    const BOTH: u8 = Direction::Read as u8 | Direction::Write as u8;
    while let Some(fd) = worker.descriptors.unwatchable.pop() {
        if let Some(entry) = worker.descriptors.get_mut(fd) {
            entry.is_unwatchable = false;
            if entry.has_waiters() {
                became_ready(worker, fd, BOTH, false);
                worker.descriptors.make_due(fd);
            }
        }
    }
}

/// Hands out what the poller found.
pub fn hand_out(worker: &mut Worker, events: &Events) {
    // The list is large, and most looks find little.
    let mut readers = (events.count() >= together::FEWEST).then(Candidates::new);
    for Event { fd, generation, directions, ended, dropped } in events.iter() {
        match worker.descriptors.get_mut(fd) {
            Some(entry) if entry.generation == generation => {
                entry.watched &= !dropped;
                if entry.kind == Kind::Private {
                    pool::collect(worker);
                    continue;
                }
                let reader = entry.readers;
                became_ready(worker, fd, directions, ended);
                if reader != NONE
                    && let Some(readers) = &mut readers
                {
                    readers.add(reader, fd);
                }
            }
            _ => {}
        }
    }
    if let Some(readers) = &readers {
        together::receive(worker, readers);
    }
}

/// Looks at the poller without waiting.
pub fn look(worker: &mut Worker) {
    if !worker.descriptors.unwatchable.is_empty() {
        try_unwatchable(worker);
    }
    register_due(worker);
    if !worker.poller.has_files() {
        return;
    }
    loop {
        let events = worker.poller.look();
        hand_out(worker, &events);
        if !events.is_full() {
            break;
        }
    }
}
