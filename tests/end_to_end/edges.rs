//! Where grivet breaks too, as act 3b of the demo has it: code that it can't see, and observers outside. The programs
//! are the demo's own, and none of them hangs.

use grivet_tests::{End, Program, Run, programs_directory, target_directory};
use std::path::PathBuf;
use std::process::Command;

/// A program of the demo.
fn demo(name: &str) -> Program {
    Program::c(&format!("../../demo-bin/{name}")).time_limit(20)
}

fn position(lines: &str, of: &str) -> usize {
    lines.lines().position(|line| line.ends_with(of)).unwrap_or_else(|| panic!("no line “{of}” in {lines}"))
}

#[test]
fn system_call_in_generated_code_keeps_the_others_waiting_for_a_moment_only() {
    const SLEPT: &str = "the generated code has slept";
    let native = demo("generated_code").natively();
    assert_eq!(native.end, End::Exited(0), "{native:#?}");
    assert!(position(&native.stdout, "tick 1") < position(&native.stdout, SLEPT), "{native:#?}");
    let green = demo("generated_code").under_grivet();
    assert_eq!((green.end, green.most_kernel_threads), (End::Exited(0), 1), "{green:#?}");
    assert!(position(&green.stdout, "tick 1") < position(&green.stdout, SLEPT), "{green:#?}");
    let [report] = &green.reports[..] else { panic!("one line, once: {green:#?}") };
    assert!(report.contains(" waited in nanosleep, called at 0x"), "{report}");
}

/// The demo's Go program, with cgo. scripts/test installs Go.
fn goroutines() -> PathBuf {
    let directory = target_directory().join("tests-programs");
    std::fs::create_dir_all(&directory).expect("a directory for programs");
    let program = directory.join("goroutines");
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(programs_directory().join("../../demo-bin/goroutines.go"))
        .envs([("CGO_ENABLED", "1".into()), ("GOCACHE", directory.join("go"))])
        .status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "go build: {status:?}");
    program
}

/// Both goroutines wait half a second at the same time.
fn goroutines_overlap(run: &Run) {
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    let [a, b, c, d, total] = lines[..] else { panic!("{run:#?}") };
    assert!([a, b].iter().all(|line| line.ends_with(" starts")), "{run:#?}");
    assert!([c, d].iter().all(|line| line.ends_with(" finishes")), "{run:#?}");
    let seconds = total.strip_prefix("Total ").and_then(|rest| rest.strip_suffix(" s")).expect("a total");
    assert!((0.5..0.9).contains(&seconds.parse::<f64>().expect("seconds")), "{run:#?}");
}

#[test]
fn go_program_is_left_alone_and_one_line_says_so() {
    let program = Program::command(goroutines());
    goroutines_overlap(&program.natively());
    let run = program.under_grivet();
    goroutines_overlap(&run);
    assert!(run.most_kernel_threads > 1, "{run:#?}");
    let [report] = &run.reports[..] else { panic!("one line, once: {run:#?}") };
    assert!(report.contains("staying out"), "{report}");
}

#[test]
fn observers_outside_see_one_thread() {
    let native = demo("seen_from_outside").natively();
    assert_eq!(native.end, End::Exited(0), "{native:#?}");
    let seen: Vec<&str> = native.stdout.lines().filter(|line| line.starts_with("seen: ")).collect();
    let names = ["the main thread", "computes", "sleeps-1", "sleeps-2", "4 in all"];
    assert_eq!(seen, names.map(|name| format!("seen: {name}")));

    let green = demo("seen_from_outside").well_under_grivet();
    assert!(green.stdout.starts_with("seen: the main thread\nseen: 1 in all\n"), "{green:#?}");
    // Unless the system lets nobody use such counters.
    if native.stdout.contains("computes: perf: computed") {
        for name in ["computes", "sleeps-1", "sleeps-2"] {
            assert!(green.stdout.contains(&format!("{name}: perf: No such process\n")), "{green:#?}");
        }
    }
}

#[test]
fn static_program_runs_natively() {
    let program = Program::c_with("../../demo-bin/thread_identity", &["-static"]);
    let run = program.under_grivet();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    assert_eq!((run.stdout.lines().last(), run.most_kernel_threads), (Some("both channels served"), 3), "{run:#?}");
    assert_eq!(run.reports, [""; 0]);
}
