//! What the walk makes of events: as they should be, and as they should not.

use super::{Slice, Visitor, Wake, walk};
use crate::Failed;
use crate::event::{Cause, Event, FileKind, Kind, Recording};
use crate::state::{PerState, State};
use crate::testing::{Events, NOBODY, known, two_threads};
use crate::tracks::Tracks;

/// Writes down what it is told: track, state, from and to in microseconds.
#[derive(Default)]
struct Told {
    slices: Vec<(u32, State, u64, u64)>,
    wakes: Vec<(u32, Wake)>,
    idle: Vec<(u64, u64)>,
    counts: PerState,
}

impl Visitor for Told {
    fn slice(&mut self, slice: &Slice) -> Result<(), Failed> {
        self.slices.push((slice.track, slice.state, slice.from / 1000, slice.to / 1000));
        self.wakes.extend(slice.wake.filter(|_| slice.state.runs()).map(|wake| (slice.track, wake)));
        Ok(())
    }

    fn idle(&mut self, from: u64, to: u64) -> Result<(), Failed> {
        self.idle.push((from / 1000, to / 1000));
        Ok(())
    }

    fn counts(&mut self, _at: u64, counts: &PerState) {
        self.counts = *counts;
    }
}

fn told(recording: &Recording) -> Told {
    let mut told = Told::default();
    walk(recording, &mut told).unwrap();
    told
}

fn names(recording: &Recording) -> Vec<String> {
    let tracks = Tracks::of(recording).unwrap();
    tracks.list.iter().map(|track| String::from_utf8_lossy(track.label(recording).get()).into_owned()).collect()
}

#[test]
fn states_follow_each_other() {
    let events = two_threads(b"worker");
    let told = told(&events.recording(200));
    let of = |track| told.slices.iter().filter(move |slice| slice.0 == track).map(|slice| (slice.1, slice.2, slice.3));
    assert_eq!(
        of(0).collect::<Vec<_>>(),
        [
            (State::Running, 0, 20),
            (State::Sleep, 20, 100),
            (State::Ready, 100, 100),
            (State::Running, 100, 120),
            (State::File, 120, 200)
        ]
    );
    assert_eq!(
        of(1).collect::<Vec<_>>(),
        [
            (State::Ready, 10, 20),
            (State::Running, 20, 30),
            (State::Lock, 30, 110),
            (State::Ready, 110, 120),
            (State::Running, 120, 130),
            (State::Kernel, 130, 150),
            (State::Running, 150, 160)
        ]
    );
    assert_eq!(told.idle, [(30, 100)]);
    assert!(told.slices.is_sorted_by_key(|slice| slice.3), "they come in the order of their ends");
    assert_eq!(
        told.wakes,
        [(1, Wake { by: 0, at: 10_000 }), (1, Wake { by: 0, at: 110_000 })],
        "being made counts as being woken, and each wake-up leads to one slice"
    );
}

#[test]
fn counts_follow_the_states() {
    let mut events = two_threads(b"worker");
    let mut counts = PerState::new();
    counts.add(State::File, 1);
    assert_eq!(told(&events.recording(200)).counts, counts);
    events.made(170, 9, 1, NOBODY);
    counts.add(State::Ready, 1);
    assert_eq!(told(&events.recording(200)).counts, counts);
}

#[test]
fn a_place_that_is_given_away_again_is_another_track() {
    let mut events = Events::default();
    events.runs(0, 0).made(1, 1, 77, 0).named(1, 1, b"first").runs(2, 1).at(3, 1, Kind::Ended, 0).runs(3, 0);
    events.made(4, 1, 77, 0).at(4, 1, Kind::Spawned, 0).made(5, 1, 78, 0).named(6, 1, b"sixteen bytes...");
    events.named(7, 1, b"renamed");
    let recording = events.recording(10);
    assert_eq!(names(&recording), ["main", "first", "fetch()", "renamed"], "the last name wins");
    let tracks = Tracks::of(&recording).unwrap();
    assert_eq!(tracks.list.iter().map(|track| track.is_first).collect::<Vec<_>>(), [true, true, false, false]);
    let told = told(&recording);
    assert!(told.slices.contains(&(2, State::Ready, 4, 5)), "it ends where the next one is made");
}

