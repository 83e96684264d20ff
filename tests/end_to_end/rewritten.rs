//! Acts 4 and 5 of the demo, the blocking problem written anew for `may` and for tokio, with the count of what had to
//! change; and the tokio program of act 3.
//!
//! Each is a cargo workspace of its own in `demo-bin/`, which cargo is asked to build here, where the demo has it too.

use grivet_tests::{End, Program, Run, programs_directory, target_directory};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

fn demo_directory() -> PathBuf {
    programs_directory().join("../../demo-bin")
}

/// A program of a package in `demo-bin/`.
fn package(package: &str, program: &str) -> Program {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = target_directory().join("demo/cargo");
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--locked", "--manifest-path"]);
    command.arg(demo_directory().join(package).join("Cargo.toml")).arg("--target-dir").arg(&target);
    let output = command.output().expect("cargo");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    Program::command(target.join("release").join(program))
}

/// The last line of what `scripts/lib/colouring.py` says of the package's source.
fn changes(package: &str) -> String {
    let script = demo_directory().join("../scripts/lib/colouring.py");
    let (before, after) = (demo_directory().join("sequential_tasks.rs"), demo_directory().join(package));
    let run = Program::command("python3").arg(script).arg(before).arg(after.join("src/main.rs")).natively();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    run.stdout.lines().last().expect("counts").to_string()
}

/// A and B, 2 s each, wait at the same time.
fn overlaps(name: &str) -> Run {
    let program = package(name, name);
    let begun = Instant::now();
    let run = program.natively();
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    assert!((1.9..3.5).contains(&seconds), "{name} took {seconds:.2} s");
    let position = |text: &str| run.stdout.lines().position(|line| line.ends_with(text)).expect(text);
    let started = position("A starts").max(position("B starts"));
    assert!(started < position("A finishes").min(position("B finishes")), "{run:#?}");
    run
}

#[test]
fn coroutines_by_name_leave_signatures_as_they_are() {
    overlaps("explicit");
    assert_eq!(changes("explicit"), "8 of 22 lines, 0 of 4 signatures");
}

#[test]
fn async_and_await_colour_functions() {
    let run = overlaps("coloured");
    assert_eq!(run.most_kernel_threads, 1, "{run:#?}");
    assert_eq!(changes("coloured"), "7 of 22 lines, 2 of 4 signatures (blocking_task, main)");
}

#[test]
fn tokio_hangs_under_classic_and_holds_under_grivet() {
    let classic = target_directory().join("release/libgrivet_classic.so");
    assert!(classic.is_file(), "run `cargo build --release -p grivet-preload-classic`");
    let hung = package("coloured", "tokio_echo").env("LD_PRELOAD", classic.display()).time_limit(3).natively();
    assert_eq!((hung.end, &hung.stdout[..]), (End::TimedOut, ""), "{hung:#?}");
    package("coloured", "tokio_echo").same();
}
