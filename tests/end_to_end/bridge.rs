//! Async programs that await blocking calls on green threads: the tests of the crate `grivet-bridge` and its demo, asyncio's
//! `to_thread`, and a PyTango device server, each natively and under grivet.
//!
//! `bridge/` is a workspace of its own, so cargo is asked to build it here, into `bridge` in the target directory.

use grivet_tests::{End, Program, Run, programs_directory, target_directory};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const POOL: u32 = 512; // threads of tokio's spawn_blocking

fn repository() -> PathBuf {
    let tests = programs_directory();
    tests.ancestors().nth(2).expect("the repository's folder").to_path_buf()
}

/// Runs cargo on the bridge's workspace; what it said on stderr.
fn cargo(subcommand: &str, options: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([subcommand, "--locked", "--manifest-path"]).arg(repository().join("bridge/Cargo.toml"));
    command.arg("--target-dir").arg(target_directory().join("bridge")).args(options);
    command.env("RUST_TEST_THREADS", "4").env("CARGO_TERM_COLOR", "never");
    let output = command.output().expect("cargo");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}:\n{said}\n{}", String::from_utf8_lossy(&output.stdout));
    said
}

/// The bridge's demo program with its arguments.
fn await_legacy(arguments: &[&str]) -> Program {
    cargo("build", &["-p", "grivet-bridge-demo"]);
    arguments
        .iter()
        .fold(Program::command(target_directory().join("bridge/debug/await_legacy")), |program, argument| {
            program.arg(*argument)
        })
}

/// The seconds that the last line of the run's output speaks of, if all of CALLS gave the right value.
fn seconds(run: &Run, calls: u32) -> f64 {
    let last = run.stdout.lines().last().unwrap_or_default();
    assert!(run.end == End::Exited(0) && last.starts_with(&format!("{calls} of {calls} ")), "{run:#?}");
    let words: Vec<&str> = last.split(' ').collect();
    let unit = words.iter().position(|word| word.trim_end_matches(',') == "s").expect("a time in seconds");
    words[unit - 1].parse().expect("a number of seconds")
}

#[test]
fn the_crates_own_tests() {
    cargo("test", &["-p", "grivet-bridge"]);
    let listed = cargo("test", &["-p", "grivet-bridge", "--no-run"]);
    let binaries = listed.lines().filter(|line| line.trim_start().starts_with("Executable"));
    let mut count = 0;
    for binary in binaries.filter_map(|line| line.split_once('(')?.1.strip_suffix(')')) {
        // Cargo names them relative to the folder that it was started in.
        let run = Program::command(binary).env("RUST_TEST_THREADS", 4).well_under_grivet();
        assert!(run.stdout.contains("test result: ok. "), "{run:#?}");
        count += 1;
    }
    assert_eq!(count, 3, "unit tests, tests/calls.rs and tests/executors.rs: {listed}");
}

#[test]
fn ten_thousand_calls_take_the_time_of_one() {
    let green = await_legacy(&["bridge", "move", "10000"]).well_under_grivet();
    assert!(green.threads_made() >= 10_000 && green.stdout.contains("on green threads"), "{green:#?}");
    let pooled = await_legacy(&["spawn_blocking", "move", &(2 * POOL).to_string()]).natively();
    let pooled_all = seconds(&pooled, 2 * POOL) / f64::from(2 * POOL) * 10_000.0;
    let bridged = seconds(&green, 10_000);
    assert!(bridged >= 1.0 && pooled_all / bridged > 3.0, "bridge {bridged} s, spawn_blocking {pooled_all} s");
}

#[test]
fn natively_each_call_has_a_kernel_thread() {
    let native = await_legacy(&["bridge", "move", "1000"]).natively();
    assert!(seconds(&native, 1000) < 5.0 && native.most_kernel_threads > 900, "{native:#?}");
}

#[test]
fn blocking_clients_and_an_async_server_in_one_process() {
    let took = seconds(&await_legacy(&["bridge", "ask", "2000"]).well_under_grivet(), 2000);
    assert!(took < 10.0, "one after the other they take half an hour: {took} s");
}

