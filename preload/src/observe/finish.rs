//! The end of the process, however it comes about (exit, a fatal signal): what was recorded is written.

use super::{blocking, summary};
use crate::arch::x86_64::cpu::time_stamp;
use crate::config::observe::Stats;
use crate::report::fixed_text::FixedText;
use crate::report::{say, stats};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use grivet_timeline::event::{Known, Recording};
use grivet_timeline::{Failed, render};

/// How the process ends.
#[derive(Clone, Copy)]
pub enum End {
    Exit,
    Signal(u32),
    /// Another program takes its place.
    Exec,
}

/// Writes all that was asked for, once.
pub fn finish(worker: &mut Worker, end: End) {
    if core::mem::replace(&mut worker.observer.is_finished, true) {
        return;
    }
    let now = time_stamp();
    let ticks_per_ms = ticks_per_ms(worker, now);
    close_accounts(worker, now);
    match worker.observer.stats {
        Stats::Off => {}
        Stats::Line => stats::print(worker),
        Stats::Table => {
            stats::print(worker);
            summary::print(worker, ticks_per_ms);
        }
        Stats::Json(_) => write_statistics(worker, ticks_per_ms),
    }
    blocking::finish(worker);
    write_timeline(worker, now, ticks_per_ms, end);
}

/// How fast the time stamp counter goes, measured over the life of the record.
fn ticks_per_ms(worker: &Worker, now: u64) -> u64 {
    const NS_PER_MS: u128 = 1_000_000;
    let (ticks, ns) = worker.observer.began;
    let passed = worker.clock.now().saturating_sub(ns).max(1);
    (u128::from(now.saturating_sub(ticks)) * NS_PER_MS / u128::from(passed)).max(1) as u64
}

fn close_accounts(worker: &mut Worker, now: u64) {
    let Some(mut accounts) = worker.observer.accounts.take() else { return };
    for id in worker.tasks.iter() {
        accounts.ended(id, now, worker.tasks[id].tid, super::name_of(worker, id));
    }
    worker.observer.accounts = Some(accounts);
}

fn write_statistics(worker: &mut Worker, ticks_per_ms: u64) {
    let Some(path) = worker.observer.stats_path.take() else { return };
    match path.open() {
        Ok(mut output) => {
            summary::write_json(worker, ticks_per_ms, &mut output);
            if let Some(errno) = output.error {
                say!("{}: {errno}; the statistics are not complete", path.name().escape_ascii());
            }
        }
        Err(errno) => say!("{}: {errno}; the statistics are not written", path.name().escape_ascii()),
    }
}

fn write_timeline(worker: &mut Worker, now: u64, ticks_per_ms: u64, end: End) {
    let Some(trace) = worker.observer.trace.take() else { return };
    let mut names = Vec::new();
    if names.try_reserve_exact(worker.tasks.live as usize + 1).is_ok() {
        names.extend(worker.tasks.iter().map(|id| (id, worker.tasks[id].tid, super::name_of(worker, id))));
    }
    let mut known = Vec::new();
    if known.try_reserve_exact(names.len()).is_ok() {
        known.extend(names.iter().map(|(thread, tid, name)| Known { thread: *thread, tid: *tid, name: trimmed(name) }));
    }
    let end = match end {
        End::Exit => FixedText::<16>::of(format_args!("exit")),
        End::Exec => FixedText::of(format_args!("exec")),
        End::Signal(number) => FixedText::of(format_args!("signal {number}")),
    };
    let recording = Recording {
        program: core::str::from_utf8(trimmed(&worker.name)).unwrap_or("program"),
        pid: worker.pid as u32,
        events: trace.ring.events(),
        dropped: trace.ring.dropped(),
        ticks_per_ms,
        began: worker.observer.began.0,
        ended: now,
        functions: &worker.observer.functions,
        known: &known,
        end: end.text(),
    };
    let count: usize = recording.events.iter().map(|part| part.len()).sum();
    let name = trace.path.name().escape_ascii();
    let mut output = match trace.path.open() {
        Ok(output) => output,
        Err(errno) => return say!("{name}: {errno}; the timeline is not written"),
    };
    let rendered = render(trace.format, &recording, &mut output);
    match (rendered, output.error) {
        (Ok(()), None) if recording.dropped == 0 => say!("timeline: {count} events in {name}"),
        (Ok(()), None) => say!(
            "timeline: the last {count} events in {name}; {} earlier ones had no room (GRIVET_TRACE_SIZE)",
            recording.dropped
        ),
        (_, Some(errno)) => say!("{name}: {errno}; the timeline is not complete"),
        (Err(Failed::Memory), None) => say!("{name}: no memory; the timeline is not complete"),
        (Err(_), None) => say!("{name}: the timeline is not complete"),
    }
}

fn trimmed(name: &[u8; 16]) -> &[u8] {
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    &name[..end]
}
