//! What is known of the process's file descriptors, by number: what kind of file each is, whether the poller watches
//! it, whether it is known to have nothing to give, and which tasks wait for it. Entries are made on first use and
//! forgotten when the program closes the number. Nothing here calls the kernel.
//!
//! Each entry has two queues, first come first served: tasks that wait until the file can be read, and until it can be
//! written. Tasks in poll(2) wait for several files at once; they stand in lists of watches (`watches.rs`).

mod descriptor;
pub mod watches;

pub use descriptor::{Descriptor, Direction, Kind, NO_PEER};

use crate::sched::task::{NONE, TaskId, Tasks};
use alloc::vec::Vec;
use watches::Watches;

/// The table.
pub struct Descriptors {
    table: Vec<Descriptor>,
    pub watches: Watches,
    /// Numbers that the poller must be told of before it is used next.
    pub due: Vec<i32>,
    /// The same, before the worker sleeps only: both ends are ours, and the poller is most probably not needed.
    pub due_when_idle: Vec<i32>,
    /// Numbers that the poller refuses and tasks wait for.
    pub unwatchable: Vec<i32>,
    /// Duplicates that stand in for numbers which the program closed while tasks waited for them.
    pub stand_ins: Vec<i32>,
    /// One end of each pipe that was met, by inode.
    pipes: Vec<(u64, i32)>,
    /// Counts the changes of file flags that the program has made: flags seen before the last one are looked at again.
    pub flags_epoch: u32,
    /// The same for socket timeouts.
    pub timeouts_epoch: u32,
    /// Tasks in queues, and in poll(2).
    pub waiters: u32,
    /// The process has, or had, children: what it opens without grivet's notice may be shared with them.
    pub has_forked: bool,
}

impl Descriptors {
    pub const fn new() -> Descriptors {
        Descriptors {
            table: Vec::new(),
            watches: Watches::new(),
            due: Vec::new(),
            due_when_idle: Vec::new(),
            unwatchable: Vec::new(),
            stand_ins: Vec::new(),
            pipes: Vec::new(),
            flags_epoch: 1,
            timeouts_epoch: 1,
            waiters: 0,
            has_forked: false,
        }
    }

    /// The entry of `fd`, made if need be. None for a negative number, or if there is no memory.
    #[inline(always)]
    pub fn entry(&mut self, fd: i32) -> Option<&mut Descriptor> {
        if (fd as u32 as usize) >= self.table.len() {
            self.grow(fd)?;
        }
        self.table.get_mut(fd as usize)
    }

    #[cold]
    fn grow(&mut self, fd: i32) -> Option<()> {
        const FIRST: usize = 64;
        let wanted = (usize::try_from(fd).ok()? + 1).next_power_of_two().max(FIRST);
        // A number stands in each of these lists once at most: adding one never allocates.
        for list in [&mut self.due, &mut self.due_when_idle, &mut self.unwatchable] {
            list.try_reserve_exact(wanted - list.len()).ok()?;
        }
        self.table.try_reserve_exact(wanted - self.table.len()).ok()?;
        self.table.resize(wanted, Descriptor::blank(0));
        Some(())
    }

    /// The entry of `fd`, if there is one.
    #[inline(always)]
    pub fn get(&self, fd: i32) -> Option<&Descriptor> {
        self.table.get(fd as u32 as usize)
    }

    #[inline(always)]
    pub fn get_mut(&mut self, fd: i32) -> Option<&mut Descriptor> {
        self.table.get_mut(fd as u32 as usize)
    }

    /// Whether `fd` is one of grivet's own.
    #[inline(always)]
    pub fn is_private(&self, fd: i32) -> bool {
        self.get(fd).is_some_and(|entry| entry.kind == Kind::Private)
    }

    /// Numbers with an entry lie below this.
    pub fn end(&self) -> i32 {
        self.table.len() as i32
    }

    /// Forgets what was known of `fd`, whose number may be another file's from now on. No task may wait for it.
    pub fn forget(&mut self, fd: i32) {
        let Some(entry) = self.get_mut(fd) else { return };
        if entry.kind == Kind::Unknown && entry.watched == 0 {
            return;
        }
        let (peer, was_pipe) = (entry.peer, entry.kind == Kind::Pipe);
        *entry = Descriptor { is_due: entry.is_due, ..Descriptor::blank(entry.generation.wrapping_add(1)) };
        if let Some(other) = self.get_mut(peer)
            && other.peer == fd
        {
            other.peer = NO_PEER;
        }
        if was_pipe {
            self.pipes.retain(|&(_, end)| end != fd);
        }
    }

