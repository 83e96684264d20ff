//! What to run, and the comparison of a native run with one under grivet.

use crate::compile::{Language, compile, programs_directory};
use crate::exclusive::machine;
use crate::run::{End, Limits, Run, run};
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A program with its arguments, environment and what is expected of it.
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    end: End,
    makes_threads: bool,
    kernel_threads: u64,
    alone: bool,
    time_limit: Duration,
}

impl Program {
    /// A program that is there, looked up in PATH.
    pub fn command(path: impl Into<PathBuf>) -> Program {
        Program {
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            end: End::Exited(0),
            makes_threads: true,
            kernel_threads: 1,
            alone: false,
            time_limit: Duration::from_secs(60),
        }
    }

    /// `programs/NAME.c`.
    pub fn c(name: &str) -> Program {
        Program::command(compile(Language::C, name, &[]))
    }

    /// `programs/NAME.c`, built with further options.
    pub fn c_with(name: &str, options: &[&str]) -> Program {
        Program::command(compile(Language::C, name, options))
    }

    /// `programs/NAME.cpp`.
    pub fn cpp(name: &str) -> Program {
        Program::command(compile(Language::Cpp, name, &[]))
    }

    /// `programs/NAME.rs`.
    pub fn rust(name: &str) -> Program {
        Program::command(compile(Language::Rust, name, &[]))
    }

    /// `programs/NAME.c`, built with OpenMP.
    pub fn openmp(name: &str) -> Program {
        Program::command(compile(Language::OpenMp, name, &[]))
    }

    /// `programs/SCRIPT`, run by Python itself: python3 in PATH may be a script that finds it.
    pub fn python(script: &str) -> Program {
        let answer =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().expect("python3");
        let path = String::from_utf8(answer.stdout).expect("python3's path");
        Program::command(path.trim()).source(script)
    }

    /// Adds `programs/SOURCE` as an argument, for interpreters.
    pub fn source(self, source: &str) -> Program {
        let path = programs_directory().join(source);
        self.arg(path)
    }

    /// Adds the shared library built from `programs/NAME.c` as an argument.
    pub fn with_library(self, name: &str) -> Program {
        self.arg(compile(Language::CLibrary, name, &[]))
    }

    pub fn arg(mut self, argument: impl Into<OsString>) -> Program {
        self.arguments.push(argument.into());
        self
    }

    pub fn args<const N: usize>(mut self, arguments: [&str; N]) -> Program {
        self.arguments.extend(arguments.map(OsString::from));
        self
    }

    /// Sets an environment variable for the program.
    pub fn env(mut self, name: &str, value: impl ToString) -> Program {
        self.environment.push((name.to_string(), value.to_string()));
        self
    }

    /// How the program ends when all is well; by default with status 0.
    pub fn ends(mut self, end: End) -> Program {
        self.end = end;
        self
    }

    /// Ends by SIGNAL when all is well.
    pub fn dies_of(self, signal: Signal) -> Program {
        self.ends(End::Killed(signal))
    }

    /// Makes no threads: nothing is asked of the stats line.
    pub fn without_threads(mut self) -> Program {
        self.makes_threads = false;
        self
    }

    /// Makes calls for which there is no readiness to wait for (file locks, System V queues, the disk): grivet has a
    /// pool of up to 64 kernel threads make them.
    pub fn with_helper_threads(mut self) -> Program {
        self.kernel_threads = 1 + 64;
        self
    }

    /// Runs while no other test's program does.
    pub fn alone(mut self) -> Program {
        self.alone = true;
        self
    }

    /// Seconds after which a run is killed and has failed; 60 by default.
    pub fn time_limit(mut self, seconds: u64) -> Program {
        self.time_limit = Duration::from_secs(seconds);
        self
    }

    /// The file that is run.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn run(&self, preloaded: bool, stop_when: Option<&dyn Fn(&str) -> bool>) -> Run {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        if preloaded {
            command.env("LD_PRELOAD", crate::library());
        }
        let _machine = machine(self.alone);
        run(command, &Limits { time: self.time_limit, stop_when })
    }

    /// Runs without grivet.
    pub fn natively(&self) -> Run {
        self.run(false, None)
    }

    /// Runs with the library preloaded and nothing else set.
    pub fn under_grivet(&self) -> Run {
        self.run(true, None)
    }

    /// Runs with the library preloaded until STOP_WHEN holds for what is on stderr, and a second longer.
    pub fn under_grivet_until(&self, stop_when: impl Fn(&str) -> bool) -> Run {
        self.run(true, Some(&stop_when))
    }

    /// Runs under grivet with statistics and checks what holds of every program: it ended as expected, in one
    /// kernel thread (or with the helpers allowed), its threads were grivet's, and grivet had nothing to report.
    pub fn well_under_grivet(mut self) -> Run {
        self.counted()
    }

    fn counted(&mut self) -> Run {
        self.environment.push(("GRIVET_STATS".into(), "1".into()));
        let run = self.under_grivet();
        self.environment.pop();
        self.check(&run);
        run
    }

    fn check(&self, run: &Run) {
        let what = self.describe();
        assert_eq!(run.end, self.end, "{what} under grivet: {run:#?}");
        assert_eq!(run.reports, [""; 0], "{what} under grivet: {run:#?}");
        assert!(
            run.most_kernel_threads <= self.kernel_threads,
            "{what} under grivet had {} kernel threads: {run:#?}",
            run.most_kernel_threads
        );
        if self.makes_threads && matches!(self.end, End::Exited(_)) {
            assert!(run.threads_made() > 0, "{what}: grivet made none of its threads: {run:#?}");
        }
    }

    /// Runs natively and under grivet and expects the same output and the same end, besides what
    /// [`Program::well_under_grivet`] expects.
    pub fn same(mut self) {
        let mut native = self.natively();
        if native.end != self.end {
            // The kernel may still be taking apart the thousands of threads of an earlier native run, and have no
            // thread ids left.
            std::thread::sleep(Duration::from_secs(5));
            native = self.natively();
        }
        let what = self.describe();
        assert_eq!(native.end, self.end, "{what} natively: {native:#?}");
        let green = self.counted();
        if native.stdout != green.stdout {
            // What other tests load the machine with may have shown in the order of native threads.
            native = self.natively();
        }
        assert_eq!(native.stdout, green.stdout, "{what}: other output under grivet; its stderr: {}", green.stderr);
    }

    fn describe(&self) -> String {
        let arguments = self.arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
        std::iter::once(self.path.to_string_lossy().into_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
    }
}
