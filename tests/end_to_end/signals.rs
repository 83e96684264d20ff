//! Signals among threads: sent to one, waited for, blocked, timers' handlers, and the end of the process by one.

use grivet_tests::{Program, same_natively_and_under_grivet};
use nix::sys::signal::Signal;

same_natively_and_under_grivet! {
    c in "signals": pthread_kill, sigwait, masks, alarm_among_threads, timers, queued_for_a_thread
}

#[test]
fn killed_by_sigterm() {
    Program::c("signals/killed_by_sigterm").dies_of(Signal::SIGTERM).same();
}
