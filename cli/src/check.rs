//! `grivet check`: what grivet would do with a program, and why.
//!
//! Reports on stdout, since a report was asked for. The exit status says it in short: 0 it will work, 1 it
//! will have no effect, 2 it is refused.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use crate::elf::{Elf, Kind};
use crate::needed::Closure;
use crate::options::{CheckOptions, Listing};
use crate::program::{self, Program};
use crate::sites::{self, Totals};
use crate::status::{Refusal, Status};
use crate::{host, library, output, spawn_report};

/// Exit statuses of `grivet check` (`status::CHECK_MEANINGS`).
pub const WORKS: i32 = 0;
pub const NO_EFFECT: i32 = 1;
pub const REFUSED: i32 = 2;

/// Prints the report and returns the exit status.
pub fn check(options: &CheckOptions) -> i32 {
    let report = subject(options.program.as_os_str()).and_then(|subject| match (options.sites, subject) {
        (_, Subject::Program(program)) if !options.spawn.is_empty() => spawn_report::of(&program, &options.spawn),
        (_, Subject::Library(elf)) if !options.spawn.is_empty() => Err(Refusal::of(
            Status::Usage,
            &elf.path,
            "is a library; give a program that is loaded with it, and the function as OBJECT:SYMBOL",
        )),
        (None, Subject::Program(program)) => of_program(&program),
        (None, Subject::Library(elf)) => of_library(&elf),
        (Some(listing), Subject::Program(Program { binary: elf, .. }) | Subject::Library(elf)) => listed(&elf, listing),
    });
    match report {
        Ok((text, status)) => {
            output::print(&text);
            status
        }
        Err(refusal) => {
            let run_status = refusal.status as i32;
            let reason = refusal.message;
            output::print(&format!("{:13}refused (grivet run: exit status {run_status}): {reason}\n", "verdict:"));
            REFUSED
        }
    }
}

enum Subject {
    Program(Program),
    Library(Elf),
}

/// What is asked about: a shared library if a path to one was given, else a program.
fn subject(name: &OsStr) -> Result<Subject, Refusal> {
    let path = Path::new(name);
    if path.is_file()
        && let Ok(elf) = Elf::open(path)
        && matches!(elf.kind, Kind::Library | Kind::Loader)
    {
        return Ok(Subject::Library(elf));
    }
    program::inspect(name).map(Subject::Program)
}

impl Closure {
    fn totals(&self) -> Result<Totals, Refusal> {
        let mut totals = Totals::default();
        for object in &self.0 {
            totals += sites::totals(&sites::survey(object)?);
        }
        Ok(totals)
    }

    /// The file names of the objects that import a way to make threads, and whether any can load libraries at run time.
    fn threads(&self) -> Result<(Vec<String>, bool), Refusal> {
        let (mut makers, mut loads_libraries) = (Vec::new(), false);
        for object in &self.0 {
            let imports = object.imports()?;
            loads_libraries |= imports.loads_libraries;
            if imports.makes_threads {
                makers.push(object.file_name());
            }
        }
        Ok((makers, loads_libraries))
    }
}

/// Lines of `name: value`, the values in one column.
#[derive(Default)]
pub struct Report(pub String);

impl Report {
    pub fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{:13}{value}", format!("{name}:"));
    }

    /// Which file runs, and what starts it.
    pub fn program(&mut self, program: &Program) {
        self.line("program", program.binary.path.display());
        if !program.via.is_empty() {
            let via: Vec<_> = program.via.iter().map(|path| path.display().to_string()).collect();
            self.line("started by", via.join(", "));
            self.remark("programs that a script starts inherit grivet; they are not inspected here");
        }
    }

    /// What of this host stands in the way, whatever the program: exit status and verdict.
    pub fn host(&mut self) -> Option<(i32, String)> {
        let host = host::allows_rewriting();
        self.line("host", host.as_ref().map_or_else(String::as_str, |()| "code can be rewritten"));
        let library = library::find();
        self.line(
            "library",
            match &library {
                Ok(path) => path.display().to_string(),
                Err(refusal) => refusal.message.clone(),
            },
        );
        if let Err(refusal) = &library {
            let status = refusal.status as i32;
            Some((REFUSED, format!("refused: no library to load (grivet run: exit status {status})")))
        } else if std::env::var_os("GRIVET").is_some_and(|value| value == "off") {
            Some((NO_EFFECT, "no effect: GRIVET=off is set; unset it".to_owned()))
        } else if host.is_err() {
            Some((NO_EFFECT, "no effect: the program will run natively".to_owned()))
        } else {
            None
        }
    }

    /// A remark on the line before.
    pub fn remark(&mut self, text: &str) {
        let _ = writeln!(self.0, "{:13}{text}", "");
    }
}

