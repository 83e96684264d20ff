//! The blocking problem solved with async/await: sequential_tasks.rs, written anew against `tokio`.
//!
//! A function that waits has another colour: it is `async`, its callers must say `.await`, and whoever does so is
//! `async` as well, up to `main`. A future has no stack of its own, so no plain function in between may wait.

use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::time::sleep;

static START: OnceLock<Instant> = OnceLock::new();

fn seconds_since_start() -> f64 {
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

#[inline(never)]
async fn blocking_task(name: &str) {
    println!("[{:.2} s] {name} starts", seconds_since_start());
    sleep(Duration::from_secs(2)).await;
    println!("[{:.2} s] {name} finishes", seconds_since_start());
}

#[inline(never)]
fn report() {
    println!("Total {:.2} s", seconds_since_start());
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tokio::join!(blocking_task("A"), blocking_task("B"));
    report();
}
