//! All green threads as their records have them: a million are read in a few large parts. What they wait for in detail (the
//! holder of a lock, the kind of a file) is looked up afterwards, for those that are shown.

use alloc::vec::Vec;

use crate::locks::{self, Holders, LockKind};
use crate::memory::{Files, Now, Part, u32_at, u64_at};
use crate::process::Process;

/// Records read at once.
const AT_ONCE: u32 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Running,
    Ready,
    Waiting,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Ready => "ready",
            State::Waiting => "waiting",
        }
    }
}

/// What a thread waits for to be possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Read,
    Write,
    Either,
}

/// What a waiting thread waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    Nothing,
    /// A futex.
    Lock {
        address: u64,
        kind: LockKind,
        owner: Option<u32>,
    },
    /// Any of several futexes.
    SeveralLocks,
    Sleep,
    /// poll(2), select(2), epoll_wait(2).
    Poll,
    File {
        descriptor: u32,
        direction: Direction,
        is: Option<Vec<u8>>,
    },
    /// A system call that a kernel thread of grivet's makes for it.
    Pool,
    Child,
    Signal,
    /// Something newer than this code.
    Other(u8),
}

/// A green thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Its place among the records.
    pub record: u32,
    pub tid: u32,
    /// Padded with zeros.
    pub name: [u8; 16],
    pub state: State,
    /// How long it has waited or been ready; a running one has no such time.
    pub since_ms: Option<u64>,
    pub waits_for: WaitsFor,
    /// Time until its wait ends by itself.
    pub left_ms: Option<u64>,
    /// As far as it was charged.
    pub cpu_time_ns: Option<u64>,
    /// Number of the system call that it waits in (see [`Process::look_closer`]).
    pub call: Option<u32>,
    pub(crate) resume: u64,
    pub(crate) fs_base: u64,
}

impl Thread {
    /// Its name, without padding.
    pub fn name(&self) -> &[u8] {
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(self.name.len());
        &self.name[..end]
    }
}