fn of_program(program: &Program) -> Result<(String, i32), Refusal> {
    let mut report = Report::default();
    report.program(program);
    let closure = Closure::of(&program.binary.path)?;
    report.line("C library", c_library(&closure));
    report.line("libraries", closure.0.len() - 1);
    let (makers, loads_libraries) = closure.threads()?;
    report.line("threads", describe_threads(&makers, loads_libraries));
    let totals = closure.totals()?;
    report.line("sites", totals);
    if totals.refused > 0 {
        report.remark("a call at a refused site goes to the kernel and may block all threads: see --sites");
    }
    let obstacle = report.host();

    let (status, verdict) = if let Some(obstacle) = obstacle {
        obstacle
    } else if program.binary.go {
        (NO_EFFECT, "no effect: a Go program schedules its own threads, and Go code is left alone".to_owned())
    } else if let Some(library) = closure.0.iter().find(|elf| elf.go) {
        let name = library.file_name();
        (
            NO_EFFECT,
            format!("no effect: {name} is Go code, which schedules for itself; grivet stays out of the process"),
        )
    } else if !makers.is_empty() {
        (WORKS, "works: the threads it makes become coroutines in one kernel thread".to_owned())
    } else if loads_libraries {
        (WORKS, "works if it loads a library that makes threads at run time; until then, no effect".to_owned())
    } else {
        (NO_EFFECT, "no effect: it makes no threads".to_owned())
    };
    report.line("verdict", verdict);
    Ok((report.0, status))
}

fn describe_threads(makers: &[String], loads_libraries: bool) -> String {
    let mut text = if makers.is_empty() {
        "pthread_create is imported by neither the program nor its libraries".to_owned()
    } else {
        format!("pthread_create or thrd_create is imported by {}", makers.join(", "))
    };
    if loads_libraries {
        text.push_str("; it may load more libraries at run time (dlopen)");
    }
    text
}

/// The version that glibc states of itself ("GNU C Library … release version 2.36."), and the loader.
fn c_library(closure: &Closure) -> String {
    const BANNER: &[u8] = b"GNU C Library";
    const VERSION: &str = "release version ";
    let version = closure.0.iter().filter(|object| object.file_name().starts_with("libc.so")).find_map(|object| {
        let bytes = object.bytes();
        let banner = memchr::memmem::find(bytes, BANNER)?;
        let line = bytes[banner..].split(|&byte| byte == b'\n').next()?;
        let line = std::str::from_utf8(line).ok()?;
        Some(line.split_once(VERSION)?.1.trim_end_matches('.').to_owned())
    });
    let loader = match &closure.0[0].kind {
        Kind::Dynamic { loader } => loader.display().to_string(),
        _ => closure.0[0].path.display().to_string(),
    };
    match version {
        Some(version) => format!("glibc {version}, loader {loader}"),
        None => format!("glibc, loader {loader}"),
    }
}

fn of_library(elf: &Elf) -> Result<(String, i32), Refusal> {
    let mut report = Report::default();
    report.line("library", elf.path.display());
    let imports = elf.imports()?;
    let makers: Vec<String> = imports.makes_threads.then(|| elf.file_name()).into_iter().collect();
    report.line("threads", describe_threads(&makers, imports.loads_libraries));
    let totals = sites::totals(&sites::survey(elf)?);
    report.line("sites", totals);
    let (status, verdict) = if elf.go {
        (NO_EFFECT, "no effect: Go code is left alone")
    } else {
        (WORKS, "a library: it is rewritten with the program that loads it")
    };
    report.line("verdict", verdict);
    Ok((report.0, status))
}

/// `check --sites`: one table an object, then the sum. The exit status is 0 if the sites could be listed.
fn listed(elf: &Elf, listing: Listing) -> Result<(String, i32), Refusal> {
    let closure = Closure::of(&elf.path)?;
    let mut text = String::new();
    let mut sum = Totals::default();
    for object in &closure.0 {
        let sites = sites::survey(object)?;
        sum += sites::totals(&sites);
        text.push_str(&sites::table(object, &sites, listing)?);
    }
    let _ = writeln!(text, "all {} objects: {sum}", closure.0.len());
    Ok((text, WORKS))
}
