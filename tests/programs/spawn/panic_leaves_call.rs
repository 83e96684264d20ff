//! A Rust panic that leaves the call; natively main catches it.

use std::time::Duration;

#[inline(never)]
fn task(number: u32) {
    std::thread::sleep(Duration::from_millis(5));
    assert!(number != 2, "a panic in a call");
    println!("{number}");
}

fn main() {
    let caught = std::panic::catch_unwind(|| (1..=3).for_each(task));
    println!("main: {}", if caught.is_err() { "caught" } else { "nothing" });
}
