//! The scheduler beneath the hooks: `may`, told to use one worker thread, and started before the program can make a
//! thread of its own.
//!
//! `may` makes its worker and its timer with `pthread_create`, which is our hook. What is made before the start is over
//! is therefore the scheduler's and must be a real thread; what is made later is the program's. Each hook asks here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One worker, so that no two coroutines ever run at the same time, as gevent has it.
const WORKERS: usize = 1;

/// Of each coroutine, in words: 1 MiB. C programs expect room on the stack; pages that are not touched cost nothing.
const STACK_WORDS: usize = 128 * 1024;

static STARTED: AtomicBool = AtomicBool::new(false);

/// Makes the scheduler's threads, by running a first coroutine to its end.
pub fn start() {
    may::config().set_workers(WORKERS).set_stack_size(STACK_WORDS);
    // SAFETY: the coroutine does nothing, so it neither overflows its stack nor touches thread-local storage.
    let first = unsafe { may::coroutine::spawn(|| {}) };
    first.join().expect("an empty coroutine ends");
    STARTED.store(true, Ordering::Release);
}

/// Whether a thread that is made now is the program's.
pub fn is_started() -> bool {
    STARTED.load(Ordering::Acquire)
}

/// Lets other coroutines run until TIME has passed. The caller must be a coroutine.
pub fn sleep(time: Duration) {
    may::coroutine::sleep(time);
    // `may` goes on with a sleeper in its timer's thread, beside the worker. Yielding there leads back to the worker.
    may::coroutine::yield_now();
}

/// Whether the caller is a coroutine. The program's main thread and the scheduler's own threads are not: they wait in
/// the kernel as ever.
pub fn in_coroutine() -> bool {
    may::coroutine::is_coroutine()
}
