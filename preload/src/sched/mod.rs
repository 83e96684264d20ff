//! The scheduler: tasks, the worker that runs them, and what they wait in. Written for several workers: state lives in a
//! task, in a worker, or in a table whose entries can be locked one by one, never in "the current thread" of Rust. One
//! worker runs today.

pub mod arena;
pub mod clock;
pub mod descriptors;
pub mod idle;
pub mod io_uring;
pub mod look;
pub mod parking;
pub mod poller;
pub mod real_time;
pub mod run_queue;
pub mod task;
pub mod timers;
pub mod worker;
