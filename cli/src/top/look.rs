//! What is read of the process: at each look all threads' records; for the threads that are shown also what they wait for and
//! where they are in their code. The process is not stopped for that, so a row may show a thread between two states.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::rc::Rc;
use std::time::Instant;

use grivet_inspect::amounts::Span;
use grivet_inspect::cause;
use grivet_inspect::group::Group;
use grivet_inspect::images::Images;
use grivet_inspect::locks::Holders;
use grivet_inspect::process::Process;
use grivet_inspect::symbols::{Detail, Place, Symbols};
use grivet_inspect::text;
use grivet_inspect::threads::{State, Thread, name_files};
use grivet_inspect::unwind::Unwinder;
use nix::unistd::{SysconfVar, sysconf};

use crate::dump;
use crate::status::Refusal;
use crate::target::{Target, now};

/// The process as it was at the last look.
pub struct Look<'t> {
    target: &'t Target,
    process: Process<'t>,
    library: Range<u64>,
    unwinder: Unwinder<'t>,
    symbols: Symbols<'t>,
    threads: Vec<Thread>,
    holders: Holders,
    at: Instant,
    /// Seconds from the look before to this one.
    seconds: f64,
    /// CPU time of each thread at the look before, ns.
    cpu_before: HashMap<u32, u64>,
    /// CPU time that each thread has used since, ns.
    cpu_since: HashMap<u32, u64>,
    /// That of the whole process, in the kernel's ticks.
    process_cpu: u64,
    pub cpu_percent: f64,
    pub switches_per_second: f64,
}

/// A thread as its row shows it.
pub struct Row {
    pub id: String,
    pub name: String,
    pub state: &'static str,
    pub since: String,
    pub cpu_percent: String,
    pub cpu: String,
    /// What it waits for, and where.
    pub what: String,
}

impl<'t> Look<'t> {
    pub fn new(target: &'t Target, images: &'t Images<'t>, process: Process<'t>, library: Range<u64>) -> Self {
        Look {
            target,
            process,
            library,
            unwinder: Unwinder::new(images, &target.memory),
            symbols: Symbols::new(images, Detail::Names),
            threads: Vec::new(),
            holders: Holders::new(&[]),
            at: Instant::now(),
            seconds: 1.0,
            cpu_before: HashMap::new(),
            cpu_since: HashMap::new(),
            process_cpu: process_cpu(target).unwrap_or(0),
            cpu_percent: 0.0,
            switches_per_second: 0.0,
        }
    }

    /// Reads all threads anew.
    pub fn refresh(&mut self) -> Result<(), Refusal> {
        let (before, is_first) = (self.process.worker.switches, self.threads.is_empty());
        self.process.refresh().map_err(|refused| self.target.explain(refused))?;
        self.target.files.forget_descriptors();
        self.threads = self.process.threads(now());
        self.holders = Holders::new(&self.threads);
        let seconds = self.at.elapsed().as_secs_f64().max(1e-3);
        self.seconds = seconds;
        self.at = Instant::now();
        let times = self.threads.iter().filter_map(|thread| Some((thread.tid, thread.cpu_time_ns?)));
        let times: HashMap<u32, u64> = times.collect();
        // A thread that has come since then had none before.
        let used = |(tid, time): (&u32, &u64)| {
            let before = self.cpu_before.get(tid).copied().unwrap_or(if is_first { *time } else { 0 });
            (*tid, time.saturating_sub(before))
        };
        self.cpu_since = times.iter().map(used).collect();
        self.cpu_before = times;
        let ticks = process_cpu(self.target).unwrap_or(self.process_cpu);
        if !is_first {
            let used = ticks.saturating_sub(self.process_cpu) as f64 / ticks_per_second();
            self.cpu_percent = 100.0 * used / seconds;
            self.switches_per_second = self.process.worker.switches.saturating_sub(before) as f64 / seconds;
        }
        self.process_cpu = ticks;
        Ok(())
    }

    pub fn program(&self) -> &str {
        &self.target.name
    }

    pub fn pid(&self) -> i32 {
        self.target.pid.as_raw()
    }

    pub fn threads(&self) -> &[Thread] {
        &self.threads
    }

    /// CPU time since the look before, ns.
    pub fn cpu_since(&self, thread: &Thread) -> u64 {
        self.cpu_since.get(&thread.tid).copied().unwrap_or(0)
    }

    /// The rows of the threads at `places`.
    pub fn rows(&mut self, places: &[usize]) -> Vec<Row> {
        let mut threads: Vec<Thread> = places.iter().map(|&place| self.threads[place].clone()).collect();
        self.process.look_closer(&mut threads, &self.holders);
        name_files(&mut threads, &self.target.files);
        let mut frames: Vec<Vec<Rc<Place>>> = threads.iter().map(|_| Vec::new()).collect();
        self.process.each_start(&threads, &mut |located| {
            let backtrace = self.unwinder.backtrace(&located.start, located.stack_at, located.stack);
            const INNERMOST: usize = 16;
            let places = backtrace.frames.iter().take(INNERMOST).map(|frame| self.symbols.place(frame));
            frames[located.place] = places.collect();
        });
        threads.iter().zip(&frames).map(|(thread, frames)| self.row(thread, frames)).collect()
    }

    fn row(&self, thread: &Thread, frames: &[Rc<Place>]) -> Row {
        // A running one's saved registers are those of the last time it waited.
        let frames = if thread.state == State::Running { &[] } else { frames };
        let names = || frames.iter().flat_map(|place| &place.functions).filter_map(|one| one.name.as_deref());
        let kind = cause::kind(thread, names());
        let name_of = |tid| {
            let place = self.holders.place(tid)?;
            Some(String::from_utf8_lossy(self.threads[place].name()).into_owned())
        };
        let mut what = String::new();
        // Writing to a string cannot fail.
        let _ = cause::write(&mut what, thread, kind, true, &name_of);
        if let Some(left) = thread.left_ms {
            what.push_str(&format!(", {} left", Span(left)));
        }
        let is_programs = |place: &&Rc<Place>| place.object.as_deref() == Some(self.program());
        let place = frames.iter().find(is_programs).and_then(|place| place.functions.first()?.name.as_deref());
        if let Some(place) = place {
            what.push_str(&format!(", in {place}"));
        }
        Row {
            id: thread.tid.to_string(),
            name: String::from_utf8_lossy(thread.name()).escape_debug().to_string(),
            state: thread.state.word(),
            since: thread.since_ms.map_or_else(String::new, |ms| Span(ms).to_string()),
            cpu_percent: format!("{:.1}", self.cpu_since(thread) as f64 / 1e7 / self.seconds),
            cpu: thread.cpu_time_ns.map_or_else(String::new, |time| Span(time / 1_000_000).to_string()),
            what,
        }
    }

    /// The backtrace of one thread, as text; the process is stopped for a moment.
    pub fn backtrace(&mut self, thread: u32) -> Result<String, Refusal> {
        let taken = dump::take(self.target, &mut self.process, &self.library, &mut self.unwinder, Some(thread))?;
        let report = taken.report(self.target, &self.process);
        if report.threads.is_empty() {
            return Ok(format!("Thread {thread} has ended."));
        }
        let groups = Group::single(&report, &mut self.symbols);
        let mut text = String::new();
        let _ = text::write(&mut text, &report, &groups, &mut self.symbols);
        Ok(text)
    }
}

/// CPU time of the process, in ticks: user and system (proc_pid_stat(5), fields 14 and 15).
fn process_cpu(target: &Target) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", target.pid)).ok()?;
    // The program's name, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn ticks_per_second() -> f64 {
    sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64
}
