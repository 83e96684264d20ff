//! The recording in Chrome's trace event format, which Perfetto and chrome://tracing open: a track for each thread, one
//! complete event ("X") for each slice, a flow from each wake-up to the slice that runs because of it, and counters of
//! how many threads run, are ready, and wait.
//!
//! Perfetto binds an end of a flow to the slice that encloses it and comes *before* it in the file. Only one thread runs
//! at a time, so the waker's slice was written before the woken one's has ended: both ends are written right after that.

use crate::Failed;
use crate::event::{Cause, FileKind, Recording};
use crate::out::Out;
use crate::state::{PerState, STATES, State};
use crate::tracks::Tracks;
use crate::walk::{Slice, Visitor, walk};
use crate::words;

/// Threads whose own id is not known, or was another's before, get ids from here on. Futex words hold 30 bits of an id,
/// so no thread has such a one. The first is the process's idle track.
const IDLE: u32 = 1 << 30;

/// The counters are written so many times at most.
const SAMPLES: u64 = 4096;

pub fn write(recording: &Recording, tracks: &Tracks, out: &mut Out) -> Result<(), Failed> {
    out.text("{\"traceEvents\":[\n");
    name_of(out, recording, "process_name", recording.pid, recording.program.as_bytes());
    name_of(out, recording, "thread_name", IDLE, b"(idle)");
    for (number, track) in tracks.list.iter().enumerate() {
        let tid = id(tracks, number as u32);
        name_of(out, recording, "thread_name", tid, track.label(recording).get());
        event(out, recording, "M", "thread_sort_index", tid);
        out.format(format_args!(",\"args\":{{\"sort_index\":{number}}}}},\n"));
        out.check()?;
    }
    let interval = (tracks.duration / SAMPLES).max(1);
    let mut events = Events { recording, tracks, out, flows: 0, interval, next_sample: 0 };
    walk(recording, &mut events)?;
    instants(recording, tracks, out);
    out.text("],\n\"displayTimeUnit\":\"ms\",\n\"otherData\":{\"program\":");
    out.json_string(recording.program.as_bytes());
    out.format(format_args!(
        ",\"pid\":{},\"summary\":\"{}\",\"threads\":{},\"switches\":{},\"dropped_events\":{},\"begins_after_ns\":{},\"end\":\"",
        recording.pid,
        core::str::from_utf8(words::summary(tracks).get()).unwrap_or_default(),
        tracks.list.len(),
        tracks.switches,
        recording.dropped,
        tracks.late,
    ));
    out.json(words::end(recording).get());
    out.text("\"}}\n");
    out.check()
}

/// The id that a track has in the file.
fn id(tracks: &Tracks, track: u32) -> u32 {
    match tracks.get(track) {
        Some(known) if known.is_first && known.tid != 0 => known.tid,
        _ => IDLE.saturating_add(1).saturating_add(track),
    }
}

/// The beginning of an event, up to its thread.
fn event(out: &mut Out, recording: &Recording, phase: &str, name: &str, tid: u32) {
    for part in ["{\"ph\":\"", phase, "\",\"name\":\"", name, "\",\"pid\":"] {
        out.text(part);
    }
    out.number(recording.pid.into());
    out.text(",\"tid\":");
    out.number(tid.into());
}

fn name_of(out: &mut Out, recording: &Recording, what: &str, tid: u32, name: &[u8]) {
    event(out, recording, "M", what, tid);
    out.text(",\"args\":{\"name\":");
    out.json_string(name);
    out.text("}},\n");
}

/// What is to be said of the whole, where it is seen: at the beginning and at the end. The last has no comma behind it.
fn instants(recording: &Recording, tracks: &Tracks, out: &mut Out) {
    if let Some(dropped) = words::dropped(recording, tracks) {
        out.text("{\"ph\":\"i\",\"s\":\"g\",\"name\":");
        out.json_string(dropped.get());
        out.format(format_args!(",\"pid\":{},\"tid\":{IDLE},\"ts\":0}},\n", recording.pid));
    }
    out.text("{\"ph\":\"i\",\"s\":\"g\",\"name\":\"");
    out.json(words::end(recording).get());
    out.format(format_args!("\",\"pid\":{},\"tid\":{IDLE},\"ts\":", recording.pid));
    out.microseconds(tracks.duration);
    out.text("}\n");
}

