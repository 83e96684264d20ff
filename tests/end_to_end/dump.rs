//! `grivet dump` on programs in every state: what it says of each thread, that its JSON is JSON, and that the program goes on as
//! if nobody had looked.

use grivet_tests::{Language, Program, Watched, compile, look_at};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const NONE: [&str; 0] = [];

fn c(name: &str) -> PathBuf {
    compile(Language::C, &format!("observe/{name}"), &[])
}

/// The part of a dump that is about one thread or group: the line that MARK is in, and the frames below it.
fn part<'d>(dump: &'d str, mark: &str) -> &'d str {
    let found = dump.split("\n\n").find(|part| part.lines().next().is_some_and(|line| line.contains(mark)));
    found.unwrap_or_else(|| panic!("no {mark} in: {dump}"))
}

/// Whether those functions are in the part, in this order.
fn has_frames(part: &str, functions: &[&str]) {
    let mut rest = part;
    for function in functions {
        let place = rest.find(function).unwrap_or_else(|| panic!("no {function}, or out of order, in: {part}"));
        rest = &rest[place..];
    }
}

fn json(dump: &str) -> Value {
    serde_json::from_str(dump).unwrap_or_else(|error| panic!("{error}: {dump}"))
}

/// All functions of the frames of a group.
fn functions(group: &Value) -> Vec<&str> {
    let frames = group["frames"].as_array().expect("frames");
    frames
        .iter()
        .flat_map(|frame| frame["functions"].as_array().expect("functions"))
        .filter_map(|one| one["name"].as_str())
        .collect()
}

#[test]
fn every_kind_of_waiting_is_told_apart() {
    let program = Watched::start(&c("parked_kinds"), &NONE);
    let dump = program.dump_at_rest();
    for (name, what, function) in [
        ("on mutex", "waiting for a mutex at 0x", "wants_mutex"),
        ("on inheriting", "waiting for a mutex at 0x", "wants_inheriting"),
        ("on rwlock", "waiting for a read-write lock at 0x", "wants_to_read_lock"),
        ("on condition", "waiting for a condition variable at 0x", "waits_for_condition"),
        ("on semaphore", "waiting for a semaphore at 0x", "waits_for_semaphore"),
        ("on barrier", "waiting for a barrier at 0x", "waits_at_barrier"),
        ("on join", "waiting for the end of thread", "joins_holder"),
        ("on pipe", "(pipe)", "reads_pipe"),
        ("on socket", "(socket)", "receives"),
        ("in poll", "waiting in poll", "polls_a_pipe"),
        ("on child", "waiting for a child process", "waits_for_child"),
        ("on signal", "waiting for a signal", "waits_for_signal"),
        ("asleep", "16 min", "sleeps_long"),
    ] {
        let part = part(&dump, &format!("\"{name}\" "));
        assert!(part.contains(what), "{name}: {part}");
        has_frames(part, &[function, "start_thread"]);
    }
    for name in ["on mutex", "on inheriting", "on rwlock", "on join"] {
        let line = part(&dump, &format!("\"{name}\" ")).lines().next().unwrap_or_default();
        assert!(line.contains("\"holder\""), "whose lock: {line}");
    }
    has_frames(part(&dump, "fd 0 (pipe)"), &["be_looked_at", "main at parked_kinds.c:", "_start"]);
    program.ends_saying("all ended\n");
}

#[test]
fn json_holds_the_same() {
    let program = Watched::start(&c("parked_kinds"), &NONE);
    let dump = json(&program.dump(&["--json"]));
    assert_eq!((dump["version"].as_u64(), dump["threads"].as_u64()), (Some(1), Some(15)));
    assert_eq!(dump["process"].as_u64(), Some(u64::from(program.pid)));
    let groups = dump["groups"].as_array().expect("groups");
    let of = |name: &str| {
        let found = groups.iter().find(|group| group["threads"][0]["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {dump}"))
    };
    let holder = of("holder")["threads"][0]["id"].as_u64();
    let on_mutex = of("on mutex");
    assert_eq!((on_mutex["waits_for"].as_str(), on_mutex["state"].as_str()), (Some("mutex"), Some("waiting")));
    assert_eq!(on_mutex["threads"][0]["owner"].as_u64(), holder);
    assert!(on_mutex["threads"][0]["for_ms"].as_u64().is_some_and(|ms| ms < 60_000), "{on_mutex}");
    assert!(functions(on_mutex).contains(&"wants_mutex"), "{on_mutex}");
    assert_eq!(of("on pipe")["threads"][0]["fd_is"], "pipe");
    assert!(of("asleep")["threads"][0]["left_ms"].as_u64().is_some_and(|ms| ms > 900_000), "{dump}");

    let id = holder.expect("its id").to_string();
    let one = program.dump(&["--thread", &id]);
    assert_eq!(one.matches("\nThread ").count(), 1, "{one}");
    has_frames(&one, &["\"holder\"", "holds_locks"]);
    program.ends_saying("all ended\n");
}

