//! The blocking problem in Rust: the counterpart of sequential_tasks.c, with the same functions and the same output.
//!
//! `inline(never)` keeps `blocking_task` and `report` functions of their own. Knows nothing of grivet.

use std::sync::OnceLock;
use std::thread::sleep;
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
    blocking_task("A");
    blocking_task("B");
    report();
}
