//! The sleepers of a worker: which task is to be woken next, and when.
//!
//! An implicit heap with four children a node (shallower than a binary heap, and the four children share one or two cache lines),
//! ordered by deadline and, among equal deadlines, by insertion, so that first to sleep is first to wake. A dense table
//! tells where in the heap a task stands, so that a task woken early is taken out in O(log n). Deadlines are nanoseconds on
//! any one clock; this file never reads a clock. No call aborts when memory is out.

use alloc::vec::Vec;

/// Children of a heap node.
const ARITY: usize = 4;

/// The position of a task that is not in the heap.
const ABSENT: u32 = u32::MAX;

/// There is no memory for another sleeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// One sleeper.
#[derive(Clone, Copy)]
struct Entry {
    deadline: u64,
    /// Counts insertions and wraps around: among equal deadlines, those that are nearer to the past came first.
    sequence: u32,
    task: u32,
}

impl Entry {
    fn is_before(&self, other: &Self) -> bool {
        let came_before = (self.sequence.wrapping_sub(other.sequence) as i32) < 0;
        self.deadline < other.deadline || (self.deadline == other.deadline && came_before)
    }
}

/// Tasks with deadlines, each task at most once.
pub struct Timers {
    heap: Vec<Entry>,
    /// Where in the heap a task stands, indexed by task id.
    position: Vec<u32>,
    /// How many insertions there were; orders equal deadlines.
    sequence: u32,
}

impl Timers {
    /// No sleepers, and no memory taken yet.
    pub const fn new() -> Self {
        Self { heap: Vec::new(), position: Vec::new(), sequence: 0 }
    }

    /// Makes room so that tasks with ids below `tasks` can all sleep at once without further memory.
    #[cfg(test)]
    fn reserve(&mut self, tasks: usize) -> Result<(), OutOfMemory> {
        self.heap.try_reserve(tasks.saturating_sub(self.heap.len())).map_err(|_| OutOfMemory)?;
        self.grow_positions(tasks)
    }

    /// Adds `task`, to be woken at `deadline` (ns). The task must not be in already. On failure nothing has changed.
    pub fn insert(&mut self, task: u32, deadline: u64) -> Result<(), OutOfMemory> {
        self.heap.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.grow_positions(task as usize + 1)?;
        debug_assert_eq!(self.position[task as usize], ABSENT, "a task sleeps once at a time");
        let entry = Entry { deadline, sequence: self.sequence, task };
        self.sequence = self.sequence.wrapping_add(1);
        self.heap.push(entry);
        self.rise(self.heap.len() - 1, entry);
        Ok(())
    }

    /// Takes `task` out before its time; whether it was in.
    pub fn remove(&mut self, task: u32) -> bool {
        match self.position.get(task as usize) {
            None | Some(&ABSENT) => false,
            Some(&index) => {
                self.take(index as usize);
                true
            }
        }
    }

    /// The earliest deadline (ns), in O(1).
    #[inline(always)]
    pub fn next_deadline(&self) -> Option<u64> {
        self.heap.first().map(|entry| entry.deadline)
    }

    /// Takes out the next task whose deadline is at or before `now` (ns).
    pub fn pop_due(&mut self, now: u64) -> Option<u32> {
        let first = *self.heap.first()?;
        if first.deadline > now {
            return None;
        }
        self.take(0);
        Some(first.task)
    }

    /// How many tasks sleep.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no task sleeps.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Takes out every task; memory is kept.
    pub fn clear(&mut self) {
        self.heap.clear();
        self.position.fill(ABSENT);
    }

    fn grow_positions(&mut self, tasks: usize) -> Result<(), OutOfMemory> {
        let missing = tasks.saturating_sub(self.position.len());
        if missing > 0 {
            self.position.try_reserve(missing).map_err(|_| OutOfMemory)?;
            self.position.resize(tasks, ABSENT);
        }
        Ok(())
    }

    /// Removes the entry at `index` and closes the gap with the last entry.
    fn take(&mut self, index: usize) {
        let removed = self.heap.swap_remove(index);
        self.position[removed.task as usize] = ABSENT;
        if let Some(&moved) = self.heap.get(index) {
            if moved.is_before(&removed) {
                self.rise(index, moved);
            } else {
                self.sink(index, moved);
            }
        }
    }

    /// Moves the gap at `index` towards the root until `entry` may stand in it.
    fn rise(&mut self, mut index: usize, entry: Entry) {
        while index > 0 {
            let parent = (index - 1) / ARITY;
            if !entry.is_before(&self.heap[parent]) {
                break;
            }
            self.place(index, self.heap[parent]);
            index = parent;
        }
        self.place(index, entry);
    }

    /// Moves the gap at `index` towards the leaves until `entry` may stand in it.
    fn sink(&mut self, mut index: usize, entry: Entry) {
        loop {
            let first = index * ARITY + 1;
            let end = (first + ARITY).min(self.heap.len());
            if first >= end {
                break;
            }
            let mut least = first;
            for child in first + 1..end {
                if self.heap[child].is_before(&self.heap[least]) {
                    least = child;
                }
            }
            if !self.heap[least].is_before(&entry) {
                break;
            }
            self.place(index, self.heap[least]);
            index = least;
        }
        self.place(index, entry);
    }

