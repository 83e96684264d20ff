//! What a process tells of its own threads: timelines, statistics, deadlocks.

use grivet_tests::{End, Program, Run, scratch};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn json(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}", file.display()))
}

/// Names of the threads that a timeline in the format of Chrome's trace events shows.
fn thread_names(timeline: &Value) -> BTreeSet<String> {
    let events = timeline["traceEvents"].as_array().expect("events");
    let names = events.iter().filter(|event| event["name"] == "thread_name");
    names.filter_map(|event| event["args"]["name"].as_str()).map(str::to_owned).collect()
}

fn has(names: &BTreeSet<String>, wanted: &str) -> bool {
    names.iter().any(|name| name.contains(wanted))
}

fn traced(how: &str, file: &Path, end: End) -> Run {
    let run = Program::c("observe/states").arg(how).env("GRIVET_TRACE", file.display()).under_grivet();
    assert_eq!(run.end, end, "{how}: {run:#?}");
    assert!(run.stdout.ends_with("done\n"), "{how}: {run:#?}");
    run
}

#[test]
fn a_timeline_is_written_however_the_process_ends() {
    let folder = scratch("ends");
    for (how, end, said) in [
        ("return", End::Exited(0), "exit"),
        ("_exit", End::Exited(0), "exit"),
        ("segv", End::Killed(Signal::SIGSEGV), "signal 11"),
        ("abort", End::Killed(Signal::SIGABRT), "signal 6"),
        ("term", End::Killed(Signal::SIGTERM), "signal 15"),
        ("kill", End::Killed(Signal::SIGTERM), "signal 15"),
    ] {
        let file = folder.join(format!("{how}.json"));
        let run = traced(how, &file, end);
        assert!(run.reports.iter().any(|line| line.contains("timeline: ")), "{how}: {run:#?}");
        assert_eq!(fs::metadata(&file).expect("file").mode() & 0o777, 0o600);
        let timeline = json(&file);
        let names = thread_names(&timeline);
        for name in ["sleeper", "locker", "reader", "poller", "parent"] {
            assert!(has(&names, name), "{how}: no track of {name} in {names:?}");
        }
        assert!(timeline.to_string().contains(said), "{how}: the end is not told");
    }
}

#[test]
fn each_state_is_shown() {
    let file = scratch("states").join("states.json");
    traced("return", &file, End::Exited(0));
    let text = fs::read_to_string(&file).expect("file");
    for state in ["running", "sleeping", "lock", "pipe", "child"] {
        assert!(text.contains(state), "no {state} in {text}");
    }
    let timeline = json(&file);
    let events = timeline["traceEvents"].as_array().expect("events");
    for phase in ["X", "M", "s", "f"] {
        assert!(events.iter().any(|event| event["ph"] == phase), "no event of phase {phase}");
    }
}

#[test]
fn a_forked_child_writes_its_own() {
    let folder = scratch("fork");
    traced("fork", &folder.join("both.json"), End::Exited(0));
    let mut files: Vec<_> = fs::read_dir(&folder).expect("folder").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in &files {
        assert!(has(&thread_names(&json(file)), "sleeper"), "{}", file.display());
    }
    let pids: BTreeSet<u64> =
        files.iter().map(|file| json(file)["traceEvents"][0]["pid"].as_u64().expect("pid")).collect();
    assert_eq!(pids.len(), 2, "both tell of the same process");
}

#[test]
fn pictures_and_pages_hold_the_threads_names() {
    let folder = scratch("formats");
    for name in ["x.svg", "x.html"] {
        let file = folder.join(name);
        traced("return", &file, End::Exited(0));
        let text = fs::read_to_string(&file).expect("file");
        for thread in ["sleeper", "locker", "reader"] {
            assert!(text.contains(thread), "{name}: no {thread}");
        }
        assert!(!text.contains("http://") || text.contains("http://www.w3.org"), "{name} names a network address");
    }
}

#[test]
fn old_events_make_room_and_that_is_said() {
    let file = scratch("room").join("small.json");
    let run =
        Program::c("threads/churn").env("GRIVET_TRACE", file.display()).env("GRIVET_TRACE_SIZE", "64K").under_grivet();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    assert!(run.reports.iter().any(|line| line.contains("had no room")), "{run:#?}");
    let timeline = json(&file);
    assert!(timeline.to_string().contains("dropped"), "the file does not tell");
}

#[test]
fn links_are_not_followed_and_files_not_written_over() {
    let folder = scratch("links");
    let precious = folder.join("precious");
    fs::write(&precious, "precious").expect("written");
    let link = folder.join("link.json");
    std::os::unix::fs::symlink(&precious, &link).expect("link");
    traced("return", &link, End::Exited(0));
    assert_eq!(fs::read_to_string(&precious).expect("file"), "precious");
    let old = folder.join("old.json");
    fs::write(&old, "old").expect("written");
    traced("return", &old, End::Exited(0));
    assert_eq!(fs::read_to_string(&old).expect("file"), "old");
    let others = fs::read_dir(&folder).expect("folder").count();
    assert_eq!(others, 5, "the two timelines have names of their own");
}

