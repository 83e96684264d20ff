//! One run of one program: starts it, watches it from outside, ends it at its time limit, and says what it did.
//!
//! Output goes to anonymous files rather than pipes, so that a process left behind cannot keep the harness waiting.
//! The kernel threads are counted from outside while the program runs: `/proc/PID/task` has one link for each and two more.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SigHandler, Signal, killpg, signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Exited(i32),
    Killed(Signal),
    /// Not by itself within its time limit: the harness killed it.
    TimedOut,
    /// The harness stopped it, having seen what it wanted to see.
    Stopped,
}

/// The counts of a `grivet: stats:` line.
#[derive(Clone, Default)]
pub struct Stats(Vec<(String, u64)>);

impl fmt::Debug for Stats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.iter().map(|(name, count)| format!("{name}={count}"));
        formatter.write_str(&counts.collect::<Vec<_>>().join(" "))
    }
}

impl Stats {
    const PREFIX: &str = "grivet: stats: ";

    fn parse(line: &str) -> Option<Stats> {
        let counts = line.strip_prefix(Stats::PREFIX)?.split_whitespace().map(|word| {
            let (name, count) = word.split_once('=')?;
            Some((name.to_string(), count.parse().ok()?))
        });
        counts.collect::<Option<Vec<_>>>().map(Stats)
    }

    /// The names of the counts, in their order.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The count called NAME; panics if the line has none.
    pub fn get(&self, name: &str) -> u64 {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("no {name} in the stats line: {self:?}")).1
    }
}

/// What a run did.
#[derive(Debug)]
pub struct Run {
    pub end: End,
    pub stdout: String,
    /// The program's own lines on stderr.
    pub stderr: String,
    /// The lines on stderr that begin with `grivet: `, stats apart.
    pub reports: Vec<String>,
    /// One for each process of the run that printed them.
    pub stats: Vec<Stats>,
    /// The most kernel threads seen at once in the program's process.
    pub most_kernel_threads: u64,
}

impl Run {
    /// Threads made in all processes of the run together, by their stats lines.
    pub fn threads_made(&self) -> u64 {
        self.stats.iter().map(|stats| stats.get("threads")).sum()
    }
}

/// When to stop a run that has not ended by itself.
pub struct Limits<'a> {
    pub time: Duration,
    /// Asked again and again with what stands on stderr; once true, the run is given another second and stopped.
    pub stop_when: Option<&'a dyn Fn(&str) -> bool>,
}

/// Runs COMMAND to its end or to its limits. Everything in its process group is dead afterwards.
pub fn run(mut command: Command, limits: &Limits<'_>) -> Run {
    let (stdout, stderr) = (anonymous_file("stdout"), anonymous_file("stderr"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::from(stdout.try_clone().expect("a second handle")))
        .stderr(Stdio::from(stderr.try_clone().expect("a second handle")))
        .process_group(0);
    // A shell starts background jobs with SIGINT and SIGQUIT ignored, which programs would inherit through the tests.
    // SAFETY: signal(2) may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            for keyboard in [Signal::SIGINT, Signal::SIGQUIT] {
                signal(keyboard, SigHandler::SigDfl)?;
            }
            Ok(())
        });
    }
    let name = format!("{command:?}");
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
    // `watch` leaves the ended process a zombie, so that nobody else can have its group's number until it is killed.
    let process = Pid::from_raw(child.id().try_into().expect("a process id"));
    let (stopped, most_kernel_threads) = watch(process, &stderr, limits);
    match killpg(process, Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("killing what is left of {name}: {error}"),
    }
    let status = child.wait().expect("waiting for a process that has ended");
    let end = match (stopped, status.code(), status.signal()) {
        (Some(stopped), ..) => stopped,
        (None, Some(code), _) => End::Exited(code),
        (None, None, signal) => {
            let signal = signal.expect("a process ends by status or by signal");
            End::Killed(Signal::try_from(signal).expect("a signal's number"))
        }
    };
    let (mut own, mut reports, mut stats) = (String::new(), Vec::new(), Vec::new());
    for line in content(&stderr).lines() {
        if let Some(counts) = Stats::parse(line) {
            stats.push(counts);
        } else if line.starts_with("grivet: ") {
            reports.push(line.to_string());
        } else {
            own.push_str(line);
            own.push('\n');
        }
    }
    Run { end, stdout: content(&stdout), stderr: own, reports, stats, most_kernel_threads }
}

/// Watches until the process ends by itself (None) or is to be stopped; also counts its kernel threads.
fn watch(process: Pid, stderr: &File, limits: &Limits<'_>) -> (Option<End>, u64) {
    let begun = Instant::now();
    let tasks = format!("/proc/{process}/task");
    let mut stop_at = None;
    let mut most = 0;
    loop {
        if let Ok(directory) = std::fs::metadata(&tasks) {
            most = most.max(directory.nlink().saturating_sub(2));
        }
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        match waitid(Id::Pid(process), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
            Ok(_) => return (None, most),
            Err(error) => panic!("waitid: {error}"),
        }
        if begun.elapsed() > limits.time {
            return (Some(End::TimedOut), most);
        }
        if let (Some(stop_when), None) = (limits.stop_when, stop_at)
            && stop_when(&content(stderr))
        {
            stop_at = Some(Instant::now() + Duration::from_secs(1));
        }
        if stop_at.is_some_and(|time| Instant::now() >= time) {
            return (Some(End::Stopped), most);
        }
        let young = begun.elapsed() < Duration::from_millis(200);
        thread::sleep(Duration::from_millis(if young { 1 } else { 10 }));
    }
}

fn anonymous_file(name: &str) -> File {
    let file = memfd_create(name, MFdFlags::MFD_CLOEXEC).expect("memfd_create");
    // Appending, so that a process that opens /dev/stderr anew does not write over what is there.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND)).expect("O_APPEND");
    File::from(file)
}

/// What the file holds, read without moving the position, which is shared with the program.
fn content(file: &File) -> String {
    let mut bytes = Vec::new();
    let mut block = [0; 65536];
    loop {
        match file.read_at(&mut block, bytes.len() as u64).expect("reading a program's output") {
            0 => return String::from_utf8_lossy(&bytes).into_owned(),
            length => bytes.extend_from_slice(&block[..length]),
        }
    }
}