#[test]
fn what_was_before_the_first_event_is_unknown() {
    let mut events = Events::default();
    events.at(30, 2, Kind::Ready, 1).parked(40, 1, Cause::Sleep, 0).runs(40, 2).at(50, 2, Kind::Ended, 0);
    events.at(60, 2, Kind::Ready, NOBODY);
    let known = [known(1, 9, b"alive"), known(5, 10, b"idler"), known(2, 11, b"has ended")];
    let mut recording = events.recording(100);
    recording.known = &known;
    assert_eq!(names(&recording), ["thread", "alive", "idler"]);
    let slices = told(&recording).slices;
    assert_eq!(slices[0], (0, State::Unknown, 0, 30));
    assert_eq!(slices[1], (1, State::Running, 0, 40), "of those not seen, the first that stops is the one that ran");
    assert!(slices.contains(&(2, State::Unknown, 0, 100)), "nothing happened to it");
    assert!(!slices.iter().any(|slice| slice.0 == 0 && slice.3 > 50), "nothing comes after the end");
}

#[test]
fn if_events_were_dropped_what_is_shown_begins_with_the_first() {
    let mut events = Events::default();
    events.runs(5_000, 3).parked(5_010, 3, Cause::Signal, 0);
    let mut recording = events.recording(5_100);
    recording.began = 1_000;
    recording.dropped = 12;
    assert_eq!(told(&recording).slices, [(0, State::Running, 0, 10), (0, State::Signal, 10, 100)]);
    assert_eq!(Tracks::of(&recording).unwrap().late, 4_000_000);
    recording.dropped = 0;
    assert_eq!(told(&recording).slices[0], (0, State::Unknown, 0, 4_000));
}

#[test]
fn who_loses_the_kernel_thread_without_a_word_is_ready() {
    let mut events = Events::default();
    events.runs(0, 0).made(1, 1, 7, 0).runs(2, 1).runs(3, 1);
    assert!(told(&events.recording(4)).slices.contains(&(0, State::Ready, 2, 4)));
    assert_eq!(Tracks::of(&events.recording(4)).unwrap().switches, 2);
}

#[test]
fn a_wake_up_by_one_that_has_ended_lies_within_its_last_running() {
    let mut events = Events::default();
    events.runs(0, 0).made(1, 1, 7, 0).parked(2, 0, Cause::Lock, 1).runs(2, 1).at(3, 1, Kind::Ended, 0);
    events.at(4, 0, Kind::Ready, 1).runs(5, 0);
    assert_eq!(told(&events.recording(6)).wakes[1], (0, Wake { by: 1, at: 2_999 }));
}

/// Any bits at all: nothing panics, and the states of each track follow each other.
#[test]
fn nonsense_is_survived() {
    let kinds = [
        Kind::Made,
        Kind::Name,
        Kind::NameRest,
        Kind::Spawned,
        Kind::Running,
        Kind::Parked,
        Kind::Ready,
        Kind::Ended,
        Kind::Idle,
        Kind::Kernel,
        Kind::KernelDone,
    ];
    let mut random = 1u64;
    let mut any = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    for round in 0..60 {
        let mut events = Events::default();
        for _ in 0..200 {
            let time = if any(10) == 0 { any(u64::MAX) } else { any(1000) };
            let value = [any(6), any(6) << 32, u64::MAX, NOBODY][any(4) as usize];
            let thread = if any(50) == 0 { [70_000, u32::MAX][any(2) as usize] } else { any(6) as u32 };
            events.0.push(match kinds[any(11) as usize] {
                Kind::Parked => Event::parked(time, thread, Cause::Poll, FileKind::Other, value),
                kind => Event::new(time, thread, kind, value),
            });
        }
        let mut recording = events.recording(if round % 2 == 0 { 500 } else { 0 });
        recording.ticks_per_ms = [0, 1, 1_000, u64::MAX][round % 4];
        recording.dropped = round as u64 % 3;
        let told = told(&recording);
        for track in 0..Tracks::of(&recording).unwrap().list.len() as u32 {
            let of = told.slices.iter().filter(|slice| slice.0 == track).collect::<Vec<_>>();
            assert!(of.windows(2).all(|pair| pair[0].3 == pair[1].2));
        }
        for format in [crate::Format::Json, crate::Format::Svg, crate::Format::Html] {
            crate::testing::rendered(format, &recording);
        }
    }
}
