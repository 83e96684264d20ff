//! `grivet dump`: every green thread of a running process, with backtraces. What can be prepared is prepared before the
//! process is stopped, and what can be looked up afterwards is looked up afterwards.

use std::io::{BufWriter, Write};
use std::ops::Range;
use std::{fmt, io};

use grivet_inspect::backtraces::Backtraces;
use grivet_inspect::group::Group;
use grivet_inspect::locks::Holders;
use grivet_inspect::process::Process;
use grivet_inspect::report::Report;
use grivet_inspect::symbols::{Detail, Symbols};
use grivet_inspect::threads::{Thread, name_files};
use grivet_inspect::unwind::Unwinder;
use grivet_inspect::{json, text};
use nix::errno::Errno;

use crate::options::DumpOptions;
use crate::status::{Refusal, Status};
use crate::stopped::Stopped;
use crate::target::{Target, now};

/// Threads whose backtraces are made before the stop, for what that reads of files: others are at the same places.
const PREPARED: usize = 256;

/// Writes the threads of the process to stdout.
pub fn dump(options: &DumpOptions) -> Result<(), Refusal> {
    let target = Target::open(options.pid)?;
    let images = target.images();
    let (mut process, library) = target.process(&images)?;
    let mut unwinder = Unwinder::new(&images, &target.memory);
    let some = process.threads(now());
    Backtraces::collect(&process, &some[..some.len().min(PREPARED)], &some, None, &mut unwinder);

    let taken = take(&target, &mut process, &library, &mut unwinder, options.thread)?;
    if let (Some(id), true) = (options.thread, taken.shown().is_empty()) {
        let what = format!("has no green thread {id}; without --thread all are shown");
        return Err(target.refusal(Status::NoProcess, &what));
    }
    let report = taken.report(&target, &process);
    let mut symbols = Symbols::new(&images, Detail::Lines);
    let groups = if options.all { Group::single(&report, &mut symbols) } else { Group::all(&report, &mut symbols) };
    let mut out = Output(BufWriter::new(io::stdout().lock()));
    let write = if options.json { json::write } else { text::write };
    // A reader that went away is not an error.
    let _ = write(&mut out, &report, &groups, &mut symbols);
    let _ = out.0.flush();
    Ok(())
}

/// What was read at one stop.
pub struct Taken {
    all: Vec<Thread>,
    /// The one asked for, if one was; else all.
    chosen: Option<Vec<Thread>>,
    holders: Holders,
    backtraces: Backtraces,
}

impl Taken {
    fn shown(&self) -> &[Thread] {
        self.chosen.as_ref().unwrap_or(&self.all)
    }

    pub fn report<'r>(&'r self, target: &'r Target, process: &Process<'_>) -> Report<'r> {
        Report {
            program: &target.name,
            pid: target.pid.as_raw() as u32,
            switches: process.worker.switches,
            threads: self.shown(),
            backtraces: &self.backtraces,
            all: &self.all,
            holders: &self.holders,
        }
    }
}

/// Stops the process and reads all threads, with the backtraces of all or of `thread`.
pub fn take(
    target: &Target,
    process: &mut Process<'_>,
    library: &Range<u64>,
    unwinder: &mut Unwinder<'_>,
    thread: Option<u32>,
) -> Result<Taken, Refusal> {
    let mut stopped = Stopped::new(target.pid).map_err(|error| cannot_stop(target, error))?;
    process.refresh().map_err(|refused| target.explain(refused))?;
    let running = stopped.registers(process, library);
    let mut all = process.threads(now());
    let holders = Holders::new(&all);
    let mut chosen: Option<Vec<Thread>> =
        thread.map(|id| all.iter().filter(|thread| thread.tid == id).cloned().collect());
    process.look_closer(chosen.as_mut().unwrap_or(&mut all), &holders);
    let shown = chosen.as_ref().unwrap_or(&all);
    let backtraces = Backtraces::collect(process, shown, &all, running.as_ref(), unwinder);
    drop(stopped);
    name_files(chosen.as_mut().unwrap_or(&mut all), &target.files);
    Ok(Taken { all, chosen, holders, backtraces })
}

fn cannot_stop(target: &Target, error: Errno) -> Refusal {
    match error {
        Errno::ESRCH => target.refusal(Status::NoProcess, "has ended"),
        _ => target.not_allowed(),
    }
}

/// Standard output for who writes text.
struct Output<W: Write>(W);

impl<W: Write> fmt::Write for Output<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
