//! gdb on a program under grivet: breakpoints in green threads with whole backtraces, stepping, watchpoints, calls, and
//! attaching to a process that runs and goes on to end well.

use grivet_tests::{Language, compile, library};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// What gdb prints for COMMANDS. It never asks the network for anything, and lets the slice timer's signal pass.
fn gdb(options: &[&str], commands: &[&str], program: Option<&Path>) -> String {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "40", "gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off"]).args(options);
    for one in ["set startup-with-shell off", "handle SIGURG nostop noprint pass"].iter().chain(commands) {
        command.args(["-ex", one]);
    }
    command.args(program).stdin(Stdio::null());
    let output = command.output().expect("gdb");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The program that two tests debug, made once: gdb finds no symbols of a running program whose file was made anew.
fn debugged() -> PathBuf {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| compile(Language::C, "process/debugged", &[]));
    PROGRAM.clone()
}

/// Loads the library under test into the program, and only there.
fn preloaded() -> String {
    format!("set environment LD_PRELOAD={}", library().display())
}

#[test]
fn breakpoints_in_green_threads() {
    let program = debugged();
    let commands =
        [&preloaded(), "break works", "run", "backtrace", "finish", "next", "print works(41)", "delete", "continue"];
    let text = gdb(&[], &commands.map(|command| command), Some(&program));
    for expected in ["works (me=", " in body (", " in start_thread (", "Value returned is $1 = ", "works (me=41)"] {
        assert!(text.contains(expected), "no {expected}: {text}");
    }
}

#[test]
fn every_green_thread_meets_the_breakpoint() {
    let program = debugged();
    let commands = [&preloaded(), "break works", "ignore 1 1000", "run", "info breakpoints"];
    let text = gdb(&[], &commands.map(|command| command), Some(&program));
    // A signal that comes right there makes a thread meet it once more.
    let hits = text.split("already hit ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
    assert!(hits.is_some_and(|hits| (24..34).contains(&hits)), "{text}");
    assert!(text.contains("exited normally") && text.contains("sum 108"), "{text}");
}

#[test]
fn attaching_while_all_threads_wait() {
    let program = compile(Language::C, "process/all_asleep", &[]);
    let mut running =
        Command::new(&program).arg("60").env("LD_PRELOAD", library()).stdout(Stdio::null()).spawn().expect("a program");
    std::thread::sleep(Duration::from_millis(500));
    let text = gdb(&["-p", &running.id().to_string()], &["backtrace"], None);
    running.kill().expect("an end");
    running.wait().expect("its status");
    let frames = ["innermost", "outer", "sleeps", "start_thread"].map(|name| format!(" {name} ("));
    let places: Vec<_> = frames.iter().map(|frame| text.find(frame.as_str())).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "not the whole way: {text}");
}

#[test]
fn attaching_and_detaching() {
    let program = debugged();
    let running = Command::new("timeout")
        .args(["-s", "KILL", "50"])
        .arg("env")
        .arg(format!("LD_PRELOAD={}", library().display()))
        .arg(&program)
        .arg("120")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a program");
    std::thread::sleep(Duration::from_millis(500));
    let children = format!("/proc/{0}/task/{0}/children", running.id());
    let process = std::fs::read_to_string(children).expect("the program's process").trim().to_string();
    let commands =
        ["backtrace", "break works", "continue", "backtrace", "delete", "watch calls", "continue", "delete", "detach"];
    let text = gdb(&["-p", &process], &commands, None);
    for expected in [" in body (", " in start_thread (", "Old value = ", "detached"] {
        assert!(text.contains(expected), "no {expected}: {text}");
    }
    let output = running.wait_with_output().expect("the program's end");
    assert!(output.status.success(), "{output:?}; gdb: {text}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "sum 108\n");
}
