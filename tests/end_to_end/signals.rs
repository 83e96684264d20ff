//! Signals among threads: sent to one or to the process, waited for, blocked, raised by faults and timers, what handlers
//! find and may do, and the end of the process by one.

use grivet_tests::{Program, same_natively_and_under_grivet};
use nix::sys::signal::Signal;

same_natively_and_under_grivet! {
    c in "signals":
        pthread_kill, sigwait, masks, alarm_among_threads, timers, timers_for_threads, timers_before_threads, queued_for_a_thread,
        from_other_processes,
        handler_context, alternate_stacks, actions, for_the_process, floating_point, ping_pong,
        default_actions
}

/// Among what is left there is a lock on a file and a System V semaphore.
#[test]
fn jumps_out_of_handlers() {
    Program::c("signals/jumps_out_of_handlers").with_helper_threads().same();
}

same_natively_and_under_grivet! {
    c in "signals": faults, calls_in_handlers, interrupted_waits
}

#[test]
fn no_signal_of_a_million_is_lost_or_doubled() {
    Program::c("signals/million").args(["1000000"]).time_limit(180).same();
}

#[test]
fn killed_by_sigterm() {
    Program::c("signals/killed_by_sigterm").dies_of(Signal::SIGTERM).same();
}
