//! What grivet says of programs that go nowhere, and that it says nothing of programs that only seem to.

use grivet_tests::{End, Program, Run, same_natively_and_under_grivet};

same_natively_and_under_grivet! {
    c in "stuck": not_stuck
}

fn stopped_after_a_report(program: &str, lines: usize) -> Run {
    let is_complete = |stderr: &str| stderr.matches("grivet: ").count() >= lines;
    let run = Program::c(program).time_limit(20).under_grivet_until(is_complete);
    assert_eq!(run.end, End::Stopped, "no report, or the program did not go on waiting: {run:#?}");
    assert_eq!(run.reports.len(), lines, "once: {run:#?}");
    run
}

#[test]
fn deadlock_is_reported_once() {
    let run = stopped_after_a_report("stuck/deadlock", 3);
    assert_eq!(run.stdout, "about to deadlock\n");
    let report = run.reports.join("\n");
    assert!(report.contains("2 threads"), "two threads wait for each other: {report}");
    assert!(report.contains("held by left") && report.contains("held by right"), "who waits: {report}");
}

#[test]
fn ten_of_many_waiters_are_listed() {
    let run = stopped_after_a_report("stuck/many_waiters", 1);
    let report = &run.reports[0];
    assert!(report.contains("31"), "31 threads wait: {report}");
    assert!(report.len() < 2000, "too long: {report}");
}

#[test]
fn busy_thread_is_reported_once() {
    let run = Program::c("stuck/busy_loop").under_grivet();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    assert_eq!(run.stdout, "done\n");
    let [report] = &run.reports[..] else { panic!("one line, once: {run:#?}") };
    assert!(report.contains("busy one"), "which thread: {report}");
}