struct Events<'a, 'b, 'c> {
    recording: &'a Recording<'a>,
    tracks: &'a Tracks,
    out: &'b mut Out<'c>,
    /// How many were written.
    flows: u64,
    /// At least so long after one sample of the counters comes the next.
    interval: u64,
    next_sample: u64,
}

impl Visitor for Events<'_, '_, '_> {
    fn slice(&mut self, slice: &Slice) -> Result<(), Failed> {
        let tid = id(self.tracks, slice.track);
        event(self.out, self.recording, "X", slice.state.name(), tid);
        self.span(slice.from, slice.to);
        self.arguments(slice);
        self.out.text("},\n");
        if let Some(wake) = slice.wake.filter(|_| slice.state.runs()) {
            self.flows += 1;
            self.flow("s", id(self.tracks, wake.by), wake.at);
            self.flow("f", tid, slice.from);
        }
        self.out.check()
    }

    fn idle(&mut self, from: u64, to: u64) -> Result<(), Failed> {
        event(self.out, self.recording, "X", "idle", IDLE);
        self.span(from, to);
        self.out.text("},\n");
        self.out.check()
    }

    fn counts(&mut self, at: u64, counts: &PerState) {
        if at < self.next_sample {
            return;
        }
        self.next_sample = at.saturating_add(self.interval);
        let waiting = STATES.into_iter().filter(|state| !state.runs() && *state != State::Ready);
        let waiting = waiting.fold(0u64, |sum, state| sum.saturating_add(counts.get(state)));
        event(self.out, self.recording, "C", "threads", IDLE);
        self.out.text(",\"ts\":");
        self.out.microseconds(at);
        self.out.format(format_args!(
            ",\"args\":{{\"running\":{},\"ready\":{},\"waiting\":{waiting}}}}},\n",
            counts.get(State::Running) + counts.get(State::Kernel),
            counts.get(State::Ready),
        ));
    }
}

impl Events<'_, '_, '_> {
    fn span(&mut self, from: u64, to: u64) {
        self.out.text(",\"ts\":");
        self.out.microseconds(from);
        self.out.text(",\"dur\":");
        self.out.microseconds(to.saturating_sub(from));
    }

    /// What it waits for.
    fn arguments(&mut self, slice: &Slice) {
        let what = &slice.what;
        let cause = match (slice.state, what.cause) {
            (State::Kernel, _) => "call",
            (_, Cause::Nothing) => return,
            (_, Cause::Lock) => "lock",
            (_, Cause::Locks) => "locks",
            (_, Cause::Sleep) => "sleep",
            (_, Cause::Poll) => "poll",
            (_, Cause::Read) => "read",
            (_, Cause::Write) => "write",
            (_, Cause::Helper) => "helper",
            (_, Cause::Child) => "child",
            (_, Cause::Signal) => "signal",
        };
        self.out.text(",\"args\":{\"cause\":\"");
        self.out.text(cause);
        self.out.text("\"");
        match what.cause {
            Cause::Lock => self.out.format(format_args!(",\"address\":\"{:#x}\"", what.value)),
            Cause::Poll if what.value == u64::MAX => {}
            Cause::Poll | Cause::Read | Cause::Write => {
                self.out.text(",\"fd\":");
                self.out.number(what.value);
                if what.file != FileKind::Unknown {
                    self.out.format(format_args!(",\"file\":\"{}\"", words::kind(what.file)));
                }
            }
            Cause::Helper | Cause::Nothing => {
                self.out.text(",\"number\":");
                self.out.number(what.value);
                if let Some(name) = words::call(what.value) {
                    self.out.format(format_args!(",\"call\":\"{name}\""));
                }
            }
            Cause::Locks | Cause::Sleep | Cause::Child | Cause::Signal => {}
        }
        self.out.text("}");
    }

    /// One end of a wake-up.
    fn flow(&mut self, phase: &str, tid: u32, at: u64) {
        event(self.out, self.recording, phase, "wakes", tid);
        self.out.text(",\"cat\":\"wake\",\"id\":");
        self.out.number(self.flows);
        self.out.text(",\"ts\":");
        self.out.microseconds(at);
        self.out.text(if phase == "f" { ",\"bp\":\"e\"},\n" } else { "},\n" });
    }
}
