//! Words for what is shown: what a thread waits for, system calls, kinds of files, times, counts, and the sentences that
//! all formats say about a recording. They are put together in a [`Short`], which needs no memory of its own.

use crate::event::{Cause, FileKind, Recording};
use crate::state::{State, What};
use crate::tracks::Tracks;
use core::fmt::{self, Write};

/// A short text, or bytes that may be none. What does not fit is cut off.
pub struct Short {
    buffer: [u8; 256],
    length: usize,
}

impl Short {
    pub fn new() -> Short {
        Short { buffer: [0; 256], length: 0 }
    }

    pub fn of(arguments: fmt::Arguments) -> Short {
        let mut short = Short::new();
        short.format(arguments);
        short
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        let room = self.buffer.get_mut(self.length..).unwrap_or_default();
        let length = room.len().min(bytes.len());
        room.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
        self.length += length;
    }

    pub fn format(&mut self, arguments: fmt::Arguments) {
        // Fails only where something that is formatted fails, and nothing here does.
        let _ = fmt::write(self, arguments);
    }

    pub fn get(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// The first characters, at most so many; the last of them is an ellipsis if some are missing. What is no UTF-8 is
    /// taken for as many characters as it has bytes.
    pub fn first(&self, characters: usize) -> (&[u8], bool) {
        let bytes = self.get();
        let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte & 0xc0 != 0x80).map(|(at, _)| at);
        let mut beyond = starts.skip(characters.saturating_sub(1));
        match (beyond.next(), beyond.next()) {
            (Some(cut), Some(_)) => (bytes.get(..cut).unwrap_or_default(), true),
            _ => (bytes, false),
        }
    }

    /// About how many characters wide it is.
    pub fn width(&self) -> usize {
        self.get().iter().filter(|byte| **byte & 0xc0 != 0x80).count()
    }
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// A time with three digits: "1.23 s", "45.6 ms", "789 µs", "12 ns".
pub struct Time(pub u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let nanoseconds = self.0;
        let (unit, name) = unit_of(nanoseconds);
        let (whole, thousandths) = (nanoseconds / unit, nanoseconds % unit * 1000 / unit);
        match (unit, whole) {
            (1, _) | (_, 100..) => write!(f, "{whole} {name}"),
            (_, 10..) => write!(f, "{whole}.{} {name}", thousandths / 100),
            _ => write!(f, "{whole}.{:02} {name}", thousandths / 10),
        }
    }
}

/// The unit that such a time is told in, in nanoseconds and by name.
pub fn unit_of(nanoseconds: u64) -> (u64, &'static str) {
    match nanoseconds {
        1_000_000_000.. => (1_000_000_000, "s"),
        1_000_000.. => (1_000_000, "ms"),
        1_000.. => (1_000, "µs"),
        _ => (1, "ns"),
    }
}

/// A count, with commas between thousands.
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut unit = 1_000u64;
        while self.0 / unit >= 1_000 {
            unit *= 1_000;
        }
        if self.0 < 1_000 {
            return write!(f, "{}", self.0);
        }
        write!(f, "{}", self.0 / unit)?;
        while unit > 1 {
            unit /= 1_000;
            write!(f, ",{:03}", self.0 / unit % 1_000)?;
        }
        Ok(())
    }
}

/// A part of a whole in per cent, with one decimal below ten. It has no character that XML or JSON would escape.
pub struct Share(pub u64, pub u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let thousandths = (u128::from(self.0) * 1000 + u128::from(self.1) / 2) / u128::from(self.1.max(1));
        match thousandths {
            0 => write!(f, "{}", if self.0 == 0 { "0 %" } else { "~0 %" }),
            1..100 => write!(f, "{}.{} %", thousandths / 10, thousandths % 10),
            _ => write!(f, "{} %", (thousandths + 5) / 10),
        }
    }
}

/// What a thread in this state does, in a few words.
pub fn doing(state: State, what: &What) -> Short {
    let What { cause, file, value } = *what;
    let mut short = Short::new();
    match (state, cause) {
        (State::Kernel, _) => match call(value) {
            Some(name) => short.format(format_args!("in {name}")),
            None => short.format(format_args!("in system call {value}")),
        },
        (_, Cause::Nothing | Cause::Sleep | Cause::Child | Cause::Signal) => short.bytes(state.name().as_bytes()),
        (_, Cause::Lock) => short.format(format_args!("lock {value:#x}")),
        (_, Cause::Locks) => short.bytes(b"one of several locks"),
        (_, Cause::Poll) if value == u64::MAX => short.bytes(b"polls"),
        (_, Cause::Poll) => short.format(format_args!("polls fd {value}")),
        (_, Cause::Read | Cause::Write) => {
            let verb = if cause == Cause::Read { "reads" } else { "writes" };
            short.format(format_args!("{verb} fd {value}"));
            if file != FileKind::Unknown {
                short.format(format_args!(" ({})", kind(file)));
            }
        }
        (_, Cause::Helper) => match call(value) {
            Some(name) => short.format(format_args!("{name} by a helper")),
            None => short.format(format_args!("system call {value} by a helper")),
        },
    }
    short
}

/// Names of kinds of files, each at the place that its number says.
pub const FILES: [&str; 8] = ["", "pipe", "TCP", "stream socket", "datagram socket", "event", "disk", "other"];

