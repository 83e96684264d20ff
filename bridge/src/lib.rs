//! Awaits blocking calls from async code, and async code from blocking threads, with any executor.
//!
//! Async programs have to keep calls that block (a C library, a driver, a database client of old) away from their
//! executor's threads. The usual way is a pool of threads, as tokio's `spawn_blocking`, and the pool's size is then how many
//! calls can wait at once. This crate makes a thread for each call instead:
//!
//! ```
//! # fn legacy_blocking() -> u32 { 42 }
//! # async fn example() -> Result<(), grivet_bridge::CallError> {
//! let answer = grivet_bridge::call(|| legacy_blocking()).await?;
//! # assert_eq!(answer, 42);
//! # Ok(())
//! # }
//! # grivet_bridge::block_on(example()).unwrap();
//! ```
//!
//! **Under grivet** (`LD_PRELOAD=libgrivet.so`) that thread is a coroutine in the process's one kernel thread. Tens of
//! thousands may block at once. **Without it** the thread is one of the kernel's. The results are the same, but each costs
//! more, and on a usual system there are at most 14,000 at once: further calls end with an error. [`is_green`] tells which
//! it is, and with a [`Caller::limit`] calls stand in line instead.
//!
//! # What a call is
//!
//! - It begins at once, whether or not the future is polled, and takes no place in any pool.
//! - The future that [`call`] returns is an ordinary one: it needs no runtime, no reactor and no timer, and wakes whatever
//!   polls it. tokio, smol and futures' executors are tested.
//! - **Panics** in the closure come back as [`CallError::Panicked`], with what they were raised with. A program built with
//!   `panic = "abort"` ends instead, as always.
//! - **No thread to be had**: the future completes with [`CallError::NoThread`]; nothing panics. Natively that comes, on
//!   purpose, somewhat before the system has no memory mappings left (`vm.max_map_count`), where std would end the process.
//! - **Dropping the future** does not stop the call: a thread that waits in C can't be taken out of it safely. The call goes
//!   on, detached, and its result is dropped on its own thread. A call that still waits for its turn under a
//!   [`limit`](Caller::limit) is not made any more.
//! - When `main` returns the process ends, and calls that are under way with it.
//!
//! # The other way round
//!
//! [`block_on`] awaits a future on the thread that calls it, which sleeps meanwhile. Under grivet only that green thread
//! sleeps: legacy code deep inside a [`call`] can await something, and all others go on.
//!
//! # What it costs
//!
//! One thread made and ended for each call: 20 to 30 microseconds under grivet, over 100 natively (20,000 at once, on two
//! busy cores), and about 10 KiB of memory while it waits. A function that blocks for less than that is better called right
//! away. Under grivet all threads compute on one core in turn.

mod block_on;
mod call;
mod caller;
mod ceiling;
mod green;
mod line;

pub use block_on::block_on;
pub use call::{Call, CallError};
pub use caller::{Caller, DEFAULT_STACK, call};
pub use green::is_green;
