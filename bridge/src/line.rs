//! Who may have a thread under a limit, and who stands in line for one.
//!
//! A place is a thread that makes calls. While somebody stands in line all places are taken, and a place that comes free
//! goes to the first in line rather than away: the thread that had it makes that call next.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A call to be made on the thread that runs this with `Ok`, or to be ended with the reason why there is no thread.
pub(crate) type Job = Box<dyn FnOnce(io::Result<()>) + Send>;

/// The places of one limit, and the line behind them.
pub(crate) struct Line {
    places: NonZeroUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    waiting: VecDeque<Job>,
}

impl Line {
    pub(crate) fn new(places: NonZeroUsize) -> Line {
        Line { places, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for `job` and gives it back to be run on a new thread; or puts it in line.
    pub(crate) fn enter(&self, job: Job) -> Option<Job> {
        let mut state = self.state();
        if state.taken < self.places.get() {
            state.taken += 1;
            return Some(job);
        }
        state.waiting.push_back(job);
        None
    }

    /// What the thread that has ended a job does next. With `None` its place is free.
    pub(crate) fn next(&self) -> Option<Job> {
        let mut state = self.state();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.taken -= 1;
        }
        next
    }

    /// Frees a place that no thread could be made for. Those in line wait for the other places; if this was the only one,
    /// they are returned: nobody would ever come for them.
    pub(crate) fn leave_without_thread(&self) -> VecDeque<Job> {
        let mut state = self.state();
        state.taken -= 1;
        if state.taken == 0 { mem::take(&mut state.waiting) } else { VecDeque::new() }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let counts = [("places", self.places.get()), ("taken", state.taken), ("waiting", state.waiting.len())];
        let mut shown = formatter.debug_struct("Line");
        for (name, count) in &counts {
            shown.field(name, count);
        }
        shown.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(places: usize) -> Line {
        Line::new(NonZeroUsize::new(places).expect("a place"))
    }

    fn job() -> Job {
        Box::new(|_| ())
    }

    #[test]
    fn a_freed_place_goes_to_the_first_in_line() {
        let line = line(1);
        assert!(line.enter(job()).is_some());
        assert!(line.enter(job()).is_none());
        assert!(line.next().is_some());
        assert!(line.enter(job()).is_none(), "the place was taken over");
        assert!(line.next().is_some());
        assert!(line.next().is_none());
        assert!(line.enter(job()).is_some(), "the place is free");
    }

    #[test]
    fn without_any_thread_the_line_is_given_back() {
        let line = line(2);
        assert!(line.enter(job()).is_some() && line.enter(job()).is_some());
        assert!(line.enter(job()).is_none());
        assert!(line.leave_without_thread().is_empty(), "the other place will come for it");
        assert_eq!(line.leave_without_thread().len(), 1);
    }
}