#[test]
fn statistics_as_json_add_up() {
    let file = scratch("stats").join("stats.json");
    let run = Program::c("observe/states").env("GRIVET_STATS", format!("json:{}", file.display())).under_grivet();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    let stats = json(&file);
    assert_eq!(stats["threads"]["made"], 5);
    let waits = stats["waits"].as_object().expect("waits");
    let slept = &waits["sleep"];
    assert!(slept["count"].as_u64() >= Some(5), "{stats:#}");
    assert!(slept["total_ms"].as_f64() >= Some(20.0), "five sleeps of 4 ms: {stats:#}");
    for cause in ["lock", "read", "poll", "child"] {
        assert!(waits.contains_key(cause), "no {cause}: {stats:#}");
    }
    for wait in waits.values() {
        assert!(wait["longest_ms"].as_f64() <= wait["total_ms"].as_f64(), "{stats:#}");
    }
    let waited = stats["waited_longest"].as_array().expect("list");
    assert!(waited.iter().any(|thread| thread["name"] == "parent"), "{stats:#}");
    assert!(stats["system_calls"]["answered"].as_u64() > Some(20), "{stats:#}");
}

#[test]
fn the_table_names_causes_and_threads() {
    let run = Program::c("observe/states").env("GRIVET_STATS", "table").under_grivet();
    assert_eq!(run.stats[0].get("threads"), 5);
    let table = run.reports.join("\n");
    for word in ["sleep", "lock", "child", "waited longest: ", "saved"] {
        assert!(table.contains(word), "no {word}: {table}");
    }
}

fn deadlock(kind: &str, count: u32) -> Run {
    let run = Program::c("observe/deadlocks").args([kind, &count.to_string(), "3"]).under_grivet();
    assert_eq!(run.end, End::Exited(0), "{kind}: {run:#?}");
    assert_eq!(run.stdout, "main goes on\n", "{kind}: {run:#?}");
    run
}

fn said<'a>(run: &'a Run, what: &str) -> Vec<&'a String> {
    run.reports.iter().filter(|line| line.contains(what)).collect()
}

#[test]
fn cycles_of_locks_are_reported_once() {
    for kind in ["ring", "rwlock", "pi", "robust"] {
        let run = deadlock(kind, 2);
        assert_eq!(said(&run, "deadlock: 2 threads wait for each other").len(), 1, "{kind}: {run:#?}");
        for (waiter, holder) in [("ring 0", "ring 1"), ("ring 1", "ring 0")] {
            let edge = run.reports.iter().find(|line| line.contains(&format!("  {waiter} (")));
            assert!(edge.is_some_and(|line| line.contains(&format!("held by {holder} ("))), "{kind}: {run:#?}");
        }
    }
}

#[test]
fn long_cycles_are_found() {
    let run = deadlock("ring", 50);
    assert_eq!(said(&run, "deadlock: 50 threads").len(), 1, "{run:#?}");
    assert_eq!(said(&run, "deadlock: ").len(), 1, "once: {run:#?}");
}

#[test]
fn a_lock_taken_twice_is_reported() {
    let run = deadlock("self", 1);
    assert_eq!(said(&run, "a thread waits for a lock that it holds itself").len(), 1, "{run:#?}");
    assert_eq!(said(&run, "  twice (").len(), 1, "{run:#?}");
}

#[test]
fn a_join_can_close_a_cycle() {
    let run = deadlock("join", 1);
    assert_eq!(said(&run, "deadlock: 2 threads").len(), 1, "{run:#?}");
    assert_eq!(said(&run, "joiner (").len(), 2, "{run:#?}");
    assert_eq!(said(&run, "the end of joined (").len(), 1, "{run:#?}");
}

#[test]
fn a_lock_of_an_ended_thread_is_reported() {
    let run = deadlock("ended", 1);
    assert_eq!(said(&run, "left behind (").len(), 1, "{run:#?}");
    assert_eq!(said(&run, "held when it ended").len(), 1, "{run:#?}");
}

#[test]
fn the_user_says_what_a_deadlock_ends_in() {
    let ends = |action: &str| {
        Program::c("observe/deadlocks").args(["ring", "2", "3"]).env("GRIVET_ON_DEADLOCK", action).under_grivet()
    };
    assert_eq!(ends("exit:9").end, End::Exited(9));
    assert_eq!(ends("abort").end, End::Killed(Signal::SIGABRT));
    let quiet = ends("off");
    assert_eq!((quiet.end, quiet.reports.len()), (End::Exited(0), 0));
}

fn asks_for_dump(arguments: &[&str], setting: Option<&str>) -> Run {
    let mut program = Program::c("observe/asks_for_dump");
    for argument in arguments {
        program = program.arg(*argument);
    }
    if let Some(setting) = setting {
        program = program.env("GRIVET_DUMP_SIGNAL", setting);
    }
    program.under_grivet()
}

