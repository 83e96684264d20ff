//! Two tasks in two threads of Rust's standard library: the counterpart of two_tasks.c, with shorter steps.
//!
//! `std::thread` keeps the handle of the current thread in thread-local storage, and a thread that starts must find
//! none there. Knows nothing of grivet.

use std::sync::OnceLock;
use std::thread::{Builder, current, sleep};
use std::time::{Duration, Instant};

const STEPS: u32 = 4;

static START: OnceLock<Instant> = OnceLock::new();

fn say(what: &str) {
    let seconds = START.get_or_init(Instant::now).elapsed().as_secs_f64();
    println!("[{seconds:.2} s] {} {what}", current().name().unwrap_or("?"));
}

fn blocking_task() {
    say("starts");
    for step in 1..=STEPS {
        sleep(Duration::from_millis(100));
        say(&format!("step {step} of {STEPS}"));
    }
    say("finishes");
}

fn main() {
    START.get_or_init(Instant::now);
    let tasks = ["A", "B"].map(|name| Builder::new().name(name.into()).spawn(blocking_task).unwrap());
    for task in tasks {
        task.join().unwrap();
    }
    println!("Total {:.2} s", START.get_or_init(Instant::now).elapsed().as_secs_f64());
}