pub fn kind(file: FileKind) -> &'static str {
    FILES.get(file as usize).copied().unwrap_or_default()
}

/// Names of the system calls of x86-64 that take long or that helpers make.
pub const CALLS: [(u64, &str); 46] = [
    (0, "read"),
    (1, "write"),
    (2, "open"),
    (3, "close"),
    (4, "stat"),
    (9, "mmap"),
    (11, "munmap"),
    (17, "pread64"),
    (18, "pwrite64"),
    (19, "readv"),
    (20, "writev"),
    (26, "msync"),
    (40, "sendfile"),
    (42, "connect"),
    (56, "clone"),
    (57, "fork"),
    (58, "vfork"),
    (59, "execve"),
    (61, "wait4"),
    (65, "semop"),
    (69, "msgsnd"),
    (70, "msgrcv"),
    (72, "fcntl"),
    (73, "flock"),
    (74, "fsync"),
    (75, "fdatasync"),
    (76, "truncate"),
    (77, "ftruncate"),
    (78, "getdents"),
    (82, "rename"),
    (83, "mkdir"),
    (87, "unlink"),
    (149, "mlock"),
    (162, "sync"),
    (202, "futex"),
    (217, "getdents64"),
    (220, "semtimedop"),
    (257, "openat"),
    (262, "newfstatat"),
    (263, "unlinkat"),
    (277, "sync_file_range"),
    (285, "fallocate"),
    (295, "preadv"),
    (296, "pwritev"),
    (306, "syncfs"),
    (326, "copy_file_range"),
];

pub fn call(number: u64) -> Option<&'static str> {
    CALLS.iter().find(|(other, _)| *other == number).map(|(_, name)| *name)
}

/// How the program ended: "exited", "ended by signal 11".
pub fn end(recording: &Recording) -> Short {
    if recording.end == "exit" {
        Short::of(format_args!("exited"))
    } else {
        Short::of(format_args!("ended by {}", recording.end))
    }
}

/// "12 threads, 3.42 s, 1,234 switches".
pub fn summary(tracks: &Tracks) -> Short {
    let threads = tracks.list.len() as u64;
    Short::of(format_args!(
        "{} thread{}, {}, {} switch{}",
        Count(threads),
        if threads == 1 { "" } else { "s" },
        Time(tracks.duration),
        Count(tracks.switches),
        if tracks.switches == 1 { "" } else { "es" },
    ))
}

/// What is missing, if something is.
pub fn dropped(recording: &Recording, tracks: &Tracks) -> Option<Short> {
    (recording.dropped > 0).then(|| {
        Short::of(format_args!(
            "{} older events were dropped; this begins {} after the recording did",
            Count(recording.dropped),
            Time(tracks.late),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(what: impl fmt::Display) -> String {
        what.to_string()
    }

    #[test]
    fn times() {
        let times = [0, 999, 1_000, 45_678, 1_234_567_890, 12_345_000_000, u64::MAX].map(|time| shown(Time(time)));
        assert_eq!(times, ["0 ns", "999 ns", "1.00 µs", "45.6 µs", "1.23 s", "12.3 s", "18446744073 s"]);
    }

    #[test]
    fn counts_and_shares() {
        let counts = [0, 999, 1_000, 1_002_003, u64::MAX].map(|count| shown(Count(count)));
        assert_eq!(counts, ["0", "999", "1,000", "1,002,003", "18,446,744,073,709,551,615"]);
        let shares = [(0, 0), (0, 9), (1, 9999), (1, 90), (1, 2), (u64::MAX, u64::MAX)];
        let shares = shares.map(|(part, whole)| shown(Share(part, whole)));
        assert_eq!(shares, ["0 %", "0 %", "~0 %", "1.1 %", "50 %", "100 %"]);
    }

    #[test]
    fn what_a_thread_does() {
        let text = |state, cause, file, value| {
            String::from_utf8(doing(state, &What { cause, file, value }).get().to_vec()).unwrap()
        };
        assert_eq!(text(State::Lock, Cause::Lock, FileKind::Unknown, 0x7f00), "lock 0x7f00");
        assert_eq!(text(State::File, Cause::Read, FileKind::Pipe, 3), "reads fd 3 (pipe)");
        assert_eq!(text(State::File, Cause::Write, FileKind::Unknown, 3), "writes fd 3");
        assert_eq!(text(State::File, Cause::Poll, FileKind::Unknown, u64::MAX), "polls");
        assert_eq!(text(State::Helper, Cause::Helper, FileKind::Unknown, 74), "fsync by a helper");
        assert_eq!(text(State::Kernel, Cause::Nothing, FileKind::Unknown, 999), "in system call 999");
        assert_eq!(text(State::Ready, Cause::Nothing, FileKind::Unknown, 0), "ready");
    }

    #[test]
    fn texts_that_are_too_long_are_cut() {
        let mut short = Short::new();
        (0..100).for_each(|_| short.bytes(b"12345"));
        assert_eq!(short.get().len(), 256);
        assert_eq!(Short::of(format_args!("äöü")).first(3), ("äöü".as_bytes(), false));
        assert_eq!(Short::of(format_args!("äöüß")).first(3), ("äö".as_bytes(), true));
    }

    #[test]
    fn calls_are_in_order() {
        assert!(CALLS.is_sorted());
    }
}