#[test]
fn a_signal_makes_the_process_describe_its_threads() {
    for (signal, setting) in [("63", None), ("12", Some("12"))] {
        let run = asks_for_dump(&[signal], setting);
        assert_eq!((run.end, run.stdout.as_str()), (End::Exited(0), "done, not handled\n"), "{run:#?}");
        let dump = &run.stderr;
        for part in [
            "44 green threads",
            "waits_for_the_lock",
            "held by thread",
            "sleeps_long",
            "40 threads like this",
            "waits_alike",
            "\"spinner\"",
            "spins_on",
        ] {
            assert!(dump.contains(part), "no {part}: {dump}");
        }
    }
}

#[test]
fn a_program_that_handles_the_signal_keeps_it() {
    let run = asks_for_dump(&["63", "handles"], None);
    assert_eq!((run.end, run.stdout.as_str()), (End::Exited(0), "done, handled\n"), "{run:#?}");
    assert_eq!((run.stderr.as_str(), run.reports.len()), ("", 0), "{run:#?}");
}

#[test]
fn without_the_signal_its_default_action_is_taken() {
    let run = asks_for_dump(&["63"], Some("off"));
    assert!(!run.stderr.contains("green threads"), "{run:#?}");
}

#[test]
fn reports_of_deadlocks_have_backtraces() {
    let run = deadlock("ring", 2);
    assert_eq!(run.stderr.matches("waits_in_a_ring").count(), 2, "{run:#?}");
    assert_eq!(run.stderr.matches("pthread_mutex_lock").count(), 2, "{run:#?}");
}

fn blocks_others(how: &str, preempt: &str) -> Run {
    let program = Program::c("observe/blocks_others").arg(how);
    let run = program.env("GRIVET_MAX_BLOCKING", "100ms").env("GRIVET_PREEMPT", preempt).alone().under_grivet();
    assert_eq!((run.end, run.stdout.as_str()), (End::Exited(0), "done\n"), "{run:#?}");
    run
}

#[test]
fn who_keeps_the_others_waiting_is_reported_with_a_backtrace() {
    for (how, preempt, function) in [("vfork", "on", "vfork"), ("compute", "off", "keeps_them_waiting")] {
        let run = blocks_others(how, preempt);
        let reports = said(&run, "has kept the others waiting for");
        assert!(!reports.is_empty() && reports.iter().all(|line| line.contains("blocker (")), "{how}: {run:#?}");
        assert!(run.stderr.contains(function), "{how}: {run:#?}");
        assert_eq!(said(&run, "blocking: others were kept waiting").len(), 1, "{how}: {run:#?}");
    }
}

#[test]
fn a_deadlock_in_an_interpreter_is_reported() {
    let run = Program::python("observe/crossed_locks.py").under_grivet();
    assert_eq!((run.end, run.stdout.as_str()), (End::Exited(0), "the rest goes on\n"), "{run:#?}");
    assert_eq!(said(&run, "deadlock: 2 threads wait for each other").len(), 1, "{run:#?}");
    assert!(run.stderr.contains("pthread_mutex_lock"), "{run:#?}");
}

/// Programs that others wrote, with all that can be recorded switched on: they do what they do without.
#[test]
fn strangers_are_recorded_and_not_disturbed() {
    let folder = scratch("strangers");
    let python = || Program::python("languages/threads_and_locks.py");
    let sysbench = || Program::command("sysbench").args(["threads", "--threads=20", "--time=1", "run"]);
    for (name, program) in [("python", &python as &dyn Fn() -> Program), ("sysbench", &sysbench)] {
        let (timeline, stats) = (folder.join(format!("{name}.json")), folder.join(format!("{name}-stats.json")));
        let run = program()
            .env("GRIVET_TRACE", timeline.display())
            .env("GRIVET_STATS", format!("json:{}", stats.display()))
            .env("GRIVET_MAX_BLOCKING", "2s")
            .under_grivet();
        assert_eq!(run.end, End::Exited(0), "{name}: {run:#?}");
        assert_eq!(run.reports.len(), 1, "{name}: only where the timeline is: {run:#?}");
        let (timeline, stats) = (json(&timeline), json(&stats));
        let made = stats["threads"]["made"].as_u64().expect("a number");
        assert!(made >= 10, "{name}: {stats:#}");
        assert!(timeline["traceEvents"].as_array().expect("events").len() as u64 > 10 * made, "{name}");
        assert!(stats["waits"]["lock"]["count"].as_u64() > Some(0), "{name}: {stats:#}");
    }
}

#[test]
fn an_interpreter_that_keeps_its_threads_waiting_is_reported() {
    let program = Program::python("observe/derives_a_key.py");
    let run = program.env("GRIVET_MAX_BLOCKING", "100ms").env("GRIVET_PREEMPT", "off").alone().under_grivet();
    assert_eq!((run.end, run.stdout.as_str()), (End::Exited(0), "derived\n"), "{run:#?}");
    assert!(!said(&run, "has kept the others waiting for").is_empty(), "{run:#?}");
    assert!(run.stderr.contains("PKCS5_PBKDF2_HMAC") && run.stderr.contains("_PyEval_EvalFrameDefault"), "{run:#?}");
    assert_eq!(said(&run, "blocking: others were kept waiting").len(), 1, "{run:#?}");
}
