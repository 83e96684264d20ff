//! A program under grivet that waits to be looked at: it says "ready" on a line of its own and goes on to its end once its
//! standard input ends (programs/observe). Whatever happens, it is killed after a minute.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The `grivet` command under test.
pub fn command() -> PathBuf {
    let command = crate::target_directory().join("release/grivet");
    assert!(command.is_file(), "{} is missing: run `cargo build --release -p grivet`", command.display());
    command
}

/// A program that is ready to be looked at.
pub struct Watched {
    /// timeout(1), whose child the program is.
    guard: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The program's process.
    pub pid: u32,
    /// What it said before it was ready.
    pub said: String,
}

impl Watched {
    /// Starts PROGRAM under grivet and waits until it is ready.
    pub fn start<A: AsRef<OsStr>>(program: &Path, arguments: &[A]) -> Watched {
        let preload = format!("LD_PRELOAD={}", crate::library().display());
        Watched::start_with(&[preload], program, arguments)
    }

    /// The same without grivet.
    pub fn start_natively<A: AsRef<OsStr>>(program: &Path, arguments: &[A]) -> Watched {
        Watched::start_with(&[], program, arguments)
    }

    fn start_with<A: AsRef<OsStr>>(variables: &[String], program: &Path, arguments: &[A]) -> Watched {
        let mut guard = Command::new("timeout")
            .args(["-s", "KILL", "60", "env"])
            .args(variables)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("timeout");
        let input = guard.stdin.take();
        let mut output = BufReader::new(guard.stdout.take().expect("a pipe"));
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let length = output.read_line(&mut line).expect("text");
            assert!(length > 0, "{} ended before it was ready: {said}", program.display());
            if line == "ready\n" {
                break;
            }
            said.push_str(&line);
        }
        // It has become the program by now.
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", guard.id())).expect("its child");
        let pid = children.trim().parse().expect("one process");
        Watched { guard, input, output, pid, said }
    }

    /// Runs `grivet SUBCOMMAND ARGUMENTS PID`.
    pub fn look(&self, arguments: &[&str]) -> Output {
        look_at(self.pid, arguments)
    }

    /// What `grivet dump ARGUMENTS PID` prints.
    pub fn dump(&self, arguments: &[&str]) -> String {
        let arguments: Vec<&str> = ["dump"].iter().chain(arguments).copied().collect();
        let output = self.look(&arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaint.is_empty(), "{:?}: {complaint}", output.status);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The same without arguments, once all its threads wait.
    pub fn dump_at_rest(&self) -> String {
        let begun = Instant::now();
        loop {
            let dump = self.dump(&[]);
            if dump.contains(" 0 running, 0 ready, ") {
                return dump;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "never at rest: {dump}");
        }
    }

    /// Lets the program end, and expects it to end well having said ENDING since it was ready.
    pub fn ends_saying(mut self, ending: &str) {
        drop(self.input.take());
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("text");
        let status = self.guard.wait().expect("its status");
        assert!(status.success() && said == ending, "{status:?}: {said}");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // What waits for its input ends with it; timeout sees to what does not.
        drop(self.input.take());
    }
}

/// Runs `grivet SUBCOMMAND ARGUMENTS PID`.
pub fn look_at(pid: u32, arguments: &[&str]) -> Output {
    Command::new("timeout")
        .args(["-s", "KILL", "30"])
        .arg(command())
        .args(arguments)
        .arg(pid.to_string())
        .stdin(Stdio::null())
        .output()
        .expect("timeout")
}