    /// Notes that `first` and `second` are the two ends of one pipe or socket pair.
    pub fn pair(&mut self, first: i32, second: i32) {
        for (fd, peer) in [(first, second), (second, first)] {
            if let Some(entry) = self.entry(fd) {
                entry.peer = peer;
            }
        }
    }

    /// Whether the process made the pipe or socket pair that `fd` is an end of, and no other process or number has an
    /// end of it.
    #[inline(always)]
    pub fn is_private_pair(&self, fd: i32) -> bool {
        self.get(fd).is_some_and(|entry| {
            entry.peer != NO_PEER
                && entry.was_made_here
                && !entry.may_be_shared
                && self.get(entry.peer).is_some_and(|other| !other.may_be_shared && other.peer == fd)
        })
    }

    /// `fd`, or its file, gets another number or is used past grivet: what goes through it will not all be seen.
    pub fn share(&mut self, fd: i32) {
        let Some(entry) = self.get_mut(fd) else { return };
        entry.may_be_shared = true;
        entry.is_exact = false;
        let peer = entry.peer;
        if let Some(other) = self.get_mut(peer) {
            other.may_be_shared = true;
            other.is_exact = false;
        }
    }

    /// Bytes go through `fd` that are not counted.
    #[inline(always)]
    pub fn lose_count(&mut self, fd: i32) {
        if let Some(entry) = self.get_mut(fd)
            && entry.peer != NO_PEER
        {
            entry.is_exact = false;
            let peer = entry.peer;
            if let Some(other) = self.get_mut(peer) {
                other.is_exact = false;
            }
        }
    }

    /// What was seen of the pipe or socket pair that `fd` is an end of was wrong: another process has it, too.
    pub fn unpair(&mut self, fd: i32) {
        let Some(entry) = self.get_mut(fd) else { return };
        let peer = core::mem::replace(&mut entry.peer, NO_PEER);
        if let Some(other) = self.get_mut(peer) {
            other.peer = NO_PEER;
        }
    }

    /// Notes that `fd` is an end of the pipe `inode`; pairs it with the other end if that is known. `opposite` tells
    /// whether a known end is the other one.
    pub fn note_pipe(&mut self, fd: i32, inode: u64, opposite: impl Fn(i32) -> bool) {
        const REMEMBERED: usize = 4096;
        if let Some(place) = self.pipes.iter().position(|&(known, end)| known == inode && end != fd && opposite(end)) {
            let (_, end) = self.pipes.swap_remove(place);
            self.pair(fd, end);
        } else if self.pipes.len() < REMEMBERED && self.pipes.try_reserve(1).is_ok() {
            self.pipes.push((inode, fd));
        }
    }

    /// Puts `id` behind all waiters of `fd` in `direction`, or before them.
    #[inline]
    pub fn enter(&mut self, tasks: &mut Tasks, id: TaskId, fd: i32, direction: Direction, at_front: bool) {
        tasks[id].key = (fd as u32 as u64) << 2 | u64::from(direction.bit());
        self.waiters += 1;
        let Some(entry) = self.get_mut(fd) else { return };
        let head = entry.first(direction);
        if head == NONE {
            tasks[id].ring_next = id;
            tasks[id].ring_previous = id;
            entry.set_first(direction, id);
            return;
        }
        let last = tasks[head].ring_previous;
        tasks[id].ring_previous = last;
        tasks[id].ring_next = head;
        tasks[last].ring_next = id;
        tasks[head].ring_previous = id;
        if at_front {
            entry.set_first(direction, id);
        }
    }

    /// Takes `id` out of the queue that it stands in.
    #[inline]
    pub fn leave(&mut self, tasks: &mut Tasks, id: TaskId) {
        let (fd, direction) = place_of(tasks[id].key);
        self.waiters -= 1;
        let (next, previous) = (tasks[id].ring_next, tasks[id].ring_previous);
        let Some(entry) = self.get_mut(fd) else { return };
        if entry.first(direction) == id {
            entry.set_first(direction, if next == id { NONE } else { next });
        }
        tasks[next].ring_previous = previous;
        tasks[previous].ring_next = next;
    }

    /// Puts `fd` into the list of those that the poller must be told of.
    #[inline]
    pub fn make_due(&mut self, fd: i32) {
        if let Some(entry) = self.get_mut(fd)
            && !entry.is_due
        {
            entry.is_due = true;
            self.due.push(fd);
        }
    }

