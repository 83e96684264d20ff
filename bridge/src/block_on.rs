//! The way from blocking code to async code: runs a future to its end on the calling thread.
//!
//! The thread parks between polls. std's park is a futex, one of the calls that grivet answers, so that under grivet
//! this thread alone sleeps, whatever the others do.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Wakes a thread in [`block_on`].
struct Unpark {
    thread: Thread,
    /// Kept apart from the thread's park token, which code inside the future may use up for itself.
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The first wake since the last poll is enough.
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

/// Awaits `future` on this thread, which sleeps while the future is not ready, and returns its output.
///
/// It is for threads that may block: those of legacy code, those of a [`call`](crate::call), `main`. On a thread of an
/// executor it stops that executor's other tasks, as any blocking call does.
///
/// The future is polled here and nowhere else, so it need not be `Send`, and a panic in it is this thread's. It brings no
/// reactor: a future that needs one (tokio's timers and sockets) is polled within its context, or spawned there and its
/// handle awaited here:
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
/// let handle = runtime.handle().clone();
/// let legacy = std::thread::spawn(move || {
///     let task = handle.spawn(async {
///         tokio::time::sleep(std::time::Duration::from_millis(10)).await;
///         "from the async side"
///     });
///     grivet_bridge::block_on(task)
/// });
/// assert_eq!(legacy.join().unwrap().unwrap(), "from the async side");
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        // A token left over from something else ends a park early, hence the loop.
        while !unpark.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}
