//! A report as people read it: one head line, then each group of threads with its frames.

use alloc::string::String;
use core::fmt::{self, Write};

use crate::amounts::{Count, Span};
use crate::cause;
use crate::group::Group;
use crate::lines::base_name;
use crate::report::Report;
use crate::symbols::{Place, Symbols};
use crate::threads::{State, Thread};
use crate::unwind::{Backtrace, Frame};

/// Ids that are listed of a group.
const LISTED: usize = 5;

/// Writes `report`.
pub fn write(out: &mut dyn Write, report: &Report<'_>, groups: &[Group], symbols: &mut Symbols<'_>) -> fmt::Result {
    let count = |state| Count(report.count(state));
    let total = report.all.len();
    writeln!(
        out,
        "{} (process {}): {} green thread{}, {} running, {} ready, {} waiting; {} switches so far",
        report.program,
        report.pid,
        Count(total as u64),
        if total == 1 { "" } else { "s" },
        count(State::Running),
        count(State::Ready),
        count(State::Waiting),
        Count(report.switches),
    )?;
    for group in groups {
        out.write_char('\n')?;
        write_one(out, report, group, symbols)?;
    }
    Ok(())
}

/// Writes `groups` only.
pub fn write_groups(
    out: &mut dyn Write,
    report: &Report<'_>,
    groups: &[Group],
    symbols: &mut Symbols<'_>,
) -> fmt::Result {
    groups.iter().try_for_each(|group| write_one(out, report, group, symbols))
}

fn write_one(out: &mut dyn Write, report: &Report<'_>, group: &Group, symbols: &mut Symbols<'_>) -> fmt::Result {
    match group.members[..] {
        [place] => write_thread(out, report, group, &report.threads[place])?,
        _ => write_group(out, report, group)?,
    }
    write_frames(out, report.backtraces.of(group.members[0]), symbols)
}

fn write_thread(out: &mut dyn Write, report: &Report<'_>, group: &Group, thread: &Thread) -> fmt::Result {
    write!(out, "Thread {} \"{}\" ", thread.tid, String::from_utf8_lossy(thread.name()))?;
    cause::write(out, thread, group.kind, true, &|tid| report.name_of(tid))?;
    write_times(out, core::iter::once(thread))?;
    if let Some(time) = thread.cpu_time_ns.filter(|&time| time >= 1_000_000) {
        write!(out, ", CPU {}", Span(time / 1_000_000))?;
    }
    out.write_char('\n')
}

fn write_group(out: &mut dyn Write, report: &Report<'_>, group: &Group) -> fmt::Result {
    let members = || group.members.iter().map(|&place| &report.threads[place]);
    let first = &report.threads[group.members[0]];
    let is_one = members().all(|thread| thread.waits_for == first.waits_for);
    write!(out, "{} threads like this, ", Count(group.members.len() as u64))?;
    cause::write(out, first, group.kind, is_one, &|tid| report.name_of(tid))?;
    write_times(out, members())?;
    out.write_str(": ")?;
    for (nth, thread) in members().take(LISTED).enumerate() {
        let comma = if nth == 0 { "" } else { ", " };
        write!(out, "{comma}{} \"{}\"", thread.tid, String::from_utf8_lossy(thread.name()))?;
    }
    out.write_str(if group.members.len() > LISTED { ", …\n" } else { "\n" })
}

/// For how long, and how long still.
fn write_times<'t>(out: &mut dyn Write, threads: impl Iterator<Item = &'t Thread> + Clone) -> fmt::Result {
    let since = || threads.clone().filter_map(|thread| thread.since_ms);
    let left = || threads.clone().filter_map(|thread| thread.left_ms);
    if let (Some(least), Some(most)) = (since().min(), since().max()) {
        write!(out, " for {}", Range(least, most))?;
    }
    if let (Some(least), Some(most)) = (left().min(), left().max()) {
        write!(out, ", {} left", Range(least, most))?;
    }
    Ok(())
}

/// From so many ms to so many.
struct Range(u64, u64);

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", Span(self.0))?;
        // What hardly differs is one time.
        if self.1 - self.0 > 100 + self.0 / 20 { write!(formatter, " to {}", Span(self.1)) } else { Ok(()) }
    }
}

/// Writes the frames of one backtrace, a line each.
pub fn write_frames(out: &mut dyn Write, backtrace: &Backtrace, symbols: &mut Symbols<'_>) -> fmt::Result {
    for (nth, frame) in backtrace.frames.iter().enumerate() {
        write_frame(out, nth, frame, &symbols.place(frame))?;
    }
    match (backtrace.is_cut, backtrace.frames.is_empty()) {
        (true, _) => out.write_str("    …\n"),
        (_, true) => out.write_str("    (no frames: its registers could not be read)\n"),
        _ => Ok(()),
    }
}

fn write_frame(out: &mut dyn Write, nth: usize, frame: &Frame, place: &Place) -> fmt::Result {
    if frame.is_signal {
        return writeln!(out, "    #{nth:<3}(a signal's handler was called)");
    }
    for function in &place.functions {
        let object = place.object.as_deref().unwrap_or("no file");
        write!(out, "    #{nth:<3}")?;
        match (&function.name, place.linked) {
            (Some(name), _) => out.write_str(name)?,
            (None, Some(linked)) => write!(out, "{object}+{linked:#x}")?,
            (None, None) => write!(out, "{:#x}", place.address)?,
        }
        if function.is_inlined {
            out.write_str(" (inlined)")?;
        }
        if let Some(file) = &function.file {
            write!(out, " at {}", base_name(file))?;
            if let Some(line) = function.line {
                write!(out, ":{line}")?;
            }
        }
        if function.name.is_some() || place.linked.is_none() {
            write!(out, " ({object})")?;
        }
        out.write_str(if frame.is_guess { " by frame pointer\n" } else { "\n" })?;
    }
    Ok(())
}
