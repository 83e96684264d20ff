//! Watches: which tasks in poll(2) or select(2) wait for which file. A task in such a call has a chain of watches, one
//! for each file, and each file has a list of those on it, so that an event finds its tasks, and a task its files,
//! without a search.

use crate::sched::task::TaskId;
use alloc::vec::Vec;

/// A watch's place in the table.
pub type WatchId = u32;

/// No watch.
pub const NO_WATCH: WatchId = u32::MAX;

/// One task's interest in one file.
#[derive(Clone, Copy)]
pub struct Watch {
    pub task: TaskId,
    pub fd: i32,
    /// Directions that the task asks about.
    pub directions: u8,
    /// Next and previous of the same file.
    pub next: WatchId,
    previous: WatchId,
    /// Next of the same task, or next in the list of free places.
    chain: WatchId,
}

/// All watches.
pub struct Watches {
    table: Vec<Watch>,
    free: WatchId,
}

impl Watches {
    pub const fn new() -> Watches {
        Watches { table: Vec::new(), free: NO_WATCH }
    }

    /// The watch `id`.
    pub fn get(&self, id: WatchId) -> Watch {
        self.table[id as usize]
    }

    /// Adds a watch before the file's first and the task's first, which it replaces as such; its id. None if there is
    /// no memory.
    pub fn add(
        &mut self,
        task: TaskId,
        fd: i32,
        directions: u8,
        first_of_file: WatchId,
        chain: WatchId,
    ) -> Option<WatchId> {
        let watch = Watch { task, fd, directions, next: first_of_file, previous: NO_WATCH, chain };
        let id = if self.free != NO_WATCH {
            let id = self.free;
            self.free = self.table[id as usize].chain;
            self.table[id as usize] = watch;
            id
        } else {
            self.table.try_reserve(1).ok()?;
            self.table.push(watch);
            (self.table.len() - 1) as WatchId
        };
        if first_of_file != NO_WATCH {
            self.table[first_of_file as usize].previous = id;
        }
        Some(id)
    }

    /// Takes out `id`; the task's next watch, and, if it was its file's first, the file and its new first.
    pub fn remove(&mut self, id: WatchId) -> (WatchId, Option<(i32, WatchId)>) {
        let Watch { fd, next, previous, chain, .. } = self.table[id as usize];
        if next != NO_WATCH {
            self.table[next as usize].previous = previous;
        }
        let replaced = if previous == NO_WATCH {
            Some((fd, next))
        } else {
            self.table[previous as usize].next = next;
            None
        };
        self.table[id as usize].chain = self.free;
        self.free = id;
        (chain, replaced)
    }

    /// Makes the watches of one file, beginning with `first`, ones of `fd`.
    pub fn move_all(&mut self, first: WatchId, fd: i32) {
        let mut at = first;
        while at != NO_WATCH {
            self.table[at as usize].fd = fd;
            at = self.table[at as usize].next;
        }
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.table.clear();
        self.free = NO_WATCH;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_leaves_both_lists_from_any_place() {
        let mut watches = Watches::new();
        let mut first = NO_WATCH;
        let ids: Vec<_> = (0..3)
            .map(|task| {
                first = watches.add(task, 5, 1, first, NO_WATCH).unwrap();
                first
            })
            .collect();
        let tasks = |watches: &Watches, mut at: WatchId| {
            let mut found = Vec::new();
            while at != NO_WATCH {
                found.push(watches.get(at).task);
                at = watches.get(at).next;
            }
            found
        };
        assert_eq!(tasks(&watches, first), [2, 1, 0]);
        assert_eq!(watches.remove(ids[1]), (NO_WATCH, None));
        assert_eq!(tasks(&watches, first), [2, 0]);
        assert_eq!(watches.remove(ids[2]), (NO_WATCH, Some((5, ids[0]))));
        assert_eq!(tasks(&watches, ids[0]), [0]);
        let reused = watches.add(9, 6, 1, NO_WATCH, ids[0]).unwrap();
        assert_eq!(reused, ids[2]);
        assert_eq!(watches.remove(reused).0, ids[0]);
    }
}