#[test]
fn many_alike_are_one_group() {
    let program = Watched::start(&c("alike"), &NONE);
    let dump = program.dump_at_rest();
    let group = part(&dump, "5,000 threads like this, waiting for a condition variable at 0x");
    has_frames(group, &["waits_like_all_others", "body", "start_thread"]);
    assert!(dump.lines().count() < 40, "{dump}");
    let all = json(&program.dump(&["--json", "--all"]));
    let groups = all["groups"].as_array().expect("groups");
    assert_eq!(groups.len(), 5001);
    let waiting = groups.iter().filter(|group| functions(group).contains(&"waits_like_all_others"));
    assert_eq!(waiting.count(), 5000);
    program.ends_saying("5000 ended\n");
}

#[test]
fn a_deadlock_shows_who_holds_what() {
    let program = Watched::start(&c("deadlock"), &NONE);
    let dump = program.dump_at_rest();
    for (name, other) in [("left", "right"), ("right", "left")] {
        let line = part(&dump, &format!("\"{name}\" waiting")).lines().next().unwrap_or_default();
        assert!(line.contains("held by thread") && line.contains(&format!("\"{other}\"")), "{line}");
    }
    program.ends_saying("unharmed\n");
}

#[test]
fn a_program_that_spins_is_shown_where_it_spins() {
    let program = Watched::start(&c("busy"), &["spin"]);
    // It polls, too, now and then.
    let seen = (0..20).any(|_| {
        let dump = program.dump(&[]);
        has_frames(part(&dump, "\" running"), &["main", "_start"]);
        dump.contains("spins_in_here")
    });
    assert!(seen, "never in the function where it is nearly always");
    program.ends_saying("unharmed\n");
}

#[test]
fn a_handler_shows_what_it_interrupted() {
    let program = Watched::start(&c("busy"), &["handler"]);
    let dump = program.dump(&[]);
    let group = part(&dump, "2 threads like this, waiting for a semaphore");
    has_frames(group, &["(a signal's handler was called)", "raise", "is_interrupted", "start_thread"]);
    program.ends_saying("unharmed\n");
}

/// A hundred dumps in a row of a program that never rests; all frames of all its threads are there each time.
fn a_hundred_dumps(how: &str, function: &str) {
    let program = Watched::start(&c("busy"), &[how]);
    let mut in_function = 0;
    for _ in 0..100 {
        let dump = json(&program.dump(&["--json"]));
        for group in dump["groups"].as_array().expect("groups") {
            let functions = functions(group);
            assert!(["clone3", "_start"].iter().any(|last| functions.last() == Some(last)), "{group}");
            in_function += usize::from(functions.contains(&function));
        }
    }
    assert!(in_function >= 100, "{function} in {in_function} only");
    program.ends_saying("unharmed\n");
}

#[test]
fn a_hundred_dumps_deep_in_malloc() {
    a_hundred_dumps("malloc", "allocates");
}

#[test]
fn a_hundred_dumps_among_system_calls() {
    a_hundred_dumps("calls", "calls");
}

#[test]
fn a_hundred_dumps_among_switches() {
    a_hundred_dumps("switches", "takes_turns");
}

/// Calls that wait in the kernel do not see the stops.
fn is_not_interrupted(how: &str, what: &str) {
    let program = Watched::start(&c("calls_in_kernel"), &[how]);
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..20 {
        let dump = program.dump(&[]);
        assert!(dump.contains(what), "{dump}");
    }
    program.ends_saying("unharmed\n");
}

#[test]
fn a_call_that_a_helper_makes_goes_on() {
    is_not_interrupted("helper", ", which a helper thread makes");
}

#[test]
fn a_call_that_the_only_thread_makes_goes_on() {
    is_not_interrupted("alone", "epoll_wait");
}

