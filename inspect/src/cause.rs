//! What a thread waits for, in a word or a phrase. Memory tells of futexes only what `locks` can tell; the functions that the
//! thread is in tell the rest: whoever waits in pthread_cond_wait waits for a condition variable.

use alloc::string::String;
use core::fmt::{self, Write};

use syscalls::Sysno;

use crate::locks::LockKind;
use crate::threads::{Direction, State, Thread, WaitsFor};

/// The kinds of causes, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Nothing,
    Mutex,
    RwLock,
    Join,
    Condition,
    Semaphore,
    Barrier,
    Once,
    Unpark,
    Futex,
    SeveralFutexes,
    Sleep,
    Poll,
    Read,
    Write,
    ReadOrWrite,
    Helper,
    Child,
    Signal,
    Other,
}

impl Kind {
    /// As JSON has it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Nothing => "nothing",
            Kind::Mutex => "mutex",
            Kind::RwLock => "read-write lock",
            Kind::Join => "end of a thread",
            Kind::Condition => "condition variable",
            Kind::Semaphore => "semaphore",
            Kind::Barrier => "barrier",
            Kind::Once => "one-time initialisation",
            Kind::Unpark => "unpark",
            Kind::Futex => "futex",
            Kind::SeveralFutexes => "several futexes",
            Kind::Sleep => "sleep",
            Kind::Poll => "poll",
            Kind::Read => "read",
            Kind::Write => "write",
            Kind::ReadOrWrite => "read or write",
            Kind::Helper => "helper",
            Kind::Child => "child process",
            Kind::Signal => "signal",
            Kind::Other => "other",
        }
    }
}

/// How functions that wait are called, in C, C++ and Rust, without leading underscores and angle brackets.
const WAITERS: [(&str, Kind); 16] = [
    ("pthread_cond_", Kind::Condition),
    ("pthread_mutex_", Kind::Mutex),
    ("lll_lock_wait", Kind::Mutex),
    ("pthread_rwlock_", Kind::RwLock),
    ("pthread_barrier_", Kind::Barrier),
    ("pthread_once", Kind::Once),
    ("pthread_join", Kind::Join),
    ("pthread_clockjoin", Kind::Join),
    ("pthread_timedjoin", Kind::Join),
    ("sem_", Kind::Semaphore),
    ("new_sem_", Kind::Semaphore),
    ("std::sys::sync::mutex::", Kind::Mutex),
    ("std::sys::sync::condvar::", Kind::Condition),
    ("std::sys::sync::rwlock::", Kind::RwLock),
    ("std::sys::sync::once::", Kind::Once),
    ("std::sys::sync::thread_parking::", Kind::Unpark),
];

/// What `thread` waits for. `functions`: the names of those it is in, the innermost first; a dozen are enough.
pub fn kind<'n>(thread: &Thread, functions: impl Iterator<Item = &'n str>) -> Kind {
    match &thread.waits_for {
        WaitsFor::Nothing => Kind::Nothing,
        WaitsFor::Lock { kind: LockKind::Mutex, .. } => Kind::Mutex,
        WaitsFor::Lock { kind: LockKind::RwLock, .. } => Kind::RwLock,
        WaitsFor::Lock { kind: LockKind::Join, .. } => Kind::Join,
        WaitsFor::Lock { kind: LockKind::Futex, .. } => by_name(functions).unwrap_or(Kind::Futex),
        WaitsFor::SeveralLocks => Kind::SeveralFutexes,
        WaitsFor::Sleep => Kind::Sleep,
        WaitsFor::Poll => Kind::Poll,
        WaitsFor::File { direction: Direction::Read, .. } => Kind::Read,
        WaitsFor::File { direction: Direction::Write, .. } => Kind::Write,
        WaitsFor::File { direction: Direction::Either, .. } => Kind::ReadOrWrite,
        WaitsFor::Pool => Kind::Helper,
        WaitsFor::Child => Kind::Child,
        WaitsFor::Signal => Kind::Signal,
        WaitsFor::Other(_) => Kind::Other,
    }
}

fn by_name<'n>(functions: impl Iterator<Item = &'n str>) -> Option<Kind> {
    functions.take(12).find_map(|name| {
        let name = name.trim_start_matches(['_', '<']);
        WAITERS.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|&(_, kind)| kind)
    })
}

/// The name of a system call.
pub fn call_name(number: u32) -> Option<&'static str> {
    Sysno::new(number as usize).map(|call| call.name())
}

