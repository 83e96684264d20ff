//! What a rewritten entry hands on: functions that are awkward to rewrite, ways to reach them,
//! arguments, results, registers.

use crate::{assert_mentions, side_by_side};
use grivet_tests::Program;

#[test]
fn function_built_in_other_ways() {
    for options in [
        &["-O0"][..],
        &["-Os", "-fomit-frame-pointer"],
        &["-O3", "-fcf-protection=full"],
        &["-O0", "-fcf-protection=full", "-fstack-protector-all"],
        &["-no-pie", "-fno-pie"],
        &["-fpatchable-function-entry=8", "-mcmodel=large"],
    ] {
        side_by_side(Program::c_with("spawn/two_tasks", options), "blocking_task", 2);
    }
}

#[test]
fn entries_that_are_awkward_to_move() {
    for function in [
        "with_endbr",
        "rip_relative",
        "loop_to_entry",
        "call_in_prologue",
        "call_first",
        "call_for_address",
        "short_jump",
        "tail_jump",
        "two_bytes",
        "neighbour",
    ] {
        side_by_side(Program::c("spawn/entries").arg(function), function, 2);
    }
    side_by_side(Program::c("spawn/entries").arg("recursive"), "recursive", 4);
}

#[test]
fn calls_that_are_no_calls() {
    for caller in ["tail_call", "through_pointer"] {
        side_by_side(Program::c("spawn/entries").arg(caller), "target", 2);
    }
}

#[test]
fn arguments_arrive_as_passed() {
    let rules = "six_integers,ten_integers,eight_doubles,mixed,variable,structure,vector,full_stack";
    let program = Program::c("spawn/arguments").env("GRIVET_SPAWN", rules);
    let (native, green) = (program.natively(), program.well_under_grivet());
    assert_eq!(native.stdout, green.stdout);
    assert_eq!((green.threads_made(), green.stdout.lines().count()), (18, 18), "{green:#?}");
}

#[test]
fn callers_get_the_values_of_the_rules() {
    let stdout = |rules| Program::c("spawn/results").env("GRIVET_SPAWN", rules).well_under_grivet().stdout;
    assert_eq!(
        stdout("number=-1,long_number=0x1234567890,real=1.5,pointer=0x10,truth=1"),
        "number -1\nlong_number 78187493520\nreal 1.5\npointer given\ntruth 1\n"
    );
    assert_eq!(
        stdout("number,long_number,real=0.0,pointer,truth"),
        "number 0\nlong_number 0\nreal 0\npointer null\ntruth 0\n"
    );
    assert_eq!(stdout("number=-0x2"), "number -2\nlong_number 5000000000\nreal 2.5\npointer given\ntruth 1\n");
}

#[test]
fn doubles_are_zero_by_default() {
    let run = Program::c("spawn/results").env("GRIVET_SPAWN", "real").well_under_grivet();
    assert_mentions(&run.stdout, &["real 0\n"]);
}

#[test]
fn registers_that_the_function_keeps_are_kept() {
    let program = || Program::c("spawn/registers_kept");
    // An integer goes to rax alone. Without a value xmm0 is zero as well, for functions that return a double.
    assert_eq!(program().env("GRIVET_SPAWN", "task=7").well_under_grivet().stdout, "all registers kept\n");
    // A function that is joined goes on with what its caller passed.
    let joining = program().env("GRIVET_SPAWN", "libc.so.6:usleep").env("GRIVET_JOIN", "task").without_threads();
    assert_eq!(joining.well_under_grivet().stdout, "all registers kept\n");
}

#[test]
fn wide_registers_that_the_function_keeps_are_kept() {
    let expected = Program::c("spawn/wide_registers_kept").natively().stdout;
    for (spawn, join, limit) in [("leaf", "", "0"), ("task", "leaf", "0"), ("task,leaf", "", "2")] {
        let mut program = Program::c("spawn/wide_registers_kept").env("GRIVET_SPAWN", spawn).env("GRIVET_JOIN", join);
        if limit != "0" {
            program = program.env("GRIVET_LIMIT", limit);
        }
        assert_eq!(program.well_under_grivet().stdout, expected, "--spawn {spawn} --join {join}");
    }
}

#[test]
fn functions_that_the_hook_itself_needs_are_refused() {
    for join in ["libc.so.6:__errno_location", "libc.so.6:pthread_create"] {
        let program = Program::c("spawn/two_tasks").env("GRIVET_SPAWN", "blocking_task").env("GRIVET_JOIN", join);
        let run = program.under_grivet();
        assert_eq!(run.reports.len(), 1, "{run:#?}");
        assert_mentions(&run.reports[0], &["needs this function", "running natively"]);
    }
}
