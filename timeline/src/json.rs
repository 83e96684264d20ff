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

#[cfg(test)]
mod tests {
    use crate::Format;
    use crate::event::{Cause, Kind, Recording};
    use crate::testing::{Events, fails_when_full, rendered, two_threads};
    use serde_json::Value;

    /// The events of this phase.
    fn events(recording: &Recording, phase: &str) -> Vec<Value> {
        let whole: Value = serde_json::from_str(&rendered(Format::Json, recording)).expect("JSON");
        let events = whole["traceEvents"].as_array().expect("a list").clone();
        assert!(events.iter().all(|event| event["pid"] == 4242));
        events.into_iter().filter(|event| event["ph"] == phase).collect()
    }

    #[test]
    fn threads_have_names_and_slices() {
        let recorded = two_threads(b"worker");
        let recording = recorded.recording(200);
        let names = events(&recording, "M");
        let named =
            |name: &str| names.iter().find(|event| event["args"]["name"] == name).expect("a name")["tid"].clone();
        assert_eq!(names[0]["args"]["name"], "a program");
        assert_eq!(named("worker"), 5_000_001);
        let slices = events(&recording, "X");
        let of = |name: &str| slices.iter().find(|event| event["name"] == name).expect("a slice");
        assert_eq!((&of("lock")["args"]["address"], &of("lock")["dur"]), (&"0x7f00".into(), &80.0.into()));
        assert_eq!((&of("I/O")["args"]["fd"], &of("I/O")["args"]["file"]), (&3.into(), &"pipe".into()));
        assert_eq!((&of("kernel")["args"]["call"], &of("kernel")["ts"]), (&"fsync".into(), &130.0.into()));
        assert_eq!((&of("idle")["tid"], &of("idle")["dur"]), (&named("(idle)"), &70.0.into()));
        assert!(!events(&recording, "C").is_empty());
    }

    #[test]
    fn flows_lead_from_the_wakers_slice_to_the_wokens() {
        let recorded = two_threads(b"worker");
        let recording = recorded.recording(200);
        let (starts, ends) = (events(&recording, "s"), events(&recording, "f"));
        assert_eq!((starts.len(), ends.len()), (2, 2));
        let slices = events(&recording, "X");
        for (start, end) in starts.iter().zip(&ends) {
            assert_eq!((&start["id"], &end["bp"]), (&end["id"], &"e".into()));
            for one in [start, end] {
                let time = one["ts"].as_f64().expect("a time");
                let encloses = |slice: &&Value| {
                    let (from, length) = (slice["ts"].as_f64().unwrap(), slice["dur"].as_f64().unwrap());
                    slice["tid"] == one["tid"] && from <= time && time < from + length
                };
                assert_eq!(slices.iter().find(encloses).expect("a slice")["name"], "running");
            }
        }
    }

    #[test]
    fn threads_at_one_place_have_ids_of_their_own() {
        let mut recorded = Events::default();
        recorded.runs(0, 0).made(1, 1, 77, 0).at(2, 1, Kind::Ended, 0).made(3, 1, 77, 0).parked(4, 1, Cause::Sleep, 0);
        let slices = events(&recorded.recording(9), "X");
        let tids = slices.iter().map(|slice| slice["tid"].as_u64().unwrap()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(tids.len(), 3, "{tids:?}");
    }

    #[test]
    fn the_end_and_what_was_dropped_are_told() {
        let recorded = two_threads(b"worker");
        let mut recording = recorded.recording(200);
        recording.dropped = 1234;
        recording.end = "signal 11";
        let instants = events(&recording, "i");
        assert!(instants[0]["name"].as_str().unwrap().starts_with("1,234 older events were dropped"));
        assert_eq!((&instants[1]["name"], &instants[1]["ts"]), (&"ended by signal 11".into(), &200.0.into()));
        let whole: Value = serde_json::from_str(&rendered(Format::Json, &recording)).unwrap();
        assert_eq!(whole["otherData"]["dropped_events"], 1234);
        assert_eq!(whole["otherData"]["end"], "ended by signal 11");
    }

    #[test]
    fn any_name_is_a_string() {
        for name in [b"</script>\"\\".as_slice(), b"\x01\x1f\n", b"\xff\xfe\xc3", b"\xe2\x80\xa8"] {
            let recorded = two_threads(name);
            let names = events(&recorded.recording(200), "M");
            let name = String::from_utf8_lossy(name);
            assert!(names.iter().any(|event| event["args"]["name"] == *name), "{name:?}: {names:?}");
        }
    }

    #[test]
    fn a_recording_of_nothing_is_json() {
        assert_eq!(events(&Events::default().recording(0), "X").len(), 0);
    }

    #[test]
    fn a_full_disk_is_told() {
        fails_when_full(Format::Json, &two_threads(b"worker").recording(200), 100);
    }
}
