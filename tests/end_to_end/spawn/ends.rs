//! How calls and programs end: what waits for what, and what is said of a call that takes the program with it.

use crate::{assert_mentions, joined};
use grivet_tests::{End, Program};
use nix::sys::signal::Signal;

/// A way to end of spawn/ends, how it ends under grivet, with which output and with which words in its reports.
fn ends(way: &str, end: End, stdout: &str, words: &[&str]) {
    let run = Program::c("spawn/ends").arg(way).env("GRIVET_SPAWN", "task").under_grivet();
    assert_eq!((run.end, run.stdout.as_str()), (end, stdout), "{way}: {run:#?}");
    assert_eq!(run.reports.is_empty(), words.is_empty(), "{way}: {run:#?}");
    assert_mentions(&run.reports.join("\n"), words);
}

#[test]
fn end_of_the_program_waits_for_its_calls() {
    ends("return", End::Exited(0), "1\n2\n3\n3 finished\n", &[]);
    ends("exit", End::Exited(3), "1\n2\n3\n3 finished\n", &[]);
    ends("pthread_exit", End::Exited(0), "1\n2\n3\n3 finished\n", &[]);
}

#[test]
fn calls_outside_main() {
    let run = Program::c("spawn/calls_at_exit").env("GRIVET_SPAWN", "task").well_under_grivet();
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    lines.sort();
    assert_eq!(lines, ["constructor", "destructor", "exit handler", "main"]);
}

#[test]
fn immediate_ends_wait_for_nothing() {
    ends("_exit", End::Exited(4), "1\n", &[]);
    ends("kill", End::Killed(Signal::SIGTERM), "1\n", &[]);
}

#[test]
fn exit_in_a_call_ends_the_program() {
    ends("exit in a call", End::Exited(5), "1\n1 finished\n", &[]);
    ends("_exit in a call", End::Exited(6), "1\n", &[]);
}

#[test]
fn pthread_exit_in_a_call_ends_the_call() {
    ends("pthread_exit in a call", End::Exited(0), "1\n3\n2 finished\n", &[]);
}

#[test]
fn pthread_exit_in_a_call_leaves_its_own_calls() {
    assert_eq!(joined(Program::c("spawn/thread_exit_with_calls"), "task,leaf").stdout, "4 leaves\n");
}

#[test]
fn death_in_a_call_names_the_call() {
    ends("abort", End::Killed(Signal::SIGABRT), "1\n", &["a spawned call of task"]);
    ends("segmentation fault", End::Killed(Signal::SIGSEGV), "1\n", &["a spawned call of task"]);
    let run = Program::cpp("spawn/exception_leaves_call").env("GRIVET_SPAWN", "task").under_grivet();
    assert_eq!((run.end, run.stdout.as_str()), (End::Killed(Signal::SIGABRT), "1: caught within\n2: caught within\n"));
    assert_mentions(&run.stderr, &["thrown by a call"]);
    assert_mentions(&run.reports.join("\n"), &["a spawned call of task(int)"]);
    let run = Program::rust("spawn/panic_leaves_call").env("GRIVET_SPAWN", "panic_leaves_call::task").under_grivet();
    assert_eq!(run.end, End::Killed(Signal::SIGABRT), "{run:#?}");
    assert_mentions(&run.stderr, &["a panic in a call"]);
    assert_mentions(&run.reports.join("\n"), &["a spawned call of ", "::task"]);
}

#[test]
fn overflow_of_a_calls_stack_is_explained() {
    let program = Program::c("spawn/call_overflows_stack").env("GRIVET_SPAWN", "task").env("GRIVET_SPAWN_STACK", "64K");
    let run = program.under_grivet();
    assert_eq!(run.end, End::Killed(Signal::SIGSEGV), "{run:#?}");
    assert_mentions(&run.reports.join("\n"), &["a spawned call of task", "GRIVET_SPAWN_STACK"]);
}

#[test]
fn longjmp_may_not_leave_a_call() {
    for way in ["longjmp", "siglongjmp"] {
        ends(way, End::Killed(Signal::SIGABRT), "1\n", &["a spawned call of task", "longjmp"]);
    }
    ends("longjmp within", End::Exited(0), "1\n2\n3\n3 finished\n", &[]);
}
