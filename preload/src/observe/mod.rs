//! Seeing what the green threads do: from outside ([`layout`]), and as a record that the process makes of itself. The
//! scheduler tells of each change of a task's state, if the user has asked for a record; what is made of that when the process
//! ends is in [`finish`].

pub mod accounts;
pub mod blocking;
pub mod deadlock;
pub mod finish;
pub mod itself;
pub mod layout;
pub mod output;
pub mod ring;
pub mod summary;

use crate::arch::x86_64::cpu::time_stamp;
use crate::config::observe::{ObserveConfig, Stats};
use crate::report::say;
use crate::report::stats::Outlet;
use crate::sched::descriptors::{Direction, Kind as File};
use crate::sched::task::{NONE, State, TaskId, Wait};
use crate::sched::worker::Worker;
use accounts::Accounts;
use alloc::vec::Vec;
use blocking::Blocking;
use deadlock::Deadlocks;
use grivet_timeline::Format;
use grivet_timeline::event::{Cause, Event, FileKind, Kind};
use output::Path;
use ring::Ring;

/// Nobody: a timer, a file.
const NOBODY: u64 = NONE as u64;

/// The file of a timeline.
pub struct Trace {
    ring: Ring,
    path: Path,
    format: Format,
}

/// What is recorded. The worker asks `Worker::is_watched` before it tells anything.
pub struct Observer {
    trace: Option<Trace>,
    accounts: Option<Accounts>,
    pub stats: Stats<'static>,
    stats_path: Option<Path>,
    /// What is woken now is woken by no task.
    pub by_nobody: bool,
    /// The task that ran last.
    ran: TaskId,
    /// Functions whose calls were spawned, as events number them.
    functions: Vec<&'static str>,
    /// The function whose spawned call the next thread is for.
    spawning: Option<&'static str>,
    pub deadlocks: Deadlocks,
    pub blocking: Blocking,
    /// When the record began: ticks, and ns of CLOCK_MONOTONIC.
    began: (u64, u64),
    is_finished: bool,
}

impl Observer {
    pub const fn new() -> Observer {
        Observer {
            trace: None,
            accounts: None,
            stats: Stats::Off,
            stats_path: None,
            by_nobody: false,
            ran: NONE,
            functions: Vec::new(),
            spawning: None,
            deadlocks: Deadlocks::new(),
            blocking: Blocking::new(),
            began: (0, 0),
            is_finished: false,
        }
    }

    /// Whether changes of state are recorded.
    pub fn is_on(&self) -> bool {
        self.trace.is_some() || self.accounts.is_some()
    }

    #[inline(always)]
    fn record(&mut self, event: Event) {
        if let Some(trace) = &mut self.trace {
            trace.ring.push(event);
        }
    }
}

/// Grivet wakes: what the user wants to see is recorded from now on.
pub fn begin(worker: &mut Worker, config: &ObserveConfig<'static>) {
    let observer = &mut worker.observer;
    observer.stats = config.stats;
    observer.deadlocks.action = config.on_deadlock;
    if let Some((file, format)) = config.trace {
        let path = Path::claim(file, worker.pid);
        match path.and_then(|path| Ok((path, Ring::new(config.trace_size)?))) {
            Ok((path, ring)) => observer.trace = Some(Trace { ring, path, format }),
            Err(errno) => say!("GRIVET_TRACE={}: {errno}; no timeline is recorded", file.escape_ascii()),
        }
    }
    if let Stats::Json(file) = config.stats {
        match Path::claim(file, worker.pid) {
            Ok(path) => observer.stats_path = Some(path),
            Err(errno) => say!("GRIVET_STATS=json:{}: {errno}; no statistics are written", file.escape_ascii()),
        }
    }
    if matches!(config.stats, Stats::Table | Stats::Json(_)) {
        observer.accounts = Some(Accounts::new());
    }
    if let Some(limit) = config.max_blocking {
        observer.blocking.allow(limit);
        worker.is_watched = true;
    }
    worker.signals.dump = config.dump_signal.unwrap_or(0);
    worker.signals.sees_ends = matches!(observer.stats, Stats::Json(_)) || observer.is_on();
    if matches!(config.stats, Stats::Line | Stats::Table) {
        worker.stats.outlet = Outlet::open();
    }
    if observer.is_on() {
        worker.is_watched = true;
        start_clock(worker);
    }
}

fn start_clock(worker: &mut Worker) {
    worker.observer.began = (time_stamp(), worker.clock.now());
    let current = worker.current;
    runs(worker, current);
}

/// In the child of a fork: it makes a record of its own, in a file of its own.
pub fn become_child(worker: &mut Worker) {
    let pid = worker.pid;
    let observer = &mut worker.observer;
    observer.is_finished = false;
    observer.deadlocks.forget();
    observer.blocking.forget();
    if let Some(trace) = &mut observer.trace {
        trace.ring.clear();
        trace.path.be_child(pid);
    }
    if let Some(path) = &mut observer.stats_path {
        path.be_child(pid);
    }
    if observer.accounts.is_some() {
        observer.accounts = Some(Accounts::new());
    }
    if observer.is_on() {
        start_clock(worker);
    }
}

/// Task `id` was made by the current one.
#[cold]
pub fn made(worker: &mut Worker, id: TaskId) {
    let now = time_stamp();
    let value = u64::from(worker.tasks[id].tid) | u64::from(worker.current) << 32;
    worker.observer.record(Event::new(now, id, Kind::Made, value));
    if let Some(accounts) = &mut worker.observer.accounts {
        accounts.made(id, now);
    }
    if let Some(function) = worker.observer.spawning.take() {
        spawned(worker, id, function);
    }
}

