//! System calls that nobody can see in the program's files, since their code is made at run time: those that wait for
//! another thread, or for a time, hold the others up for a moment only. Before, the first kind waited for ever.

use grivet_tests::{End, Program, Run};

fn waits(what: &str) -> Program {
    Program::c("gate/generated_waits").args([what]).time_limit(20)
}

/// The program does what it does natively, in one kernel thread.
fn ends_well(what: &str) -> Run {
    let native = waits(what).natively();
    assert_eq!((native.end, &native.stdout[..]), (End::Exited(0), "done\n"), "{native:#?}");
    let run = waits(what).under_grivet();
    assert_eq!((run.end, &run.stdout[..], run.most_kernel_threads), (End::Exited(0), "done\n", 1), "{run:#?}");
    run
}

/// So it does, and one line says what happened.
fn ends_well_and_is_named(what: &str, call: &str) {
    let run = ends_well(what);
    let [report] = &run.reports[..] else { panic!("one line, once: {run:#?}") };
    assert!(report.contains(&format!(" waited in {call}, called at 0x")), "{report}");
}

#[test]
fn waits_at_a_futex_that_libc_wakes() {
    ends_well_and_is_named("futex", "futex");
}

#[test]
fn waits_at_a_futex_that_generated_code_wakes_too() {
    ends_well_and_is_named("both", "futex");
}

#[test]
fn futex_of_libc_that_generated_code_wakes_unseen() {
    let run = ends_well("wake");
    assert_eq!(run.reports, [""; 0], "{run:#?}");
}

#[test]
fn reads_from_a_pipe_that_another_thread_writes_to() {
    ends_well_and_is_named("pipe", "read");
}

#[test]
fn polls_a_pipe_that_another_thread_writes_to() {
    ends_well_and_is_named("poll", "poll");
}

#[test]
fn sleeps_while_others_go_on() {
    ends_well_and_is_named("sleep", "nanosleep");
}

/// Who forbids interruptions has none, and hears nothing.
#[test]
fn without_interruptions_such_a_wait_holds_all_up() {
    let run = waits("sleep").env("GRIVET_PREEMPT", "off").under_grivet();
    assert_eq!((run.end, &run.reports[..]), (End::Exited(1), &[][..]), "{run:#?}");
    assert!(run.stderr.contains("ticks meanwhile"), "{run:#?}");
}
