//! What can still go wrong: programs that spawn rules break, each in the way that its head says, and what goes well
//! because a call begins before its caller goes on. See docs/limits.md.

use grivet_tests::Program;

#[test]
fn argument_in_callers_frame_has_changed() {
    let program = Program::c("spawn/argument_in_callers_frame").env("GRIVET_SPAWN", "task");
    assert_eq!(program.natively().stdout, "1 2 3 \n");
    assert_eq!(program.well_under_grivet().stdout, "9 9 9 \n");
}

#[test]
fn argument_freed_after_call_was_read_before() {
    let program = Program::c("spawn/argument_freed_after_call").env("GRIVET_SPAWN", "task");
    let (native, green) = (program.natively(), program.well_under_grivet());
    assert_eq!(native.stdout, "item 1\nitem 2\nitem 3\n");
    assert_eq!(green.stdout, native.stdout);
    assert_eq!(green.threads_made(), 3, "{green:#?}");
}

#[test]
fn result_used_at_once_is_the_rules_value() {
    let program = Program::c("spawn/result_used_at_once").env("GRIVET_SPAWN", "fetch");
    assert_eq!(program.natively().stdout, "total 60\n");
    assert_eq!(program.well_under_grivet().stdout, "total 0\n");
}

#[test]
fn strtok_across_a_blocking_call_loses_its_place() {
    let program = Program::c("spawn/strtok_across_blocking_call").env("GRIVET_SPAWN", "task");
    let native = program.natively().stdout;
    assert_eq!(native.lines().filter(|line| line.contains(": a")).count(), 4);
    let green = program.well_under_grivet().stdout;
    assert!(green.contains("call 0: a1") && green.contains("call 0: b"), "call 0 read its own line only: {green}");
}