/// The thread that the program makes next is for a spawned call of `function`.
pub fn spawns(worker: &mut Worker, function: &'static str) {
    worker.observer.spawning = Some(function);
}

fn spawned(worker: &mut Worker, id: TaskId, function: &'static str) {
    let functions = &mut worker.observer.functions;
    let index = match functions.iter().position(|known| core::ptr::eq(*known, function)) {
        Some(index) => index,
        None if functions.try_reserve(1).is_ok() => {
            functions.push(function);
            functions.len() - 1
        }
        None => return,
    };
    worker.observer.record(Event::new(time_stamp(), id, Kind::Spawned, index as u64));
}

/// Task `id` goes on.
#[cold]
pub fn runs(worker: &mut Worker, id: TaskId) {
    let now = time_stamp();
    let before = core::mem::replace(&mut worker.observer.ran, id);
    worker.observer.record(Event::new(now, id, Kind::Running, 0));
    if let Some(accounts) = &mut worker.observer.accounts {
        accounts.runs(id, before, now);
    }
}

/// Task `id` can go on.
#[cold]
pub fn ready(worker: &mut Worker, id: TaskId) {
    let now = time_stamp();
    let current = worker.current;
    let is_woken_by_task = !worker.observer.by_nobody && current != id && worker.tasks[current].state == State::Running;
    let waker = if is_woken_by_task { u64::from(current) } else { NOBODY };
    worker.observer.record(Event::new(now, id, Kind::Ready, waker));
    if let Some(accounts) = &mut worker.observer.accounts {
        accounts.ready(id, now);
    }
}

/// Task `id` has parked. For files, see `waits_for_file`: at that moment it is not known for which.
#[cold]
pub fn parked(worker: &mut Worker, id: TaskId) {
    let key = worker.tasks[id].key;
    let (cause, value) = match worker.tasks[id].wait {
        Wait::Nothing | Wait::File => return,
        Wait::Futex => (Cause::Lock, key),
        Wait::Several => (Cause::Locks, 0),
        Wait::Sleep => (Cause::Sleep, worker.tasks[id].deadline),
        Wait::Poll => (Cause::Poll, NOBODY),
        Wait::Pool => (Cause::Helper, u64::from(worker.frame_of(id).number())),
        Wait::Child => (Cause::Child, 0),
        Wait::Signal => (Cause::Signal, 0),
    };
    waits(worker, id, cause, FileKind::Unknown, value);
}

/// Task `id` waits for `fd`.
#[cold]
pub fn waits_for_file(worker: &mut Worker, id: TaskId, fd: i32, direction: Direction) {
    let cause = if direction == Direction::Read { Cause::Read } else { Cause::Write };
    let kind = worker.descriptors.get(fd).map_or(FileKind::Unknown, |entry| match entry.kind {
        File::Tcp => FileKind::Tcp,
        File::Stream => FileKind::Stream,
        File::Datagram => FileKind::Datagram,
        File::Pipe => FileKind::Pipe,
        File::Event => FileKind::Event,
        File::Disk | File::SynchronousDisk => FileKind::Disk,
        File::Unknown => FileKind::Unknown,
        File::Direct | File::Memory | File::Other | File::Private => FileKind::Other,
    });
    waits(worker, id, cause, kind, fd as u64);
}

fn waits(worker: &mut Worker, id: TaskId, cause: Cause, file: FileKind, value: u64) {
    let now = time_stamp();
    worker.observer.record(Event::parked(now, id, cause, file, value));
    if let Some(accounts) = &mut worker.observer.accounts {
        accounts.waits(id, now, cause);
    }
}

/// No task can go on.
#[cold]
pub fn idles(worker: &mut Worker) {
    let now = time_stamp();
    let ran = worker.observer.ran;
    worker.observer.record(Event::new(now, ran, Kind::Idle, 0));
    if let Some(accounts) = &mut worker.observer.accounts {
        accounts.idles(now);
    }
}

/// Task `id` ends.
#[cold]
pub fn ended(worker: &mut Worker, id: TaskId) {
    let now = time_stamp();
    let (tid, name) = (worker.tasks[id].tid, name_of(worker, id));
    if worker.observer.trace.is_some() {
        let [first, rest] = [0, 8].map(|start| {
            let mut word = [0; 8];
            word.copy_from_slice(&name[start..start + 8]);
            u64::from_ne_bytes(word)
        });
        worker.observer.record(Event::new(now, id, Kind::Name, first));
        worker.observer.record(Event::new(now, id, Kind::NameRest, rest));
        worker.observer.record(Event::new(now, id, Kind::Ended, 0));
    }
    if let Some(accounts) = &mut worker.observer.accounts {
        accounts.ended(id, now, tid, name);
    }
}

/// The name of task `id`, padded with zeros: its own, or the function whose spawned call it runs, or the process's.
fn name_of(worker: &Worker, id: TaskId) -> [u8; 16] {
    let mut name = [0; 16];
    let call = crate::spawn::call::running_in(worker.tasks[id].fs_base);
    let bytes = call.map_or(worker.name_of(id), str::as_bytes);
    let length = bytes.len().min(name.len());
    name[..length].copy_from_slice(&bytes[..length]);
    name
}