    /// Puts `fd` into the list of those that the poller must be told of before the worker sleeps.
    #[inline]
    pub fn make_due_when_idle(&mut self, fd: i32) {
        if let Some(entry) = self.get_mut(fd)
            && !entry.is_due
        {
            entry.is_due = true;
            self.due_when_idle.push(fd);
        }
    }

    /// Whether a look at the poller could make a task ready.
    #[inline(always)]
    pub fn has_waiters(&self) -> bool {
        self.waiters != 0
    }

    /// A child is about to be made, which shares all that is open.
    pub fn share_all(&mut self) {
        self.has_forked = true;
        for entry in &mut self.table {
            entry.may_be_shared = true;
        }
    }

    /// In the child of a fork: no other task waits, and the poller is the parent's. The numbers that stood in for
    /// closed ones are returned, to be closed.
    pub fn become_child(&mut self) -> Vec<i32> {
        for entry in &mut self.table {
            if entry.kind == Kind::Private {
                continue;
            }
            let known = Descriptor { kind: entry.kind, peer: entry.peer, may_be_shared: true, ..Descriptor::blank(0) };
            *entry = known;
        }
        self.watches.clear();
        self.due.clear();
        self.due_when_idle.clear();
        self.unwatchable.clear();
        self.waiters = 0;
        let stand_ins = core::mem::take(&mut self.stand_ins);
        for &fd in &stand_ins {
            self.forget(fd);
        }
        stand_ins
    }
}

/// The descriptor and direction that `Task::key` holds.
#[inline(always)]
pub fn place_of(key: u64) -> (i32, Direction) {
    let direction = if key & 3 == u64::from(Direction::Read.bit()) { Direction::Read } else { Direction::Write };
    ((key >> 2) as u32 as i32, direction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(count: usize) -> (Tasks, Descriptors, Vec<TaskId>) {
        let mut tasks = Tasks::new();
        tasks.reserve().unwrap();
        let ids = (0..count).map(|_| tasks.allocate(core::ptr::null_mut()).unwrap()).collect();
        (tasks, Descriptors::new(), ids)
    }

    fn drain(descriptors: &mut Descriptors, tasks: &mut Tasks, fd: i32, direction: Direction) -> Vec<TaskId> {
        core::iter::from_fn(|| {
            let first = descriptors.get(fd).unwrap().first(direction);
            (first != NONE).then(|| {
                descriptors.leave(tasks, first);
                first
            })
        })
        .collect()
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Descriptor>() <= 60, "{}", size_of::<Descriptor>());
    }

    #[test]
    fn waiters_leave_in_order_of_arrival_and_directions_do_not_mix() {
        let (mut tasks, mut descriptors, ids) = setting(4);
        descriptors.entry(7).unwrap();
        for (place, &id) in ids.iter().enumerate() {
            let direction = if place % 2 == 0 { Direction::Read } else { Direction::Write };
            descriptors.enter(&mut tasks, id, 7, direction, false);
        }
        assert_eq!(drain(&mut descriptors, &mut tasks, 7, Direction::Read), [ids[0], ids[2]]);
        assert_eq!(drain(&mut descriptors, &mut tasks, 7, Direction::Write), [ids[1], ids[3]]);
        assert_eq!(descriptors.waiters, 0);
    }

    #[test]
    fn one_that_tried_in_vain_stands_first_again() {
        let (mut tasks, mut descriptors, ids) = setting(3);
        descriptors.entry(3).unwrap();
        for &id in &ids[1..] {
            descriptors.enter(&mut tasks, id, 3, Direction::Read, false);
        }
        descriptors.enter(&mut tasks, ids[0], 3, Direction::Read, true);
        assert_eq!(drain(&mut descriptors, &mut tasks, 3, Direction::Read), ids);
    }

    #[test]
    fn a_forgotten_number_loses_its_other_end_and_its_generation() {
        let mut descriptors = Descriptors::new();
        descriptors.entry(200).unwrap().kind = Kind::Pipe;
        descriptors.entry(201).unwrap().kind = Kind::Pipe;
        descriptors.note_pipe(200, 99, |_| true);
        descriptors.note_pipe(201, 99, |_| true);
        assert_eq!(descriptors.get(200).unwrap().peer, 201);
        let generation = descriptors.get(201).unwrap().generation;
        descriptors.forget(201);
        assert_eq!(descriptors.get(200).unwrap().peer, NO_PEER);
        assert_ne!(descriptors.get(201).unwrap().generation, generation);
        assert!(descriptors.entry(-1).is_none());
    }
}
