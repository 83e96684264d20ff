//! How the library comes in: its variables, what it counts, libraries that arrive later, threads made outside main.

use grivet_tests::{End, Program, Run, library};

#[test]
fn threads_are_one_kernel_thread() {
    let program = Program::c("loading/threads_asleep").arg("8");
    assert_eq!(program.natively().most_kernel_threads, 9);
    let run = program.well_under_grivet();
    assert_eq!(run.most_kernel_threads, 1);
    assert_eq!(run.stdout, "8 threads\n");
}

#[test]
fn library_that_arrives_later_has_locks_and_threads() {
    Program::c("loading/dlopened_library").with_library("loading/plugin_locks").same();
}

#[test]
fn library_that_arrives_later_makes_its_own_system_calls() {
    Program::c("loading/dlopened_inline_syscalls").with_library("loading/plugin_inline_syscalls").same();
}

/// Its run-time's threads would be taken for the program's, and wait in system calls that are not rewritten.
#[test]
fn go_library_that_arrives_later_is_refused() {
    let program = Program::c("loading/dlopened_after_a_thread").with_library("loading/plugin_go_note");
    assert_eq!(program.natively().stdout, "loaded: 42\n");
    let run = program.under_grivet();
    assert_eq!((run.end, &run.stdout[..]), (End::Exited(0), "not loaded\n"), "{run:#?}");
    let [report] = &run.reports[..] else { panic!("one line expected: {run:#?}") };
    assert!(report.contains("written in Go") && report.contains("it is not loaded"), "{report}");
}

#[test]
fn threads_made_outside_main() {
    Program::c("loading/thread_in_constructor").with_library("loading/plugin_constructor").same();
}

#[test]
fn library_works_beside_another_in_ld_preload() {
    let both = format!("libm.so.6:{}", library().display());
    let run = Program::command("env")
        .arg(format!("LD_PRELOAD={both}"))
        .arg("GRIVET_STATS=1")
        .arg(Program::c("loading/threads_asleep").path())
        .natively();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    assert_eq!(run.most_kernel_threads, 1, "{run:#?}");
    assert_eq!(run.threads_made(), 8, "{run:#?}");
}

fn asleep_with(variable: &str, value: &str) -> Run {
    let run = Program::c("loading/threads_asleep").arg("4").env(variable, value).under_grivet();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    assert_eq!(run.stdout, "4 threads\n", "{run:#?}");
    run
}

#[test]
fn grivet_off_is_native() {
    let run = asleep_with("GRIVET", "off");
    assert_eq!(run.most_kernel_threads, 5, "{run:#?}");
    assert_eq!(run.reports, [""; 0]);
}

#[test]
fn grivet_on_is_the_default() {
    let run = asleep_with("GRIVET", "on");
    assert_eq!(run.most_kernel_threads, 1, "{run:#?}");
    assert_eq!(run.reports, [""; 0]);
    assert!(run.stats.is_empty() && run.stderr.is_empty(), "unasked output: {run:#?}");
}

#[test]
fn unknown_values_are_complained_of_and_the_program_runs_natively() {
    for (variable, value) in [("GRIVET", "maybe"), ("GRIVET_STATS", "yes"), ("GRIVET_STACK", "lots")] {
        let run = asleep_with(variable, value);
        assert_eq!(run.most_kernel_threads, 5, "{run:#?}");
        let [report] = &run.reports[..] else { panic!("one line expected: {run:#?}") };
        assert!(report.starts_with(&format!("grivet: {variable}={value}: ")), "{report}");
        assert!(report.contains("allowed: ") && report.ends_with("; running natively"), "{report}");
    }
    let run = asleep_with("GRIVET_STACK", "12Q");
    assert_eq!(
        run.reports,
        ["grivet: GRIVET_STACK=12Q: not a size; allowed: 64K to 1G, as 262144, 256K or 8M; running natively"]
    );
}

#[test]
fn grivet_stack_sets_the_default_stack_size() {
    for (value, bytes) in [("256K", 256 << 10), ("1M", 1 << 20), ("70000", 73728), ("64K", 64 << 10)] {
        let run = Program::c("threads/default_stack_size").env("GRIVET_STACK", value).under_grivet();
        assert_eq!(run.end, End::Exited(0), "{run:#?}");
        assert_eq!(run.stdout, format!("{bytes}\n"), "GRIVET_STACK={value}");
        assert_eq!(run.reports, [""; 0], "{run:#?}");
    }
}

#[test]
fn statistics_count_what_happened() {
    let run = Program::c("loading/threads_asleep").arg("20").env("GRIVET_STATS", "1").under_grivet();
    let [stats] = &run.stats[..] else { panic!("one stats line expected: {run:#?}") };
    let names = [
        "threads",
        "peak",
        "switches",
        "parks_futex",
        "parks_sleep",
        "parks_poll",
        "parks_signal",
        "parks_io",
        "received_together",
        "answered",
        "passed",
    ];
    assert_eq!(stats.names(), names);
    assert_eq!(stats.get("threads"), 20);
    assert_eq!(stats.get("peak"), 20);
    assert_eq!(stats.get("parks_sleep"), 20);
    assert!(stats.get("parks_futex") >= 1, "main joined nobody: {stats:?}");
    assert!(stats.get("switches") >= 40, "{stats:?}");
    assert!(stats.get("answered") >= 60, "{stats:?}");
}

#[test]
fn programs_without_threads_are_as_without_grivet() {
    Program::command("ls").arg("/").without_threads().same();
    Program::command("sh").args(["-c", "echo $((6 * 7)) | cat; exit 3"]).ends(End::Exited(3)).without_threads().same();
}
