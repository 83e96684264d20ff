//! Cancellation: at each cancellation point, asynchronously anywhere, by instruction pointers as newer C libraries do it,
//! through C++ frames; and the unwinding of interrupted code that it rests on. `threads/cancel` and
//! `blocking/cancel_blocking_calls` test what is basic.

use grivet_tests::Program;

/// Among the calls are some that grivet's helper threads make: locks on files, System V queues and semaphores.
fn same_with_helpers(program: Program) {
    program.with_helper_threads().same();
}

#[test]
fn points() {
    same_with_helpers(Program::c("cancellation/points"));
}

#[test]
fn asynchronous() {
    same_with_helpers(Program::c("cancellation/asynchronous"));
}

#[test]
fn by_instruction_pointer() {
    same_with_helpers(Program::c("cancellation/by_instruction_pointer"));
}

#[test]
fn backtraces() {
    same_with_helpers(Program::c("cancellation/backtraces"));
}

#[test]
fn unwinding() {
    same_with_helpers(Program::cpp("cancellation/unwinding"));
}