#[test]
fn asyncio_to_thread_with_a_large_pool() {
    let script = repository().join("demo-bin/asyncio_to_thread.py");
    let program = || Program::python(&script.to_string_lossy()).args(["5000", "1"]);
    let native = seconds(&program().natively(), 5000);
    let run = program().with_helper_threads().well_under_grivet();
    let green = seconds(&run, 5000);
    assert!(run.threads_made() >= 1000, "{run:#?}");
    assert!(green < 3.0 * native + 1.0, "{green} s, natively {native} s");
}

/// A PyTango device server, killed when dropped.
struct DeviceServer {
    process: Child,
    port: u16,
}

impl Drop for DeviceServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const DEVICES: usize = 20;

/// A Python with PyTango, from PyPI.
fn python_with_pytango() -> PathBuf {
    let output = Command::new("python3")
        .arg(repository().join("scripts/lib/venvs.py"))
        .arg(target_directory().join("demo/pytango"))
        .arg(repository().join("demo-bin/pytango-requirements.txt"))
        .output()
        .expect("python3");
    assert!(output.status.success(), "no PyTango to test: {}", String::from_utf8_lossy(&output.stderr).trim());
    PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
}

fn device_server(python: &Path, model: &str, preloaded: bool) -> DeviceServer {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port");
    let devices: Vec<String> = (1..=DEVICES).map(|number| format!("test/axis/{number}")).collect();
    let mut command = Command::new(python);
    command.arg(repository().join("demo-bin/tango_server.py")).args(["demo", "-ORBendPoint"]);
    command.arg(format!("giop:tcp:{free}")).args(["-nodb", "-dlist", &devices.join(",")]).env("MODEL", model);
    if preloaded {
        command.env("LD_PRELOAD", grivet_tests::library());
    }
    let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the device server");
    let mut server = DeviceServer { process, port: free.port() };
    let mut line = String::new();
    let stdout = server.process.stdout.take().expect("its output");
    BufReader::new(stdout).read_line(&mut line).expect("a line of the device server");
    assert_eq!(line.trim(), "Ready to accept request");
    server
}

impl DeviceServer {
    fn kernel_threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.process.id())).map_or(0, Iterator::count)
    }

    /// The local addresses that it listens at, as `ss` shows them.
    fn addresses(&self) -> Vec<String> {
        let output = Command::new("ss").args(["-ltnupH"]).output().expect("ss");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let own = format!("pid={},", self.process.id());
        let lines = text.lines().filter(|line| line.contains(&own));
        lines.map(|line| line.split_whitespace().nth(4).expect("an address").to_string()).collect()
    }
}

#[test]
fn a_pytango_server_serves_blocking_commands_at_once() {
    let python = python_with_pytango();
    let clients = |server: &DeviceServer, devices: u32, clients: u32| {
        let script = repository().join("demo-bin/tango_clients.py");
        let arguments = [server.port.to_string(), devices.to_string(), clients.to_string()];
        let program = Program::command(&python).arg(script);
        let run = arguments.iter().fold(program, |program, argument| program.arg(argument)).natively();
        seconds(&run, clients)
    };
    for preloaded in [false, true] {
        // One command at a time for each device: half a second for each client of a device.
        let server = device_server(&python, "BY_DEVICE", preloaded);
        let addresses = server.addresses();
        assert!(!addresses.is_empty() && addresses.iter().all(|one| one.starts_with("127.0.0.1:")), "{addresses:?}");
        let took = clients(&server, 1, 4);
        assert!((2.0..4.0).contains(&took), "4 clients of a device: {took} s, preloaded: {preloaded}");
        let took = clients(&server, 20, 20);
        assert!((0.5..2.0).contains(&took), "20 clients of 20 devices: {took} s, preloaded: {preloaded}");

        let server = device_server(&python, "NO_SYNC", preloaded);
        let took = clients(&server, 20, 100);
        assert!((0.5..3.0).contains(&took), "100 clients: {took} s, preloaded: {preloaded}");
        // omniORB keeps a client's thread for some time after the client has gone. grivet may have helpers for the disk.
        let threads = server.kernel_threads();
        assert!(if preloaded { threads < 10 } else { threads > 50 }, "{threads}, preloaded: {preloaded}");
    }
}
