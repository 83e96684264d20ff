//! How spawned calls run: as threads of their own, waited for where the rules say, so many at
//! once, and switched only where they block.

use crate::{assert_mentions, joined};
use grivet_tests::{End, Program, library};

#[test]
fn each_call_is_a_thread_of_its_own() {
    let run = joined(Program::c("spawn/own_thread"), "task");
    assert_eq!(
        run.stdout,
        "fresh 20, kept 20, pairs with the same thread 0, with the same id 0\ncaller's word 1234, errno 99\n"
    );
}

#[test]
fn spawn_stack_sets_the_size_of_stacks() {
    for (value, size) in [("64K", "65536\n"), ("1M", "1048576\n")] {
        let program = Program::c("spawn/stack_size").env("GRIVET_SPAWN", "task").env("GRIVET_SPAWN_STACK", value);
        assert_eq!(program.well_under_grivet().stdout, size);
    }
    let program = Program::c("spawn/stack_size").env("GRIVET_SPAWN", "task").env("GRIVET_STACK", "512K");
    assert_eq!(program.well_under_grivet().stdout, "524288\n");
}

#[test]
fn function_to_join_waits_for_its_callers_calls() {
    let join = |argument, functions| {
        let program = Program::c("spawn/join_function").arg(argument);
        program.env("GRIVET_SPAWN", "task").env("GRIVET_JOIN", functions).well_under_grivet().stdout
    };
    assert_eq!(join("report", "report"), "main: 9\nmain: 18\n");
    assert_eq!(join("bystander", "report"), "bystander: 0\nmain: 9\nmain: 18\n");
    assert_eq!(join("clock", "clock_gettime,report"), "by the clock: 9\nby the clock: 18\n");
    assert_eq!(join("clock", "report"), "by the clock: 0\nby the clock: 0\n");
}

#[test]
fn call_ends_when_its_own_calls_have() {
    let run = joined(Program::c("spawn/nested"), "branch,leaf");
    assert_eq!((run.stdout.as_str(), run.threads_made()), ("27 leaves\n", 40));
}

#[test]
fn limit_bounds_the_calls_that_run_at_once() {
    for limit in [1, 2, 7] {
        let run = joined(Program::c("spawn/limit").arg("100").env("GRIVET_LIMIT", limit), "task");
        assert_eq!(run.stdout, format!("100 done, at most {limit} at once\n"));
    }
    assert_eq!(joined(Program::c("spawn/limit").arg("100"), "task").stdout, "100 done, at most 100 at once\n");
}

#[test]
fn hundred_thousand_calls_a_thousand_at_once() {
    let run = joined(Program::c("spawn/limit").arg("100000").env("GRIVET_LIMIT", 1000), "task");
    assert_eq!(run.stdout, "100000 done, at most 1000 at once\n");
    assert_eq!(run.threads_made(), 100_000);
}

#[test]
fn calls_at_the_limit_may_make_calls() {
    for limit in [1, 3] {
        let program = Program::c("spawn/limit").args(["10", "2"]).env("GRIVET_LIMIT", limit).time_limit(20);
        let run = joined(program, "task");
        assert!(run.stdout.starts_with("30 done, "), "{run:#?}");
        let [stats] = &run.stats[..] else { panic!("one stats line expected: {run:#?}") };
        assert!(stats.get("peak") <= limit, "{run:#?}");
    }
}

#[test]
fn calls_make_threads_and_threads_make_calls() {
    let run = Program::c("spawn/calls_make_threads").env("GRIVET_SPAWN", "task,leaf").well_under_grivet();
    assert_eq!((run.stdout.as_str(), run.threads_made()), ("16 threads, 4 leaves\n", 24));
}

#[test]
fn calls_switch_only_where_they_block() {
    assert_eq!(joined(Program::c("spawn/not_interrupted"), "task").stdout, "1000\n");
}

#[test]
fn calls_fork() {
    let run = Program::c("spawn/fork_among_calls").arg("calls").env("GRIVET_SPAWN", "forking_task,task").under_grivet();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    // The two wait for their children side by side.
    let mut lines: Vec<_> = run.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["call 1: child finished 2 calls", "call 2: child finished 2 calls"]);
}

#[test]
fn main_forks_among_calls() {
    let program = Program::c("spawn/fork_among_calls").arg("main").time_limit(20);
    assert_eq!(joined(program, "task").stdout, "child of main finished 1 calls\n2 calls finished\n");
}

#[test]
fn programs_started_by_the_program_say_nothing() {
    let run = Program::c("spawn/runs_a_program").env("GRIVET_SPAWN", "task").well_under_grivet();
    assert_eq!(run.stdout, "shell\ncall\n");
}

#[test]
fn progress_is_shown_on_a_terminal_only() {
    let run = joined(Program::c("spawn/limit").arg("200").env("GRIVET_PROGRESS", 1), "task");
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("200 done, at most 200 at once\n", ""));
}

#[test]
fn progress_is_a_line_on_the_terminal() {
    let run = Program::command("script")
        .args(["-qec", "LD_PRELOAD=$LIBRARY exec $PROGRAM 200", "/dev/null"])
        .env("LIBRARY", library().display())
        .env("PROGRAM", Program::c("spawn/limit").path().display())
        .env("GRIVET_SPAWN", "task")
        .env("GRIVET_JOIN", "report")
        .env("GRIVET_PROGRESS", 1)
        .env("GRIVET_LIMIT", 5)
        .natively();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    assert_mentions(&run.stdout, &["grivet: ", " running, ", "200 done, at most 5 at once"]);
    assert!(run.stdout.ends_with("\r\u{1b}[K"), "the line was not removed: {run:#?}");
}
