//! The run queue: tasks that can go on, first come, first served; those of real-time policies before all others
//! (`real_time.rs`). It links through the tasks themselves and so never allocates for the usual ones.

use crate::sched::real_time::RealTime;
use crate::sched::task::{NONE, State, TaskId, Tasks};

/// A first-in, first-out queue of ready tasks.
pub struct RunQueue {
    head: TaskId,
    tail: TaskId,
    length: u32,
    pub real_time: RealTime,
}

impl RunQueue {
    pub const fn new() -> RunQueue {
        RunQueue { head: NONE, tail: NONE, length: 0, real_time: RealTime::new() }
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.head == NONE && self.real_time.count == 0
    }

    #[cfg(test)]
    fn len(&self) -> u32 {
        self.length
    }

    /// Appends `id`, which is in no queue, and marks it ready.
    #[inline(always)]
    pub fn push(&mut self, tasks: &mut Tasks, id: TaskId) {
        if tasks[id].priority != 0 && self.real_time.push(tasks, id, false) {
            return;
        }
        let task = &mut tasks[id];
        task.state = State::Ready;
        task.next = NONE;
        if self.head == NONE {
            self.head = id;
        } else {
            tasks[self.tail].next = id;
        }
        self.tail = id;
        self.length += 1;
    }

    /// Puts `id`, which is in no queue, before all others, and marks it ready.
    pub fn push_front(&mut self, tasks: &mut Tasks, id: TaskId) {
        if tasks[id].priority != 0 && self.real_time.push(tasks, id, true) {
            return;
        }
        let task = &mut tasks[id];
        task.state = State::Ready;
        task.next = self.head;
        if self.head == NONE {
            self.tail = id;
        }
        self.head = id;
        self.length += 1;
    }

    /// Takes the task that has waited longest.
    #[inline(always)]
    pub fn pop(&mut self, tasks: &mut Tasks) -> Option<TaskId> {
        if self.real_time.count != 0 && (self.head == NONE || !self.real_time.is_throttled) {
            return self.real_time.pop(tasks);
        }
        if self.head == NONE {
            return None;
        }
        let id = self.head;
        self.head = tasks[id].next;
        tasks[id].next = NONE;
        self.length -= 1;
        Some(id)
    }

    /// Whether tasks that are not of a real-time policy are ready.
    pub fn has_others(&self) -> bool {
        self.head != NONE
    }

    /// Takes `id`, which is ready, out, wherever it stands.
    pub fn remove(&mut self, tasks: &mut Tasks, id: TaskId) {
        if self.real_time.remove(tasks, id) {
            return;
        }
        let (mut previous, mut at) = (NONE, self.head);
        while at != NONE && at != id {
            (previous, at) = (at, tasks[at].next);
        }
        if at == NONE {
            return;
        }
        let next = tasks[id].next;
        if previous == NONE {
            self.head = next;
        } else {
            tasks[previous].next = next;
        }
        if self.tail == id {
            self.tail = previous;
        }
        tasks[id].next = NONE;
        self.length -= 1;
    }

    /// Forgets all entries (in the child of a fork, whose other threads are gone).
    pub fn clear(&mut self) {
        *self = RunQueue::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_ready_first_run() {
        let mut tasks = Tasks::new();
        tasks.reserve().unwrap();
        let mut queue = RunQueue::new();
        let ids: alloc::vec::Vec<_> = (0..3).map(|_| tasks.allocate(core::ptr::null_mut()).unwrap()).collect();
        for &id in &ids {
            queue.push(&mut tasks, id);
        }
        assert_eq!(queue.pop(&mut tasks), Some(ids[0]));
        queue.push(&mut tasks, ids[0]);
        assert_eq!(queue.len(), 3);
        let order: alloc::vec::Vec<_> = core::iter::from_fn(|| queue.pop(&mut tasks)).collect();
        assert_eq!(order, [ids[1], ids[2], ids[0]]);
        assert!(queue.is_empty());
    }
}