/// What the link of a descriptor says, short: `socket` for `socket:[1234]`, `eventfd` for `anon_inode:[eventfd]`.
pub fn descriptor_kind(link: &[u8]) -> String {
    let link = String::from_utf8_lossy(link);
    if let Some(kind) = link.strip_prefix("anon_inode:") {
        return kind.trim_matches(['[', ']']).into();
    }
    match link.split_once(":[") {
        Some((kind, _)) => kind.into(),
        None => link.into_owned(),
    }
}

/// Writes what `thread` does, as `waiting for mutex 0x1234, held by thread 7 "main"`. `name_of` tells a thread's name. With `is_one` false it
/// stands for several whose details differ.
pub fn write(
    out: &mut dyn Write,
    thread: &Thread,
    kind: Kind,
    is_one: bool,
    name_of: &dyn Fn(u32) -> Option<String>,
) -> fmt::Result {
    if thread.state != State::Waiting {
        return out.write_str(thread.state.word());
    }
    match (&thread.waits_for, kind) {
        (WaitsFor::Lock { owner, .. }, Kind::Join) => match owner {
            Some(owner) if is_one => write_thread(out, "waiting for the end of thread", *owner, name_of),
            _ => out.write_str("waiting for the end of a thread"),
        },
        (WaitsFor::Lock { .. }, Kind::Unpark) => out.write_str("parked until another thread unparks it"),
        (WaitsFor::Lock { address, owner, .. }, _) => {
            write!(out, "waiting for a {}", kind.word())?;
            if is_one {
                write!(out, " at {address:#x}")?;
            }
            match owner {
                Some(owner) if is_one => write_thread(out, ", held by thread", *owner, name_of),
                _ => Ok(()),
            }
        }
        (WaitsFor::SeveralLocks, _) => out.write_str("waiting for any of several futexes"),
        (WaitsFor::Sleep, _) => out.write_str("asleep"),
        (WaitsFor::Poll, _) => match thread.call.and_then(call_name) {
            Some(call) => write!(out, "waiting in {call}"),
            None => out.write_str("waiting in poll"),
        },
        (WaitsFor::File { descriptor, is, .. }, _) => {
            let what = match kind {
                Kind::Read => "read from",
                Kind::Write => "write to",
                _ => "use",
            };
            let is = is.as_deref().map(descriptor_kind);
            match is_one {
                true => write!(out, "waiting to {what} fd {descriptor}")?,
                false => write!(out, "waiting to {what} files")?,
            }
            match is {
                Some(is) if is_one => write!(out, " ({is})"),
                _ => Ok(()),
            }
        }
        (WaitsFor::Pool, _) => match thread.call.and_then(call_name) {
            Some(call) => write!(out, "waiting for {call}, which a helper thread makes"),
            None => out.write_str("waiting for a system call that a helper thread makes"),
        },
        (WaitsFor::Child, _) => out.write_str("waiting for a child process"),
        (WaitsFor::Signal, _) => out.write_str("waiting for a signal"),
        (WaitsFor::Nothing | WaitsFor::Other(_), _) => out.write_str("waiting"),
    }
}

fn write_thread(out: &mut dyn Write, before: &str, tid: u32, name_of: &dyn Fn(u32) -> Option<String>) -> fmt::Result {
    write!(out, "{before} {tid}")?;
    name_of(tid).map_or(Ok(()), |name| write!(out, " \"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_tell_what_a_futex_is() {
        let kind = |names: &[&'static str]| by_name(names.iter().copied());
        assert_eq!(kind(&["__futex_abstimed_wait_common", "pthread_cond_timedwait", "work"]), Some(Kind::Condition));
        assert_eq!(kind(&["__new_sem_wait_slow64.constprop.0"]), Some(Kind::Semaphore));
        assert_eq!(kind(&["<std::sys::sync::mutex::futex::Mutex>::lock_contended"]), Some(Kind::Mutex));
        assert_eq!(kind(&["futex_wait", "my_own_lock"]), None);
    }

    #[test]
    fn links_of_descriptors_are_shortened() {
        let all = [&b"socket:[123]"[..], b"anon_inode:[eventfd]", b"anon_inode:inotify", b"/dev/tty"];
        assert_eq!(all.map(descriptor_kind), ["socket", "eventfd", "inotify", "/dev/tty"]);
    }
}
