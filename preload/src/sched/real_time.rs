//! Ready tasks of the real-time policies (SCHED_FIFO, SCHED_RR; sched(7)): a queue for each priority, the highest first.
//! They go before all others, except that these get a twentieth of the time whatever the real-time tasks do, as the
//! kernel's throttling gives them (sched_rt_runtime_us). Few programs have any, so nothing here is on the usual way.

use crate::sched::task::{NONE, State, TaskId, Tasks};
use crate::sched::worker::WORKER;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// Ticks of the slice timer that real-time tasks have before others get one.
const TICKS_BEFORE_OTHERS: u32 = 19;

struct Class {
    priority: u8,
    head: TaskId,
    tail: TaskId,
}

/// The queues.
pub struct RealTime {
    /// By priority, highest first; a class stays once it was needed.
    classes: Vec<Class>,
    /// Tasks in all of them.
    pub count: u32,
    /// Priority of the running task; 0 if it is not a real-time one.
    pub running: u8,
    /// The others' turn: until the next tick, or until none of them is ready.
    pub is_throttled: bool,
    /// The slice timer stopped the running task only so that others are looked for.
    pub keeps: bool,
    ticks: u32,
    /// A task that goes before the running one has become ready.
    outranks: bool,
}

impl RealTime {
    pub const fn new() -> RealTime {
        RealTime {
            classes: Vec::new(),
            count: 0,
            running: 0,
            is_throttled: false,
            keeps: false,
            ticks: 0,
            outranks: false,
        }
    }

    /// Puts `id` at the end, or the front, of its priority's queue, and marks it ready. False without memory.
    #[cold]
    pub fn push(&mut self, tasks: &mut Tasks, id: TaskId, at_front: bool) -> bool {
        let priority = tasks[id].priority;
        let place = match self.classes.binary_search_by(|class| priority.cmp(&class.priority)) {
            Ok(place) => place,
            Err(place) => {
                if self.classes.try_reserve(1).is_err() {
                    return false;
                }
                self.classes.insert(place, Class { priority, head: NONE, tail: NONE });
                place
            }
        };
        let class = &mut self.classes[place];
        tasks[id].state = State::Ready;
        tasks[id].next = if at_front { class.head } else { NONE };
        if class.head == NONE {
            (class.head, class.tail) = (id, id);
        } else if at_front {
            class.head = id;
        } else {
            tasks[class.tail].next = id;
            class.tail = id;
        }
        self.count += 1;
        if priority > self.running && !self.is_throttled {
            self.ask_for_switch();
        }
        true
    }

    /// Takes the first of the highest priority.
    #[cold]
    pub fn pop(&mut self, tasks: &mut Tasks) -> Option<TaskId> {
        let class = self.classes.iter_mut().find(|class| class.head != NONE)?;
        let id = class.head;
        class.head = tasks[id].next;
        tasks[id].next = NONE;
        self.count -= 1;
        // None of the others was ready.
        self.is_throttled = false;
        Some(id)
    }

    /// Takes `id` out, if it is in a queue here.
    pub fn remove(&mut self, tasks: &mut Tasks, id: TaskId) -> bool {
        for class in &mut self.classes {
            let (mut previous, mut at) = (NONE, class.head);
            while at != NONE && at != id {
                (previous, at) = (at, tasks[at].next);
            }
            if at == NONE {
                continue;
            }
            let next = tasks[id].next;
            if previous == NONE {
                class.head = next;
            } else {
                tasks[previous].next = next;
            }
            if class.tail == id {
                class.tail = previous;
            }
            tasks[id].next = NONE;
            self.count -= 1;
            return true;
        }
        false
    }

    /// The highest priority that is ready; 0 if none is, or it is the others' turn.
    pub fn highest(&self) -> u8 {
        if self.is_throttled || self.count == 0 {
            return 0;
        }
        self.classes.iter().find(|class| class.head != NONE).map_or(0, |class| class.priority)
    }

    /// The running task has this priority from now on.
    pub fn set_running(&mut self, priority: u8) {
        self.running = priority;
        if self.highest() > priority {
            self.ask_for_switch();
        }
    }

    fn ask_for_switch(&mut self) {
        self.outranks = true;
        // SAFETY: an atomic word of a static.
        unsafe { (*WORKER.get()).attention.store(1, Ordering::Relaxed) };
    }

    /// Whether the running task has to give way to one of higher priority; asked once for each that came.
    pub fn take_outranks(&mut self) -> bool {
        core::mem::take(&mut self.outranks) && self.highest() > self.running
    }

    /// The slice timer has ticked while others, not of these policies, wait (`are_waiting`) or run. Whether the running
    /// task must give way now, because its time is over or the others' is.
    pub fn tick(&mut self, are_waiting: bool) -> bool {
        if self.is_throttled {
            self.is_throttled = false;
            return self.running == 0 && self.count > 0;
        }
        if self.running == 0 || !are_waiting {
            self.ticks = 0;
            return false;
        }
        self.ticks += 1;
        if self.ticks >= TICKS_BEFORE_OTHERS {
            self.ticks = 0;
            self.is_throttled = true;
        }
        self.is_throttled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_priorities_go_first_and_others_have_a_share() {
        let mut tasks = Tasks::new();
        tasks.reserve().unwrap();
        let ids: Vec<_> = (0..4).map(|_| tasks.allocate(core::ptr::null_mut()).unwrap()).collect();
        let mut queues = RealTime::new();
        for (&id, priority) in ids.iter().zip([5, 9, 5, 1]) {
            tasks[id].priority = priority;
            assert!(queues.push(&mut tasks, id, false));
        }
        assert_eq!(queues.highest(), 9);
        assert!(queues.remove(&mut tasks, ids[3]) && !queues.remove(&mut tasks, ids[3]));
        let order: Vec<_> = core::iter::from_fn(|| queues.pop(&mut tasks)).collect();
        assert_eq!(order, [ids[1], ids[0], ids[2]]);
        queues.running = 9;
        assert_eq!((1..=TICKS_BEFORE_OTHERS).filter(|_| queues.tick(true)).count(), 1);
        assert!(queues.is_throttled);
    }
}
