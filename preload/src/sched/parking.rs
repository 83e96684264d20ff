//! Where tasks that wait for a futex stand: a hash table of addresses, each with a ring of waiters, first come first. Every operation
//! takes the same time however many wait. The table links through the tasks and allocates only to grow. A bucket is
//! the unit that several workers would lock; a task is entered only after its registers are saved (rule 4 of the design).

use crate::sched::task::{NONE, TaskId, Tasks, Wait};
use alloc::vec::Vec;

const FIRST_SIZE: usize = 256;

/// The waiters of all futexes of the process.
pub struct Parking {
    /// First waiter of the first address of each bucket; a power of two of them.
    buckets: Vec<TaskId>,
    /// Addresses that have waiters.
    addresses: usize,
}

impl Parking {
    pub const fn new() -> Parking {
        Parking { buckets: Vec::new(), addresses: 0 }
    }

    /// Makes the table; called once before any use.
    pub fn prepare(&mut self) {
        self.buckets = alloc::vec![NONE; FIRST_SIZE];
        self.addresses = 0;
    }

    #[inline(always)]
    fn bucket(&self, key: u64) -> usize {
        // Fibonacci hashing: futex words are at least four bytes apart.
        ((key >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (self.buckets.len() - 1)
    }

    /// The first waiter of `key`.
    #[inline(always)]
    fn head(&self, tasks: &Tasks, key: u64) -> Option<TaskId> {
        let mut id = self.buckets[self.bucket(key)];
        while id != NONE {
            if tasks[id].key == key {
                return Some(id);
            }
            id = tasks[id].bucket_next;
        }
        None
    }

    /// Puts `id` behind all waiters of `key`.
    #[inline(always)]
    pub fn enter(&mut self, tasks: &mut Tasks, id: TaskId, key: u64, bitset: u32) {
        tasks[id].wait = Wait::Futex;
        tasks[id].key = key;
        tasks[id].bitset = bitset;
        if let Some(head) = self.head(tasks, key) {
            let last = tasks[head].ring_previous;
            tasks[id].is_queue_head = false;
            tasks[id].ring_previous = last;
            tasks[id].ring_next = head;
            tasks[last].ring_next = id;
            tasks[head].ring_previous = id;
            if tasks[last].priority < tasks[id].priority {
                self.advance(tasks, id, head);
            }
            return;
        }
        if self.addresses >= 2 * self.buckets.len() {
            self.grow(tasks);
        }
        let bucket = self.bucket(key);
        let task = &mut tasks[id];
        task.is_queue_head = true;
        task.ring_next = id;
        task.ring_previous = id;
        task.bucket_next = self.buckets[bucket];
        self.buckets[bucket] = id;
        self.addresses += 1;
    }

    /// Moves `id`, which has just been put behind all others of the ring of `head`, before those of lower real-time
    /// priority, as the kernel's queue does (plist).
    #[cold]
    fn advance(&mut self, tasks: &mut Tasks, id: TaskId, head: TaskId) {
        let mut place = head;
        while tasks[place].priority >= tasks[id].priority {
            place = tasks[place].ring_next;
        }
        let last = tasks[id].ring_previous;
        if place != head {
            tasks[last].ring_next = head;
            tasks[head].ring_previous = last;
            let before = tasks[place].ring_previous;
            tasks[before].ring_next = id;
            tasks[id].ring_previous = before;
            tasks[id].ring_next = place;
            tasks[place].ring_previous = id;
            return;
        }
        // The ring stays as it is, but begins with `id`.
        let bucket = self.bucket(tasks[id].key);
        let mut at = self.buckets[bucket];
        if at == head {
            self.buckets[bucket] = id;
        } else {
            while tasks[at].bucket_next != head {
                at = tasks[at].bucket_next;
            }
            tasks[at].bucket_next = id;
        }
        tasks[id].bucket_next = tasks[head].bucket_next;
        tasks[id].is_queue_head = true;
        tasks[head].is_queue_head = false;
    }

    /// Takes `id` out, wherever it stands.
    pub fn leave(&mut self, tasks: &mut Tasks, id: TaskId) {
        let (next, previous) = (tasks[id].ring_next, tasks[id].ring_previous);
        if tasks[id].is_queue_head {
            let follower = tasks[id].bucket_next;
            let replacement = if next == id {
                self.addresses -= 1;
                follower
            } else {
                tasks[next].is_queue_head = true;
                tasks[next].bucket_next = follower;
                next
            };
            let bucket = self.bucket(tasks[id].key);
            let mut at = self.buckets[bucket];
            if at == id {
                self.buckets[bucket] = replacement;
            } else {
                while tasks[at].bucket_next != id {
                    at = tasks[at].bucket_next;
                }
                tasks[at].bucket_next = replacement;
            }
            tasks[id].is_queue_head = false;
        }
        tasks[next].ring_previous = previous;
        tasks[previous].ring_next = next;
        tasks[id].wait = Wait::Nothing;
    }

    /// Takes out the first waiter of `key` that listens to one of `bitset`.
    #[inline(always)]
    pub fn take(&mut self, tasks: &mut Tasks, key: u64, bitset: u32) -> Option<TaskId> {
        let bucket = self.bucket(key);
        let first = self.buckets[bucket];
        if first == NONE {
            return None;
        }
        // Most often the bucket's only address is this one, and has one waiter.
        let task = &mut tasks[first];
        if task.key == key && task.ring_next == first && task.bitset & bitset != 0 {
            self.buckets[bucket] = task.bucket_next;
            self.addresses -= 1;
            task.is_queue_head = false;
            task.wait = Wait::Nothing;
            return Some(first);
        }
        self.take_one_of_several(tasks, key, bitset)
    }

    fn take_one_of_several(&mut self, tasks: &mut Tasks, key: u64, bitset: u32) -> Option<TaskId> {
        let head = self.head(tasks, key)?;
        let mut id = head;
        loop {
            if tasks[id].bitset & bitset != 0 {
                self.leave(tasks, id);
                return Some(id);
            }
            id = tasks[id].ring_next;
            if id == head {
                return None;
            }
        }
    }

    /// Moves the first waiter of `from` behind those of `to`.
    pub fn requeue(&mut self, tasks: &mut Tasks, from: u64, to: u64) -> bool {
        let Some(id) = self.head(tasks, from) else { return false };
        let bitset = tasks[id].bitset;
        self.leave(tasks, id);
        self.enter(tasks, id, to, bitset);
        true
    }

    /// The first waiter of `key`.
    pub fn first(&self, tasks: &Tasks, key: u64) -> Option<TaskId> {
        self.head(tasks, key)
    }

    /// Whether anyone waits for `key`.
    pub fn has_waiter(&self, tasks: &Tasks, key: u64) -> bool {
        self.head(tasks, key).is_some()
    }

    fn grow(&mut self, tasks: &mut Tasks) {
        let size = self.buckets.len() * 4;
        let mut larger = Vec::new();
        if larger.try_reserve_exact(size).is_err() {
            return;
        }
        larger.resize(size, NONE);
        let smaller = core::mem::replace(&mut self.buckets, larger);
        for mut id in smaller {
            while id != NONE {
                let next = tasks[id].bucket_next;
                let bucket = self.bucket(tasks[id].key);
                tasks[id].bucket_next = self.buckets[bucket];
                self.buckets[bucket] = id;
                id = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(count: usize) -> (Tasks, Parking, Vec<TaskId>) {
        let mut tasks = Tasks::new();
        tasks.reserve().unwrap();
        let ids = (0..count).map(|_| tasks.allocate(core::ptr::null_mut()).unwrap()).collect();
        let mut parking = Parking::new();
        parking.prepare();
        (tasks, parking, ids)
    }

    #[test]
    fn waiters_are_taken_in_order_of_arrival() {
        let (mut tasks, mut parking, ids) = setting(4);
        for &id in &ids {
            parking.enter(&mut tasks, id, 0x1000, u32::MAX);
        }
        let taken: Vec<_> = core::iter::from_fn(|| parking.take(&mut tasks, 0x1000, u32::MAX)).collect();
        assert_eq!(taken, ids);
        assert!(!parking.has_waiter(&tasks, 0x1000));
    }

    #[test]
    fn real_time_waiters_are_taken_by_priority() {
        let (mut tasks, mut parking, ids) = setting(6);
        for (&id, priority) in ids.iter().zip([0, 5, 5, 0, 9, 1]) {
            tasks[id].priority = priority;
            parking.enter(&mut tasks, id, 0x1000, u32::MAX);
        }
        let taken: Vec<_> = core::iter::from_fn(|| parking.take(&mut tasks, 0x1000, u32::MAX)).collect();
        assert_eq!(taken, [4, 1, 2, 5, 0, 3].map(|place| ids[place]));
    }

    #[test]
    fn a_bitset_chooses_among_waiters() {
        let (mut tasks, mut parking, ids) = setting(3);
        for (place, &id) in ids.iter().enumerate() {
            parking.enter(&mut tasks, id, 0x1000, 1 << place);
        }
        assert_eq!(parking.take(&mut tasks, 0x1000, 0b100), Some(ids[2]));
        assert_eq!(parking.take(&mut tasks, 0x1000, 0b100), None);
        assert_eq!(parking.take(&mut tasks, 0x1000, 0b111), Some(ids[0]));
    }

    #[test]
    fn leaving_from_any_place_keeps_the_rest_in_order() {
        for gone in 0..5 {
            let (mut tasks, mut parking, mut ids) = setting(5);
            for &id in &ids {
                parking.enter(&mut tasks, id, 0x2000, u32::MAX);
            }
            parking.leave(&mut tasks, ids.remove(gone));
            let taken: Vec<_> = core::iter::from_fn(|| parking.take(&mut tasks, 0x2000, u32::MAX)).collect();
            assert_eq!(taken, ids);
        }
    }

    #[test]
    fn addresses_of_one_bucket_do_not_mix() {
        let (mut tasks, mut parking, ids) = setting(2000);
        for (place, &id) in ids.iter().enumerate() {
            parking.enter(&mut tasks, id, 4 * place as u64, u32::MAX);
        }
        for (place, &id) in ids.iter().enumerate().rev() {
            assert_eq!(parking.take(&mut tasks, 4 * place as u64, u32::MAX), Some(id));
        }
        assert_eq!(parking.addresses, 0);
        assert!(parking.buckets.iter().all(|&head| head == NONE));
    }

    #[test]
    fn requeue_moves_to_the_end_of_the_other_address() {
        let (mut tasks, mut parking, ids) = setting(3);
        parking.enter(&mut tasks, ids[0], 0x10, u32::MAX);
        parking.enter(&mut tasks, ids[1], 0x10, u32::MAX);
        parking.enter(&mut tasks, ids[2], 0x20, u32::MAX);
        assert!(parking.requeue(&mut tasks, 0x10, 0x20));
        assert_eq!(parking.take(&mut tasks, 0x10, u32::MAX), Some(ids[1]));
        assert!(!parking.requeue(&mut tasks, 0x10, 0x20));
        assert_eq!(parking.take(&mut tasks, 0x20, u32::MAX), Some(ids[2]));
        assert_eq!(parking.take(&mut tasks, 0x20, u32::MAX), Some(ids[0]));
    }
}
