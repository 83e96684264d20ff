//! What is recorded: one event for each change of a thread's state, in the order of time. Recorders keep the last so and
//! so many, so the first ones may be missing; a thread may have been made, and named, before the first event.

/// One event, 24 bytes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// When, in ticks of the recorder's clock (`Recording::ticks_per_ms`).
    pub time: u64,
    /// Which thread: its place in the recorder's table, which is given to another thread once this one has ended.
    pub thread: u32,
    pub kind: Kind,
    /// What a parked thread waits for.
    pub cause: Cause,
    /// For `Cause::Read` and `Cause::Write`: what kind of file.
    pub file: FileKind,
    _reserved: u8,
    /// What this is, depends on `kind`.
    pub value: u64,
}

impl Event {
    /// An event that is not about waiting.
    #[inline(always)]
    pub const fn new(time: u64, thread: u32, kind: Kind, value: u64) -> Event {
        Event { time, thread, kind, cause: Cause::Nothing, file: FileKind::Unknown, _reserved: 0, value }
    }

    /// A thread begins to wait.
    #[inline(always)]
    pub const fn parked(time: u64, thread: u32, cause: Cause, file: FileKind, value: u64) -> Event {
        Event { time, thread, kind: Kind::Parked, cause, file, _reserved: 0, value }
    }
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// The thread came to be, ready to run: from now on its place means this one. Value: its id as the program knows it
    /// (low 32 bits), and the place of its maker (high 32 bits; all ones for none).
    Made,
    /// The first eight bytes of the thread's name, padded with zeros. Value: those bytes, as in memory.
    Name,
    /// The next eight bytes of it; comes right after `Name`.
    NameRest,
    /// The thread runs a spawned call. Value: index into `Recording::functions`.
    Spawned,
    /// It runs. No other does from then on.
    Running,
    /// It waits. Value: by `Cause`.
    Parked,
    /// It can run: it was woken, or gave way. Value: the place of who woke it (all ones: nobody, such as a timer or a
    /// file).
    Ready,
    /// It has ended.
    Ended,
    /// No thread can run: the process sleeps in the kernel until one can. (`thread` is whichever ran last.)
    Idle,
    /// The running thread makes a call that the kernel may take long for. Value: its number; the same thread's next
    /// event is its end.
    Kernel,
    /// That call is over.
    KernelDone,
}

/// What a thread waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Cause {
    Nothing,
    /// A lock, condition variable, join, …: a futex. Value: its address.
    Lock,
    /// One of several futexes.
    Locks,
    /// The end of a sleep.
    Sleep,
    /// Several files, or the end of a time (poll, select). Value: the first file's descriptor, or all ones.
    Poll,
    /// A file to have something to read, or a connection to accept. Value: its descriptor.
    Read,
    /// A file to have room. Value: its descriptor.
    Write,
    /// A call that a helper thread makes. Value: its number.
    Helper,
    /// A child process.
    Child,
    /// A signal.
    Signal,
}

/// Kinds of files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FileKind {
    Unknown,
    Pipe,
    Tcp,
    Stream,
    Datagram,
    Event,
    Disk,
    Other,
}

/// A finished recording.
pub struct Recording<'a> {
    /// The program's name.
    pub program: &'a str,
    pub pid: u32,
    /// Oldest first. Two halves, because the recorder's buffer goes round.
    pub events: [&'a [Event]; 2],
    /// Older events that there was no room for.
    pub dropped: u64,
    /// How fast the clock of the events goes, in ticks per millisecond.
    pub ticks_per_ms: u64,
    /// When the recording began and ended, in ticks.
    pub began: u64,
    pub ended: u64,
    /// Functions whose calls were spawned.
    pub functions: &'a [&'a str],
    /// What is known of threads that were made before the first event: place, id, name.
    pub known: &'a [Known<'a>],
    /// What the end of the process was: "exit", "signal 11", …
    pub end: &'a str,
}

/// A thread that is alive when the recording ends.
pub struct Known<'a> {
    pub thread: u32,
    pub tid: u32,
    pub name: &'a [u8],
}
