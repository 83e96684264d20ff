//! The textbook trick (`preload-classic/`): where it works, and where it breaks as act 3 of the demo says it does. The
//! programs are the demo's own; under grivet the same binaries do what they do natively.

use grivet_tests::{End, Program, Run, target_directory};
use nix::sys::signal::Signal;
use std::time::Instant;

/// A program of the demo.
fn demo(name: &str) -> Program {
    Program::c(&format!("../../demo-bin/{name}"))
}

fn under_classic(program: Program) -> Run {
    let library = target_directory().join("release/libgrivet_classic.so");
    assert!(
        library.is_file(),
        "{} is missing: run `cargo build --release -p grivet-preload-classic`",
        library.display()
    );
    program.env("LD_PRELOAD", library.display()).natively()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Natively and under grivet it ends well and prints the same lines, which say that all is as it should be.
fn holds(name: &str, last_line: &str) {
    let native = demo(name).natively();
    assert_eq!(native.end, End::Exited(0), "{native:#?}");
    assert_eq!(native.stdout.lines().last(), Some(last_line), "{native:#?}");
    let green = demo(name).well_under_grivet();
    assert_eq!(sorted(&green.stdout), sorted(&native.stdout));
    assert_eq!(green.stdout.lines().last(), Some(last_line), "{green:#?}");
}

#[test]
fn two_tasks_become_coroutines() {
    let begun = Instant::now();
    let run = under_classic(demo("two_tasks"));
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    assert_eq!(run.stderr, "");
    assert!((1.9..3.5).contains(&seconds), "two tasks of 2 s side by side took {seconds:.2} s");

    let lines: Vec<&str> = run.stdout.lines().map(|line| line.rsplit("s] ").next().unwrap_or(line)).collect();
    let mut expected = vec!["A starts".to_string(), "B starts".to_string()];
    for step in 1..4 {
        expected.extend(["A", "B"].map(|task| format!("{task} step {step} of 4")));
    }
    for task in ["A", "B"] {
        expected.extend([format!("{task} step 4 of 4"), format!("{task} finishes")]);
    }
    let [steps @ .., total] = &lines[..] else { panic!("no output: {run:#?}") };
    assert_eq!(steps, expected);
    assert!(total.starts_with("Total "), "{total}");
    // The scheduler's worker and its timer beside the main thread, but none for A and B.
    assert_eq!(run.most_kernel_threads, 3, "{run:#?}");
}

#[test]
fn threads_share_their_identity_under_classic() {
    let run = under_classic(demo("thread_identity"));
    assert_eq!(run.end, End::Killed(Signal::SIGABRT), "{run:#?}");
    assert_eq!(run.stdout.lines().last(), Some("the shell channel is served by a thread named control"), "{run:#?}");
    let assertion = "receive: Assertion `current_thread_is(channel->thread_name)' failed.";
    assert!(run.stderr.contains(assertion), "{run:#?}");
}

#[test]
fn threads_keep_their_identity_under_grivet() {
    holds("thread_identity", "both channels served");
}

/// A client and a server that talk by libzmq, whose reaper and I/O thread wait in epoll_wait. scripts/test installs it.
fn zmq_requests() -> Program {
    Program::c_with("../../demo-bin/zmq_requests", &["-Wl,--no-as-needed", "-lzmq"])
}

#[test]
fn zeromqs_io_threads_never_begin_under_classic() {
    const ENOUGH: u64 = 2; // seconds, of a program that takes a hundredth of one
    let run = under_classic(zmq_requests().time_limit(ENOUGH));
    assert_eq!((run.end, &run.stdout[..]), (End::TimedOut, ""), "{run:#?}");
}

#[test]
fn zeromqs_io_threads_are_green_under_grivet() {
    const ANSWERS: [&str; 3] = ["request 1 came back", "request 2 came back", "request 3 came back"];
    let native = zmq_requests().natively();
    assert_eq!(native.end, End::Exited(0), "{native:#?}");
    assert_eq!(native.stdout.lines().collect::<Vec<_>>(), ANSWERS);
    let green = zmq_requests().well_under_grivet();
    assert_eq!(green.stdout, native.stdout);
    // The server's, the reaper and the I/O thread at least.
    assert!(green.threads_made() >= 3, "{green:#?}");
}

#[test]
fn rust_threads_find_anothers_handle_under_classic() {
    let run = under_classic(Program::rust("../../demo-bin/two_tasks"));
    assert_eq!(run.end, End::Killed(Signal::SIGABRT), "{run:#?}");
    assert!(run.stderr.contains("fatal runtime error: current thread handle already set"), "{run:#?}");
}

#[test]
fn rust_threads_hold_under_grivet() {
    let run = Program::rust("../../demo-bin/two_tasks").well_under_grivet();
    assert!(run.stdout.lines().last().is_some_and(|line| line.starts_with("Total ")), "{run:#?}");
    assert_eq!(run.stdout.lines().filter(|line| line.ends_with(" finishes")).count(), 2, "{run:#?}");
}

#[test]
fn threads_share_thread_local_variables_and_errno_under_classic() {
    let run = under_classic(demo("thread_local"));
    assert_eq!(run.end, End::Exited(1), "{run:#?}");
    assert!(run.stdout.starts_with("A: my request is B\nA: that is not mine\n"), "{run:#?}");
    assert!(run.stdout.contains("A: that is not mine, which was: No such file or directory\n"), "{run:#?}");
}

#[test]
fn threads_have_thread_local_variables_and_errno_under_grivet() {
    holds("thread_local", "each thread had its own");
}

#[test]
fn lock_held_across_a_wait_deadlocks_under_classic() {
    let run = under_classic(demo("lock_across_wait").time_limit(3));
    assert_eq!(run.end, End::TimedOut, "{run:#?}");
    assert_eq!(run.stdout, "A wants the lock\nA has the lock\nB wants the lock\n");
}

#[test]
fn lock_held_across_a_wait_is_waited_for_under_grivet() {
    holds("lock_across_wait", "balance 0");
}