    fn place(&mut self, index: usize, entry: Entry) {
        self.heap[index] = entry;
        self.position[entry.task as usize] = index as u32;
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Numbers that look random and are the same in every run (Knuth's MMIX generator).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }
    }

    fn assert_ordered(timers: &Timers) {
        for (index, entry) in timers.heap.iter().enumerate() {
            assert_eq!(timers.position[entry.task as usize] as usize, index);
            assert!(index == 0 || !entry.is_before(&timers.heap[(index - 1) / ARITY]));
        }
    }

    #[test]
    fn empty_has_nothing_due() {
        let mut timers = Timers::new();
        assert_eq!(timers.next_deadline(), None);
        assert_eq!(timers.pop_due(u64::MAX), None);
        assert!(!timers.remove(7));
        assert!(timers.is_empty());
    }

    #[test]
    fn nothing_is_due_before_its_deadline() {
        let mut timers = Timers::new();
        timers.insert(3, 100).unwrap();
        assert_eq!(timers.pop_due(99), None);
        assert_eq!(timers.next_deadline(), Some(100));
        assert_eq!(timers.pop_due(100), Some(3));
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn equal_deadlines_wake_in_the_order_of_insertion() {
        let mut timers = Timers::new();
        let order: Vec<u32> = (0..1_000).map(|index| index * 7_919 % 1_000).collect();
        for task in &order {
            timers.insert(*task, 5).unwrap();
        }
        let woken: Vec<u32> = core::iter::from_fn(|| timers.pop_due(5)).collect();
        assert_eq!(woken, order);
    }

    #[test]
    fn agrees_with_a_sorted_map_over_random_insertions_removals_and_wakes() {
        let mut numbers = Numbers(1);
        let mut timers = Timers::new();
        let mut model = BTreeMap::new();
        let mut keys = vec![None; 500];
        for turn in 0..200_000_u64 {
            let task = numbers.below(500) as u32;
            match numbers.below(3) {
                0 if keys[task as usize].is_none() => {
                    let deadline = numbers.below(300);
                    timers.insert(task, deadline).unwrap();
                    model.insert((deadline, turn), task);
                    keys[task as usize] = Some((deadline, turn));
                }
                1 => {
                    let key = keys[task as usize].take();
                    assert_eq!(timers.remove(task), key.is_some());
                    key.map(|key| model.remove(&key));
                }
                2 => {
                    let now = numbers.below(300);
                    let due = model.first_key_value().filter(|(key, _)| key.0 <= now).map(|(key, task)| (*key, *task));
                    assert_eq!(timers.pop_due(now), due.map(|(_, task)| task));
                    if let Some((key, task)) = due {
                        model.remove(&key);
                        keys[task as usize] = None;
                    }
                }
                _ => {}
            }
            assert_eq!(timers.len(), model.len());
            assert_eq!(timers.next_deadline(), model.first_key_value().map(|(key, _)| key.0));
            if turn % 1_000 == 0 {
                assert_ordered(&timers);
            }
        }
    }

    #[test]
    fn holds_a_million_sleepers() {
        const COUNT: u32 = 1_000_000;
        let mut timers = Timers::new();
        let mut numbers = Numbers(2);
        timers.reserve(COUNT as usize).unwrap();
        let (heap, positions) = (timers.heap.capacity(), timers.position.capacity());
        for task in 0..COUNT {
            timers.insert(task, numbers.below(1 << 30)).unwrap();
        }
        assert_eq!((timers.heap.capacity(), timers.position.capacity()), (heap, positions), "the reserve sufficed");
        for task in (0..COUNT).step_by(2) {
            assert!(timers.remove(task));
        }
        let (mut woken, mut last) = (0, 0);
        while let Some(deadline) = timers.next_deadline() {
            assert!(deadline >= last);
            last = deadline;
            assert_eq!(timers.pop_due(deadline).unwrap() % 2, 1);
            woken += 1;
        }
        assert_eq!(woken, COUNT / 2);
    }

    #[test]
    fn clear_forgets_every_sleeper() {
        let mut timers = Timers::new();
        for task in 0..10 {
            timers.insert(task, 1).unwrap();
        }
        timers.clear();
        assert!(timers.is_empty() && !timers.remove(4));
        timers.insert(4, 2).unwrap();
        assert_eq!(timers.pop_due(2), Some(4));
    }

    #[test]
    fn too_large_a_reserve_is_an_error_and_changes_nothing() {
        let mut timers = Timers::new();
        timers.insert(1, 1).unwrap();
        assert_eq!(timers.reserve(usize::MAX / 64), Err(OutOfMemory));
        assert_eq!(timers.len(), 1);
        assert_eq!(timers.pop_due(1), Some(1));
    }
}
