//! One descriptor: what kind of file it is, and what is known of it.

use super::watches::{NO_WATCH, WatchId};
use crate::sched::task::{NONE, TaskId};

/// What a task waits for: that a file can be read (or accepted from), or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Direction {
    Read = 1,
    Write = 2,
}

impl Direction {
    /// Its bit in sets of directions.
    #[inline(always)]
    pub fn bit(self) -> u8 {
        self as u8
    }
}

/// How a file can be used without waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Not looked at yet, or not open.
    Unknown,
    /// Never keeps anyone waiting, or can't be asked: the kernel makes the program's own call.
    Direct,
    /// A device that is always ready: /dev/zero, /dev/urandom.
    Memory,
    /// A file on a disk: its cache can be asked (RWF_NOWAIT), its disk can't.
    Disk,
    /// The same, but what is written goes to the disk at once (O_DIRECT, O_SYNC).
    SynchronousDisk,
    /// A TCP socket: what arrives after a short read makes a new edge.
    Tcp,
    /// Any other stream socket.
    Stream,
    /// A socket with message boundaries.
    Datagram,
    Pipe,
    /// An eventfd, timerfd and the like, which can be read with RWF_NOWAIT.
    Event,
    /// Anything else that poll(2) knows: terminals, inotify, signalfd.
    Other,
    /// One of grivet's own, which the program must not see.
    Private,
}

impl Kind {
    /// Whether it is a socket.
    pub fn is_socket(self) -> bool {
        matches!(self, Kind::Tcp | Kind::Stream | Kind::Datagram)
    }

    /// Whether it carries bytes without boundaries, so that a write goes on until all is written.
    pub fn is_stream(self) -> bool {
        matches!(self, Kind::Tcp | Kind::Stream | Kind::Pipe)
    }
}

/// No other end is known.
pub const NO_PEER: i32 = -1;

/// One descriptor number.
#[derive(Clone, Copy)]
pub struct Descriptor {
    pub kind: Kind,
    /// Directions that the poller reports.
    pub watched: u8,
    /// Directions that will make an edge before they are ready again.
    pub drained: u8,
    /// Directions that are thought to be drained: the poller is asked when it is next used.
    pub assumed: u8,
    /// Its end was reported (hang-up, error, urgent data): it is never taken to be drained.
    pub ended: bool,
    /// It stands in the list of those that the poller must be told of.
    pub is_due: bool,
    /// The poller refuses it.
    pub is_unwatchable: bool,
    /// O_NONBLOCK as last seen.
    pub is_nonblocking: bool,
    /// Another process may have the same file, and change its flags.
    pub may_be_shared: bool,
    /// It is an end of a pair that was made under grivet's eyes, so that no other process had it from the start.
    pub was_made_here: bool,
    /// It is known to accept connections.
    pub listens: bool,
    /// It can be written, though not with RWF_NOWAIT.
    pub takes_writes: bool,
    /// A receive or send timeout is set, as last seen.
    pub has_timeouts: bool,
    /// Marks events of an earlier file of this number.
    pub generation: u16,
    /// When `is_nonblocking` was looked at; see `Descriptors::flags_epoch`.
    pub flags_epoch: u32,
    /// When `has_timeouts` was.
    pub timeouts_epoch: u32,
    /// First waiter of each direction.
    pub readers: TaskId,
    pub writers: TaskId,
    pub watches: WatchId,
    /// The other end of a pipe or socket pair, if it is this process's own.
    pub peer: i32,
    /// Bytes that were put into the other end and not taken out here, as far as was seen.
    pub level: u32,
    /// `level` is what the kernel holds, to the byte: all that was written and read since it was empty was seen.
    pub is_exact: bool,
    /// A reader was given bytes by hand and has not read again since.
    pub was_served: bool,
    /// The same when a writer last found no room.
    pub full: u32,
    /// Bytes that a receive waits for (SO_RCVLOWAT), if the program has set it.
    pub low_water: u32,
}

impl Descriptor {
    pub const fn blank(generation: u16) -> Descriptor {
        Descriptor {
            kind: Kind::Unknown,
            watched: 0,
            drained: 0,
            assumed: 0,
            ended: false,
            is_due: false,
            is_unwatchable: false,
            is_nonblocking: false,
            may_be_shared: false,
            was_made_here: false,
            listens: false,
            takes_writes: false,
            has_timeouts: false,
            generation,
            flags_epoch: 0,
            timeouts_epoch: 0,
            readers: NONE,
            writers: NONE,
            watches: NO_WATCH,
            peer: NO_PEER,
            level: 0,
            is_exact: false,
            was_served: false,
            full: 0,
            low_water: 0,
        }
    }

    /// The first waiter of `direction`.
    #[inline(always)]
    pub fn first(&self, direction: Direction) -> TaskId {
        match direction {
            Direction::Read => self.readers,
            Direction::Write => self.writers,
        }
    }

    pub fn set_first(&mut self, direction: Direction, id: TaskId) {
        match direction {
            Direction::Read => self.readers = id,
            Direction::Write => self.writers = id,
        }
    }

    /// Whether a task waits for it in any way.
    pub fn has_waiters(&self) -> bool {
        self.readers != NONE || self.writers != NONE || self.watches != NO_WATCH
    }
}
