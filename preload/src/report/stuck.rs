//! The report of a process in which every task waits for a lock that no other task can release.

use super::message::Line;
use crate::sched::task::{State, Wait};
use crate::sched::worker::Worker;
use core::fmt::Write;

/// Tasks that are described.
const DESCRIBED: usize = 10;

/// Whether all live tasks, of which there are some, wait for locks without a time limit.
pub fn is_stuck(worker: &Worker) -> bool {
    let mut any = false;
    for id in worker.tasks.iter() {
        if worker.tasks[id].state != State::Parked || worker.tasks[id].wait != Wait::Futex {
            return false;
        }
        any = true;
    }
    any
}

/// Says so, in one line.
pub fn report(worker: &Worker) {
    let mut line = Line::new();
    let count = worker.tasks.live;
    let _ = write!(line, "stuck: all {count} threads wait for locks that no other thread can release:");
    for id in worker.tasks.iter().take(DESCRIBED) {
        let task = &worker.tasks[id];
        let _ = write!(line, " {} ({}) lock {:#x};", task.tid, worker.name_of(id).escape_ascii(), task.key);
    }
    let more = (count as usize).saturating_sub(DESCRIBED);
    if more > 0 {
        let _ = write!(line, " and {more} more;");
    }
    let _ = write!(line, " waiting on, as natively");
    line.send();
}
