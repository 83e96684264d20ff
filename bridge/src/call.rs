//! One call: the future that is awaited, the errors it may end with, and the place where its thread leaves the result.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Why a call has no result.
pub enum CallError {
    /// The closure panicked with this payload, which [`std::panic::resume_unwind`] goes on with.
    Panicked(Box<dyn Any + Send>),
    /// No thread could be made for it: most often there are too many. The closure has not been run.
    NoThread(io::Error),
}

impl CallError {
    /// The text that the closure panicked with, if it was a text.
    pub fn panic_message(&self) -> Option<&str> {
        let CallError::Panicked(payload) = self else { return None };
        payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Panicked(_) => formatter.debug_tuple("Panicked").field(&self.panic_message()).finish(),
            CallError::NoThread(error) => formatter.debug_tuple("NoThread").field(error).finish(),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.panic_message()) {
            (CallError::NoThread(error), _) => write!(formatter, "no thread for a blocking call: {error}"),
            (CallError::Panicked(_), Some(message)) => write!(formatter, "a blocking call panicked: {message}"),
            (CallError::Panicked(_), None) => formatter.write_str("a blocking call panicked"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            CallError::NoThread(error) => Some(error),
            CallError::Panicked(_) => None,
        }
    }
}

/// A call that has begun. Awaiting it gives what the closure returned, or why there is nothing.
///
/// Dropping it detaches the call: it goes on, and its result is dropped on its own thread.
#[must_use = "the call goes on by itself, but its result and its panic are lost"]
pub struct Call<T> {
    place: Arc<Place<T>>,
}

impl<T> Call<T> {
    /// A call to be awaited, and the place for its thread to fill.
    pub(crate) fn new() -> (Call<T>, Arc<Place<T>>) {
        let place = Arc::new(Place(Mutex::new(State::Pending(None))));
        (Call { place: Arc::clone(&place) }, place)
    }

    /// Whether awaiting it would return at once.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.place.state(), State::Pending(_))
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Call").field("finished", &self.is_finished()).finish()
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, CallError>;

    /// Panics if polled again after it has completed.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.place.state();
        match &mut *state {
            State::Pending(Some(waker)) => waker.clone_from(context.waker()),
            State::Pending(waker) => *waker = Some(context.waker().clone()),
            State::Done(_) => {
                let State::Done(result) = mem::replace(&mut *state, State::Taken) else { unreachable!("just seen") };
                return Poll::Ready(result);
            }
            State::Taken => {
                drop(state);
                panic!("a Call was polled after it had completed");
            }
        }
        Poll::Pending
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        // What is dropped may be anything of the caller's, and may make calls: not with the lock held.
        let last = mem::replace(&mut *self.place.state(), State::Taken);
        drop(last);
    }
}

/// Where a call's thread leaves the result.
pub(crate) struct Place<T>(Mutex<State<T>>);

enum State<T> {
    /// Not over; whom to wake when it is.
    Pending(Option<Waker>),
    Done(Result<T, CallError>),
    /// The result was taken, or nobody wants it any more.
    Taken,
}

impl<T> Place<T> {
    /// The state is whole at all times, so a panic (of a waker's clone) in between does no harm.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the future was dropped.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(*self.state(), State::Taken)
    }

    /// Runs `closure` and leaves what it returns or panics with.
    pub(crate) fn fill_by(&self, closure: impl FnOnce() -> T) {
        // Nothing of the closure's is looked at after a panic.
        self.fill(panic::catch_unwind(AssertUnwindSafe(closure)).map_err(CallError::Panicked));
    }

    /// Leaves the result and wakes who waits for it; nobody does if the future was dropped.
    pub(crate) fn fill(&self, result: Result<T, CallError>) {
        let mut state = self.state();
        let waker = match &mut *state {
            State::Pending(waker) => waker.take(),
            State::Done(_) | State::Taken => {
                drop(state);
                return drop(result);
            }
        };
        *state = State::Done(result);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
