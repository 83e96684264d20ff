//! Recordings for tests: events written down shortly, and what a renderer makes of them.

use crate::event::{Cause, Event, FileKind, Kind, Known, Recording};
use crate::{Failed, Format, Sink, render};

pub const NOBODY: u64 = u32::MAX as u64;

/// Events are made in the order of time, with a clock of 1,000 ticks per millisecond: a tick is a microsecond.
#[derive(Default)]
pub struct Events(pub Vec<Event>);

impl Events {
    pub fn at(&mut self, time: u64, thread: u32, kind: Kind, value: u64) -> &mut Events {
        self.0.push(Event::new(time, thread, kind, value));
        self
    }

    pub fn made(&mut self, time: u64, thread: u32, tid: u32, maker: u64) -> &mut Events {
        self.at(time, thread, Kind::Made, maker << 32 | u64::from(tid))
    }

    pub fn named(&mut self, time: u64, thread: u32, name: &[u8]) -> &mut Events {
        let mut bytes = [0; 16];
        bytes[..name.len()].copy_from_slice(name);
        let [first, second] = [0, 8].map(|at| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap()));
        self.at(time, thread, Kind::Name, first).at(time, thread, Kind::NameRest, second)
    }

    pub fn runs(&mut self, time: u64, thread: u32) -> &mut Events {
        self.at(time, thread, Kind::Running, 0)
    }

    pub fn parked(&mut self, time: u64, thread: u32, cause: Cause, value: u64) -> &mut Events {
        let file = if cause == Cause::Read { FileKind::Pipe } else { FileKind::Unknown };
        self.0.push(Event::parked(time, thread, cause, file, value));
        self
    }

    pub fn recording(&self, ended: u64) -> Recording<'_> {
        Recording {
            program: "a program",
            pid: 4242,
            events: [&self.0, &[]],
            dropped: 0,
            ticks_per_ms: 1000,
            began: 0,
            ended,
            functions: &["fetch", "</script>\"&"],
            known: &[],
            end: "exit",
        }
    }
}

/// Main makes a thread of this name, which waits for a lock that main gives it.
pub fn two_threads(name: &[u8]) -> Events {
    let mut events = Events::default();
    events.runs(0, 0).made(10, 1, 5_000_001, 0).named(11, 1, name);
    events.parked(20, 0, Cause::Sleep, 0).runs(20, 1).parked(30, 1, Cause::Lock, 0x7f00);
    events.at(30, 1, Kind::Idle, 0).at(100, 0, Kind::Ready, NOBODY).runs(100, 0);
    events.at(110, 1, Kind::Ready, 0).parked(120, 0, Cause::Read, 3).runs(120, 1);
    events.at(130, 1, Kind::Kernel, 74).at(150, 1, Kind::KernelDone, 0).at(160, 1, Kind::Ended, 0);
    events
}

pub fn known<'a>(thread: u32, tid: u32, name: &'a [u8]) -> Known<'a> {
    Known { thread, tid, name }
}

pub struct Bytes(pub Vec<u8>);

impl Sink for Bytes {
    fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.extend_from_slice(bytes);
        true
    }
}

pub fn rendered(format: Format, recording: &Recording) -> String {
    let mut bytes = Bytes(Vec::new());
    assert_eq!(render(format, recording, &mut bytes), Ok(()));
    String::from_utf8(bytes.0).expect("files are UTF-8")
}

/// A sink that is full after so many bytes: rendering must end with its failure.
pub fn fails_when_full(format: Format, recording: &Recording, room: usize) {
    struct Full(usize);
    impl Sink for Full {
        fn write(&mut self, bytes: &[u8]) -> bool {
            let fits = self.0 >= bytes.len();
            self.0 = self.0.saturating_sub(bytes.len());
            fits
        }
    }
    assert_eq!(render(format, recording, &mut Full(room)), Err(Failed::Sink));
}
