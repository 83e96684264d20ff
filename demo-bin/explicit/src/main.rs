//! The blocking problem solved by hand: sequential_tasks.rs, written anew against the coroutine library `may`.
//!
//! Each function keeps its signature: a coroutine has a stack, so any function that it calls may wait. What must change
//! is every call that waits, in the program and in all that it uses: `std::thread::sleep` would stop everybody.

use may::coroutine::sleep;
use may::go;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

static START: OnceLock<Instant> = OnceLock::new();

fn seconds_since_start() -> f64 {
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

#[inline(never)]
fn blocking_task(name: &str) {
    println!("[{:.2} s] {name} starts", seconds_since_start());
    sleep(Duration::from_secs(2));
    println!("[{:.2} s] {name} finishes", seconds_since_start());
}

#[inline(never)]
fn report() {
    println!("Total {:.2} s", seconds_since_start());
}

fn main() {
    may::config().set_workers(1);
    let a = go!(|| blocking_task("A"));
    let b = go!(|| blocking_task("B"));
    a.join().unwrap();
    b.join().unwrap();
    report();
}
