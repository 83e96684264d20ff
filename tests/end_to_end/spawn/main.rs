//! Spawn rules: calls of functions that were never written for threads become threads. Most programs here have one
//! thread: natively their calls run one after the other. Run by the harness in tests/harness, built from programs/spawn.

mod calls;
mod ends;
mod entries;
mod names;
mod pitfalls;
mod real_programs;

use grivet_tests::{End, Program, Run};

/// Runs PROGRAM natively and with RULES in GRIVET_SPAWN: `N starts` and `N finishes` alternate natively; spawned, all of
/// the CALLS start before any finishes, each in a thread of its own.
fn side_by_side(program: Program, rules: &str, calls: u64) {
    let program = program.env("GRIVET_SPAWN", rules);
    let native = program.natively();
    assert_eq!(native.end, End::Exited(0), "{native:#?}");
    let sorted = |run: &Run| {
        let mut lines: Vec<String> = run.stdout.lines().map(str::to_string).collect();
        lines.sort();
        lines
    };
    let starts_in_front = |run: &Run| run.stdout.lines().take_while(|line| line.ends_with(" starts")).count() as u64;
    assert_eq!(starts_in_front(&native), 1, "{native:#?}");
    let green = program.well_under_grivet();
    assert_eq!(sorted(&native), sorted(&green), "{rules}: {green:#?}");
    assert_eq!(starts_in_front(&green) * 2, green.stdout.lines().count() as u64, "{rules}: {green:#?}");
    assert_eq!(green.threads_made(), calls, "{rules}: {green:#?}");
}

/// What PROGRAM prints with RULES in GRIVET_SPAWN and `report` waiting for the calls.
fn joined(program: Program, rules: &str) -> Run {
    program.env("GRIVET_SPAWN", rules).env("GRIVET_JOIN", "report").well_under_grivet()
}

fn assert_mentions(report: &str, words: &[&str]) {
    for word in words {
        assert!(report.contains(word), "{word:?} is missing: {report}");
    }
}
