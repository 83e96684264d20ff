//! Writes `synthetic.json`, `.svg` and `.html` of a made-up server: its threads sleep, read, take turns at a lock, sync
//! files and make calls of `fetch()`. For looking at the renderers, testing them, and measuring them: it says how long
//! each took and how much memory.
//!
//! `cargo run --release -p grivet-timeline --example synthetic -- DIRECTORY [THREADS [EVENTS]]`

use grivet_timeline::event::{Cause, Event, FileKind, Kind, Known, Recording};
use grivet_timeline::{Format, Sink, render};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const TICKS_PER_MS: u64 = 2_500_000;
const MICROSECOND: u64 = TICKS_PER_MS / 1000;
const NOBODY: u64 = u32::MAX as u64;
const LOCK: u64 = 0x7f3a_5c00_1040;
const FSYNC: u64 = 74;
const FIRST_ID: u32 = 4_194_305;
const NAMES: [&str; 5] = ["accept", "worker", "writer", "janitor", "</script>\"&\u{e4}"];

/// A server of one kernel thread, of which events are recorded.
struct Server {
    events: Vec<Event>,
    now: u64,
    random: u64,
    ready: VecDeque<u32>,
    /// Who goes on when.
    timers: BinaryHeap<Reverse<(u64, u32)>>,
    has_lock: Option<u32>,
    wants_lock: VecDeque<u32>,
}

impl Server {
    fn new(threads: u32) -> Server {
        let mut server = Server {
            events: Vec::new(),
            now: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            ready: VecDeque::new(),
            timers: BinaryHeap::new(),
            has_lock: None,
            wants_lock: VecDeque::new(),
        };
        server.event(0, Kind::Running, 0);
        for thread in 1..threads {
            server.make(thread, 0);
        }
        server.wait(0, Cause::Poll, FileKind::Tcp, 3, 2_000);
        server
    }

    /// Something below `limit`.
    fn any(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    fn compute(&mut self, microseconds: u64) {
        self.now += (1 + self.any(microseconds)) * MICROSECOND;
    }

    fn event(&mut self, thread: u32, kind: Kind, value: u64) {
        self.events.push(Event::new(self.now, thread, kind, value));
        self.now += 40; // ticks
    }

    /// Every sixteenth thread is a spawned call.
    fn make(&mut self, thread: u32, maker: u32) {
        self.event(thread, Kind::Made, u64::from(maker) << 32 | u64::from(FIRST_ID + thread));
        let name = NAMES[match thread {
            1 => 0,
            7 => 4,
            _ => 1 + thread as usize % 3,
        }];
        let text = if name == "worker" { format!("worker {thread}") } else { name.to_owned() };
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        for (kind, half) in [(Kind::Name, &bytes[..8]), (Kind::NameRest, &bytes[8..])] {
            self.event(thread, kind, u64::from_ne_bytes(half.try_into().expect("eight bytes")));
        }
        if thread % 16 == 9 {
            self.event(thread, Kind::Spawned, 0);
        }
        self.ready.push_back(thread);
    }

    fn wait(&mut self, thread: u32, cause: Cause, file: FileKind, value: u64, microseconds: u64) {
        self.events.push(Event::parked(self.now, thread, cause, file, value));
        let time = self.now + (1 + self.any(microseconds)) * MICROSECOND;
        self.timers.push(Reverse((time, thread)));
    }

    /// Runs the next thread until it waits.
    fn step(&mut self) {
        while let Some(&Reverse((time, thread))) = self.timers.peek() {
            if time > self.now && !self.ready.is_empty() {
                break;
            }
            if time > self.now {
                self.event(thread, Kind::Idle, 0);
                self.now = time;
            }
            self.timers.pop();
            self.event(thread, Kind::Ready, NOBODY);
            self.ready.push_back(thread);
        }
        let Some(thread) = self.ready.pop_front() else { return };
        self.event(thread, Kind::Running, 0);
        self.compute(60);
        if self.has_lock == Some(thread) {
            self.has_lock = self.wants_lock.pop_front();
            if let Some(next) = self.has_lock {
                self.event(next, Kind::Ready, thread.into());
                self.ready.push_back(next);
            }
        }
        self.go_on(thread);
    }

    fn go_on(&mut self, thread: u32) {
        let fd = 10 + u64::from(thread);
        match (thread % 4, self.any(20)) {
            (_, 0) if thread % 16 == 9 => {
                self.event(thread, Kind::Ended, 0);
                self.make(thread, 0);
            }
            (3, _) => self.wait(thread, Cause::Sleep, FileKind::Unknown, 0, 40_000),
            (0, 0) => {
                self.event(thread, Kind::Kernel, FSYNC);
                self.compute(3_000);
                self.event(thread, Kind::KernelDone, 0);
                self.wait(thread, Cause::Child, FileKind::Unknown, 0, 30_000);
            }
            (_, 1 | 2) => self.wait(thread, Cause::Helper, FileKind::Unknown, FSYNC, 9_000),
            (_, 3 | 4) => self.wait(thread, Cause::Write, FileKind::Pipe, fd, 4_000),
            (_, 5) => self.wait(thread, Cause::Signal, FileKind::Unknown, 0, 4_000),
            (_, 6..=11) if self.has_lock.is_none() => {
                self.has_lock = Some(thread);
                self.wait(thread, Cause::Read, FileKind::Tcp, fd, 3_000);
            }
            (_, 6..=11) => {
                self.events.push(Event::parked(self.now, thread, Cause::Lock, FileKind::Unknown, LOCK));
                self.wants_lock.push_back(thread);
            }
            _ => self.wait(thread, Cause::Read, FileKind::Tcp, fd, 12_000),
        }
    }
}

struct Written(File);

impl Sink for Written {
    fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }
}

/// The most memory that this process has had so far, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("usage: synthetic DIRECTORY [THREADS [EVENTS]]")?;
    let threads = arguments.next().map_or(Ok(24), |text| text.parse())?;
    let events = arguments.next().map_or(Ok(4_000), |text| text.parse())?;
    let mut server = Server::new(threads);
    while server.events.len() < events {
        server.step();
    }
    let known: Vec<Known> = vec![Known { thread: 0, tid: 4242, name: b"server" }];
    let (older, newer) = server.events.split_at(server.events.len() / 3);
    let recording = Recording {
        program: "server",
        pid: 4242,
        events: [older, newer],
        dropped: 0,
        ticks_per_ms: TICKS_PER_MS,
        began: 0,
        ended: server.now,
        functions: &["fetch"],
        known: &known,
        end: "signal 11",
    };
    for (ending, format) in [("json", Format::Json), ("svg", Format::Svg), ("html", Format::Html)] {
        let path = Path::new(&directory).join("synthetic").with_extension(ending);
        let mut sink = Written(File::create(&path)?);
        let (began, before) = (Instant::now(), peak());
        render(format, &recording, &mut sink).map_err(|failed| format!("{}: {failed:?}", path.display()))?;
        let (took, size) = (began.elapsed().as_millis(), sink.0.metadata()?.len() >> 10);
        println!("{ending}: {took} ms, {size} KiB, {} KiB more memory at the peak", peak() - before);
    }
    Ok(())
}