impl Process<'_> {
    /// All threads, in the order of their records. If the process runs meanwhile, each is what it was at some moment.
    pub fn threads(&self, now: Now) -> Vec<Thread> {
        let mut threads = Vec::new();
        let mut first = 0;
        while first < self.worker.used {
            let count = AT_ONCE.min(self.worker.used - first);
            self.some_threads(first, count, now, &mut threads);
            first += count;
        }
        threads
    }

    /// Those among the `count` records from the `first` on, added to `threads`: for who has little memory.
    pub fn some_threads(&self, first: u32, count: u32, now: Now, threads: &mut Vec<Thread>) {
        let size = self.layout.in_task.size as usize;
        let mut records = alloc::vec![0; count as usize * size];
        let address = self.worker.records + u64::from(first) * size as u64;
        if size == 0 || !self.memory.read(address, &mut records) {
            return;
        }
        let begin = threads.len();
        let mut extras = Vec::new();
        for (record, bytes) in (first..).zip(records.chunks(size)) {
            if let Some(thread) = self.thread(record, bytes, now) {
                threads.push(thread);
                extras.push(u64_at(bytes, self.layout.in_task.extra as usize));
            }
        }
        self.read_extras(&extras, &mut threads[begin..]);
    }

    fn thread(&self, record: u32, bytes: &[u8], now: Now) -> Option<Thread> {
        let (fields, states) = (&self.layout.in_task, &self.layout.states);
        let byte = |offset: u32| bytes.get(offset as usize).copied().unwrap_or(0);
        let state = match byte(fields.state) {
            state if state == states.ready => State::Ready,
            // Of the others, none has a processor.
            state if state == states.running => State::Running,
            state if state == states.parked => State::Waiting,
            _ => return None,
        };
        let waits_for = match state {
            State::Waiting => self.waits_for(byte(fields.wait), u64_at(bytes, fields.key as usize)),
            _ => WaitsFor::Nothing,
        };
        let since = ((now.monotonic >> 20) as u32).wrapping_sub(u32_at(bytes, fields.since as usize));
        // Times that seem to lie ahead are this moment.
        let units = if (since as i32) < 0 { 0 } else { u64::from(since) };
        let clock = match waits_for {
            WaitsFor::Sleep => u32_at(bytes, fields.sleep_clock as usize),
            _ => 1,
        };
        let deadline = Some(u64_at(bytes, fields.deadline as usize)).filter(|&end| end != 0 && state == State::Waiting);
        Some(Thread {
            record,
            tid: u32_at(bytes, fields.tid as usize),
            name: self.worker.name,
            state,
            since_ms: (state != State::Running).then_some((units << 20) / 1_000_000),
            waits_for,
            left_ms: deadline.map(|end| end.saturating_sub(now.on(clock)) / 1_000_000),
            cpu_time_ns: None,
            call: None,
            resume: u64_at(bytes, fields.resume as usize),
            fs_base: u64_at(bytes, fields.fs_base as usize),
        })
    }

    fn waits_for(&self, wait: u8, key: u64) -> WaitsFor {
        let waits = &self.layout.waits;
        match wait {
            wait if wait == waits.futex => WaitsFor::Lock { address: key, kind: LockKind::Futex, owner: None },
            wait if wait == waits.several => WaitsFor::SeveralLocks,
            wait if wait == waits.sleep => WaitsFor::Sleep,
            wait if wait == waits.poll => WaitsFor::Poll,
            wait if wait == waits.file => WaitsFor::File {
                descriptor: (key >> 2) as u32,
                direction: match key & 3 {
                    1 => Direction::Read,
                    2 => Direction::Write,
                    _ => Direction::Either,
                },
                is: None,
            },
            wait if wait == waits.pool => WaitsFor::Pool,
            wait if wait == waits.child => WaitsFor::Child,
            wait if wait == waits.signal => WaitsFor::Signal,
            wait if wait == waits.nothing => WaitsFor::Nothing,
            other => WaitsFor::Other(other),
        }
    }

    /// Names and CPU times, which only some have.
    fn read_extras(&self, extras: &[u64], threads: &mut [Thread]) {
        let fields = &self.layout.in_extra;
        let owners: Vec<usize> = (0..extras.len()).filter(|&place| extras[place] != 0).collect();
        let mut bytes = alloc::vec![0; owners.len() * 24];
        let mut parts = Vec::with_capacity(2 * owners.len());
        for (&owner, bytes) in owners.iter().zip(bytes.chunks_mut(24)) {
            let (name, time) = bytes.split_at_mut(16);
            parts.push(Part::new(extras[owner] + u64::from(fields.name), name));
            parts.push(Part::new(extras[owner] + u64::from(fields.cpu_time), time));
        }
        self.memory.read_parts(&mut parts);
        let are_read: Vec<bool> = parts.iter().map(|part| part.is_read).collect();
        for ((&owner, bytes), are_read) in owners.iter().zip(bytes.chunks(24)).zip(are_read.chunks(2)) {
            if are_read == [true, true] {
                if let Ok(name) = <[u8; 16]>::try_from(&bytes[..16])
                    && name[0] != 0
                {
                    threads[owner].name = name;
                }
                threads[owner].cpu_time_ns = Some(u64_at(bytes, 16));
            }
        }
    }

    /// Looks up what `threads`, some of those that `holders` knows, wait for: which system call they are in, what their
    /// futexes are and who holds these locks.
    pub fn look_closer(&self, threads: &mut [Thread], holders: &Holders) {
        let number = u64::from(self.layout.in_frame.number);
        for some in threads.chunks_mut(256) {
            let mut numbers = alloc::vec![0; 8 * some.len()];
            let mut parts: Vec<Part<'_>> = some
                .iter()
                .zip(numbers.chunks_mut(8))
                .map(|(thread, bytes)| Part::new((thread.resume & !1) + number, bytes))
                .collect();
            self.memory.read_parts(&mut parts);
            let are_read: Vec<bool> = parts.iter().map(|part| part.is_read).collect();
            for (place, thread) in some.iter_mut().enumerate() {
                let is_in_call = thread.state == State::Waiting && thread.resume & 1 == 0 && are_read[place];
                thread.call = is_in_call.then(|| u64_at(&numbers, 8 * place) as u32);
            }
            locks::identify(self.memory, some, holders);
        }
    }
}

/// Looks up what the descriptors that `threads` wait for are; the process need not be stopped for that.
pub fn name_files(threads: &mut [Thread], files: &dyn Files) {
    for thread in threads {
        if let WaitsFor::File { descriptor, is, .. } = &mut thread.waits_for {
            *is = files.descriptor(*descriptor);
        }
    }
}