#[test]
fn cpp_names_are_demangled() {
    let program = Watched::start(&compile(Language::Cpp, "observe/names", &[]), &NONE);
    let dump = program.dump_at_rest();
    has_frames(&dump, &["shop::Counter<std::", ">::serve(", ", int) const", " at names.cpp:"]);
    assert!(!dump.contains("_ZN"), "{dump}");
    program.ends_saying("unharmed\n");
}

#[test]
fn rust_names_are_demangled() {
    let program = Watched::start(&compile(Language::Rust, "observe/names", &[]), &NONE);
    let dump = program.dump_at_rest();
    has_frames(part(&dump, "\"shelf\" waiting for a condition variable"), &["wait_for_goods", "start_thread"]);
    has_frames(part(&dump, "\"orders\" parked"), &["names::warehouse::receive_all", "start_thread"]);
    assert!(!dump.contains("_ZN") && !dump.contains("_R"), "{dump}");
    program.ends_saying("unharmed\n");
}

#[test]
fn a_stripped_program_has_addresses_for_names() {
    let whole = c("alike");
    let stripped = whole.with_extension("stripped");
    let status = Command::new("strip").arg(&whole).arg("-o").arg(&stripped).status().expect("strip");
    assert!(status.success());
    let program = Watched::start(&stripped, &["7"]);
    let dump = program.dump_at_rest();
    let group = part(&dump, "7 threads like this, waiting for a condition variable");
    let name = stripped.file_name().expect("a name").to_string_lossy().into_owned();
    has_frames(group, &["pthread_cond_wait", &format!("{name}+0x"), "start_thread"]);
    program.ends_saying("7 ended\n");
}

#[test]
fn a_program_whose_file_is_gone_is_still_shown() {
    let whole = c("alike");
    let link = whole.with_extension("removed");
    std::fs::hard_link(&whole, &link).expect("a link");
    let program = Watched::start(&link, &["7"]);
    std::fs::remove_file(&link).expect("removed");
    has_frames(part(&program.dump(&[]), "7 threads like this"), &["waits_like_all_others", "body", "start_thread"]);
    program.ends_saying("7 ended\n");
}

#[test]
fn python_threads() {
    // The interpreter itself: python3 in PATH may be a script that finds it.
    let python = Program::python("observe/fifty_threads.py").path().to_path_buf();
    let source = grivet_tests::programs_directory().join("observe/fifty_threads.py");
    let program = Watched::start(&python, &[source]);
    let dump = program.dump_at_rest();
    let group = part(&dump, "50 threads like this, waiting for a ");
    has_frames(group, &["PyThread_acquire_lock", "_PyEval_EvalFrameDefault", "start_thread"]);
    let table = program.look(&["top", "--once"]);
    let table = String::from_utf8_lossy(&table.stdout);
    assert!(table.contains("51 threads") && table.matches(" for a ").count() >= 50, "{table}");
    program.ends_saying("unharmed\n");
}

#[test]
fn after_a_fork_parent_and_child_have_threads_of_their_own() {
    let program = Watched::start(&c("after_fork"), &NONE);
    let parent = program.dump(&[]);
    has_frames(part(&parent, "2 threads like this"), &["waits_in_parent"]);
    let child = look_at(program.said.trim().parse().expect("the child's id"), &["dump"]);
    let child = String::from_utf8_lossy(&child.stdout);
    has_frames(part(&child, "3 threads like this"), &["waits_in_child"]);
    has_frames(part(&child, "waiting to read from fd 0"), &["lives_in_child", "forks"]);
    program.ends_saying("unharmed\n");
}

/// `grivet dump` ends with STATUS and one line, which is returned.
fn refused(pid: u32, status: i32) -> String {
    let output = look_at(pid, &["dump"]);
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), line.matches('\n').count()), (Some(status), 1), "{line}");
    assert!(output.stdout.is_empty() && line.starts_with("grivet: "), "{line}");
    line
}

#[test]
fn what_cannot_be_shown_is_explained() {
    let native = Watched::start_natively(&c("alike"), &["3"]);
    assert!(refused(native.pid, 1).contains("runs natively"));
    native.ends_saying("3 ended\n");
    let single = Watched::start(Path::new("/bin/sh"), &["-c", "echo ready; read line; echo over"]);
    assert!(refused(single.pid, 1).contains("no green threads yet"));
    drop(single);
    assert!(refused(i32::MAX as u32, 3).contains("no process"));
}
