//! Sleeping on every clock, being interrupted, timers on a thread's CPU time, the order of waking, and turns among ready threads.

use grivet_tests::{Program, same_natively_and_under_grivet};

same_natively_and_under_grivet! {
    c in "time": sleeps, absolute_sleeps, sleep_interrupted, yielding, cpu_timers
}

#[test]
fn ten_thousand_sleepers_wake_in_the_order_of_their_deadlines() {
    let run = Program::c("time/wake_order").alone().well_under_grivet();
    assert_eq!(run.stdout, "10000 threads woke in order\n");
}

#[test]
fn first_ready_first_run() {
    Program::c("time/fairness").well_under_grivet();
}

/// Shows both on success too with `--nocapture`; the benchmark judges them.
#[test]
fn lateness() {
    let program = Program::c("time/lateness").alone();
    print!("natively: {}", program.natively().stderr);
    print!("under grivet: {}", program.well_under_grivet().stderr);
}
