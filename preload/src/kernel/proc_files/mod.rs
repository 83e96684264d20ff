//! `/proc/self/task` and what is in it, for the program itself: the kernel lists its own threads there, and knows nothing
//! of tasks. Paths that lead to a task are recognised when they are opened or looked at: its directory is that of the
//! worker's thread, its `comm`, `stat`, `status` and `children` are memory files with the task's own values, and the list
//! of threads is that of the tasks. Other processes see the kernel's thread only.

mod content;

use super::{Outcome, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::identity::NAME;
use crate::raw;
use crate::sched::task::{FIRST_TID, TaskId};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use core::fmt::Write;
use linux_raw_sys::general::{AT_FDCWD, MFD_CLOEXEC, O_ACCMODE, O_CLOEXEC, O_RDONLY};
use syscalls::{Errno, Sysno};

/// Longest path that is looked at, with its end: `/proc/PID/task/TID/timerslack_ns` and the like.
const PATH: usize = 96;

/// What an open descriptor stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// The list of threads.
    List,
    /// The directory of a task.
    Directory(TaskId),
    /// The name of a task, which was opened for writing, and the bytes of the line that it began with.
    Name(TaskId, usize),
}

/// Descriptors of such files.
pub struct ProcFiles {
    open: Vec<(i32, What)>,
}

impl ProcFiles {
    pub const fn new() -> ProcFiles {
        ProcFiles { open: Vec::new() }
    }

    fn of(&self, fd: i32) -> Option<What> {
        self.open.iter().find(|&&(open, _)| open == fd).map(|&(_, what)| what)
    }

    fn add(&mut self, fd: i32, what: What) {
        if self.open.try_reserve(1).is_ok() {
            self.open.push((fd, what));
        }
    }
}

/// Where a path leads.
enum Place<'a> {
    List,
    /// In the directory of a task: the rest of the path, or nothing for the directory itself.
    Task(TaskId, &'a [u8]),
    /// The same of the first thread, which has ended before the others: as natively it is there until the process ends.
    EndedMain(&'a [u8]),
    /// `/proc/self/stat` and `status`, which tell how many threads there are, and what the first one does.
    Process(&'a [u8]),
}

/// Whether the process goes on without its first thread.
fn has_main_ended(worker: &Worker) -> bool {
    worker.tasks.by_tid(worker.pid).is_none()
}

/// Whether the process has its first thread only: then the kernel says it all.
fn is_main_alone(worker: &Worker) -> bool {
    worker.is_single() && !has_main_ended(worker)
}

/// How many threads there are, the first one among them though it may have ended.
fn threads(worker: &Worker) -> u32 {
    worker.tasks.live + u32::from(has_main_ended(worker))
}

fn number(digits: &[u8]) -> Option<i32> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// `path` without its first component, which is returned as well; slashes between them are dropped.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
    let rest = &path[end..];
    let begin = rest.iter().position(|&byte| byte != b'/').unwrap_or(rest.len());
    (&path[..end], &rest[begin..])
}

/// What `path`, relative to `directory`, stands for, if it is for grivet to answer.
fn find<'a>(worker: &Worker, directory: i32, path: &'a [u8]) -> Option<Place<'a>> {
    let Some(path) = path.strip_prefix(b"/proc/") else {
        return match worker.proc_files.of(directory)? {
            _ if path.first() == Some(&b'/') => None,
            What::List => in_list(worker, path),
            What::Directory(id) => Some(Place::Task(id, path)),
            What::Name(..) => None,
        };
    };
    let (process, rest) = split(path);
    let current = worker.current;
    if process == b"thread-self" {
        return (worker.tasks[current].tid >= FIRST_TID).then_some(Place::Task(current, rest));
    }
    let tid = number(process);
    if let Some(tid) = tid.filter(|&tid| tid >= FIRST_TID as i32) {
        // As natively, a thread's number leads to its process, though no list has it.
        return worker.tasks.by_tid(tid).map(|id| Place::Task(id, rest));
    }
    if process != b"self" && tid != Some(worker.pid) {
        return None;
    }
    match split(rest) {
        (b"task", rest) => in_list(worker, rest),
        (b"stat" | b"status", b"") if !is_main_alone(worker) => Some(Place::Process(rest)),
        _ => None,
    }
}

/// The same for a path relative to the list of threads.
fn in_list<'a>(worker: &Worker, path: &'a [u8]) -> Option<Place<'a>> {
    let (first, rest) = split(path);
    if first.is_empty() || first == b"." {
        return (!is_main_alone(worker)).then_some(Place::List);
    }
    let tid = number(first)?;
    if tid == worker.pid && has_main_ended(worker) {
        return Some(Place::EndedMain(rest));
    }
    let id = worker.tasks.by_tid(tid)?;
    // What the kernel says of the first thread is right, but for what it does, and how many there are.
    let is_own = tid >= FIRST_TID as i32 || (!worker.is_single() && !matches!(rest, b"comm" | b"children"));
    is_own.then_some(Place::Task(id, rest))
}

/// The path of the worker's thread's own file of this name, as a C string. None if there can be no such file.
fn real_path(worker: &Worker, rest: &[u8]) -> Option<[u8; PATH]> {
    struct Text([u8; PATH], usize);
    impl Write for Text {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            let end = self.1 + text.len();
            self.0.get_mut(self.1..end).ok_or(core::fmt::Error)?.copy_from_slice(text.as_bytes());
            self.1 = end;
            Ok(())
        }
    }
    let mut text = Text([0; PATH], 0);
    write!(text, "/proc/self/task/{}/{}\0", worker.pid, core::str::from_utf8(rest).ok()?).ok()?;
    Some(text.0)
}

/// Reads the program's path, if it may be one of ours.
fn read_path<'a>(worker: &Worker, directory: i32, path: usize, buffer: &'a mut [u8; PATH]) -> Option<&'a [u8]> {
    if worker.proc_files.open.is_empty() || directory == AT_FDCWD {
        // Six bytes tell most paths apart from ours.
        // SAFETY: plain bytes.
        let start = unsafe { user::read::<[u8; 6]>(path) }.ok()?;
        if start != *b"/proc/" {
            return None;
        }
    }
    user::read_string(path, buffer).ok()
}

/// open(2), openat(2).
pub fn open(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let [first, second, third, fourth, ..] = call.arguments();
    let (directory, path, flags, mode) =
        if number == Sysno::open { (AT_FDCWD, first, second, third) } else { (first as i32, second, third, fourth) };
    let mut buffer = [0; PATH];
    let Some(path) = read_path(worker, directory, path, &mut buffer) else { return Outcome::Pass };
    let Some(place) = find(worker, directory, path) else { return Outcome::Pass };
    let text = match place {
        Place::List => {
            // SAFETY: the program's own call.
            let fd = unsafe { raw::call(number as u32, call.arguments()) };
            return opened(worker, fd, What::List);
        }
        Place::Task(id, rest) => match rest {
            b"" | b"." => {
                let fd = open_real(worker, rest, flags, mode);
                return opened(worker, fd, What::Directory(id));
            }
            b"comm" => content::name(worker, id),
            b"stat" => content::stat(worker, Some(id), false),
            b"status" => content::status(worker, Some(id), false),
            b"children" => Some(Vec::new()),
            _ => return Outcome::Done(open_real(worker, rest, flags, mode)),
        },
        Place::EndedMain(b"stat") => content::stat(worker, None, false),
        Place::EndedMain(b"status") => content::status(worker, None, false),
        Place::EndedMain(_) => return Outcome::Pass,
        Place::Process(b"stat") => content::stat(worker, worker.tasks.by_tid(worker.pid), true),
        Place::Process(_) => content::status(worker, worker.tasks.by_tid(worker.pid), true),
    };
    let Some(text) = text else { return Outcome::Pass };
    let is_written = flags as u32 & O_ACCMODE != O_RDONLY;
    match place {
        Place::Task(id, b"comm") if is_written => opened(worker, memory_file(&text, flags), What::Name(id, text.len())),
        _ if is_written => Outcome::Done(error(Errno::EACCES)),
        _ => Outcome::Done(memory_file(&text, flags)),
    }
}

fn opened(worker: &mut Worker, fd: isize, what: What) -> Outcome {
    if fd >= 0 {
        worker.proc_files.add(fd as i32, what);
    }
    Outcome::Done(fd)
}

fn open_real(worker: &Worker, rest: &[u8], flags: usize, mode: usize) -> isize {
    let Some(path) = real_path(worker, rest) else { return error(Errno::ENOENT) };
    // SAFETY: a C string, which lives across the call.
    unsafe { raw::call(Sysno::openat as u32, [AT_FDCWD as usize, path.as_ptr() as usize, flags, mode, 0, 0]) }
}

/// A file of this content; its descriptor, or a negated errno.
fn memory_file(text: &[u8], flags: usize) -> isize {
    let close_on_exec = if flags as u32 & O_CLOEXEC != 0 { MFD_CLOEXEC } else { 0 };
    // SAFETY: the name is a C string.
    let fd = unsafe {
        raw::call(Sysno::memfd_create as u32, [c"proc".as_ptr() as usize, close_on_exec as usize, 0, 0, 0, 0])
    };
    if fd >= 0 {
        let _ = raw::write(fd as i32, text);
        // SAFETY: takes plain numbers.
        unsafe { raw::call(Sysno::lseek as u32, [fd as usize, 0, 0, 0, 0, 0]) };
    }
    fd
}

/// `fd` is about to be closed: what was written to a stand-in becomes the task's name.
#[inline]
pub fn close(worker: &mut Worker, fd: i32) {
    if let Some(place) = worker.proc_files.open.iter().position(|&(open, _)| open == fd)
        && let (_, What::Name(task, length)) = worker.proc_files.open.swap_remove(place)
    {
        take_over(worker, fd, task, length);
    }
}

/// stat(2), access(2), readlink(2) and their kin, whose path is argument `place`, after a directory if there is one:
/// asked about the worker's thread if the path leads to a task.
pub fn look_at(worker: &mut Worker, call: &mut Frame, number: Sysno, has_directory: bool) -> Outcome {
    let mut arguments = call.arguments();
    let place = usize::from(has_directory);
    let directory = if has_directory { arguments[0] as i32 } else { AT_FDCWD };
    let mut buffer = [0; PATH];
    let Some(path) = read_path(worker, directory, arguments[place], &mut buffer) else { return Outcome::Pass };
    let is_link = matches!(number, Sysno::readlink | Sysno::readlinkat) && path == b"/proc/thread-self";
    match find(worker, directory, path) {
        Some(Place::Task(id, _)) if is_link => {
            let text = content::link(worker, id);
            let length = text.len().min(arguments[place + 2]);
            // SAFETY: copies to the program's own buffer, no more than it has room for.
            let copied = unsafe { user::copy(arguments[place + 1], text.as_ptr() as usize, length) };
            Outcome::Done(copied.map_or_else(error, |()| length as isize))
        }
        Some(Place::Task(_, rest)) => {
            let Some(path) = real_path(worker, rest) else { return Outcome::Done(error(Errno::ENOENT)) };
            if has_directory {
                arguments[0] = AT_FDCWD as usize;
            }
            arguments[place] = path.as_ptr() as usize;
            // SAFETY: the program's own call, with another path that lives across it.
            Outcome::Done(unsafe { raw::call(number as u32, arguments) })
        }
        Some(Place::List) if matches!(number, Sysno::stat | Sysno::lstat | Sysno::newfstatat) => {
            // SAFETY: the program's own call.
            let answer = unsafe { raw::call(number as u32, arguments) };
            // The links of the list tell how many threads there are: struct stat, third word.
            const LINKS: usize = 16;
            let links = u64::from(threads(worker)) + 2;
            if answer == 0 && user::write(arguments[place + 1] + LINKS, &links).is_err() {
                return Outcome::Done(error(Errno::EFAULT));
            }
            Outcome::Done(answer)
        }
        _ => Outcome::Pass,
    }
}

/// getdents64(2) of the list of threads. The position in the kernel's own list says how far it was read, so that lseek(2)
/// works as ever.
pub fn list(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [fd, address, size, ..] = call.arguments();
    if worker.proc_files.open.is_empty() || worker.proc_files.of(fd as i32) != Some(What::List) {
        return Outcome::Pass;
    }
    const SEEK_SET: usize = 0;
    const SEEK_CUR: usize = 1;
    /// The directory itself and its parent.
    const DOTS: usize = 2;
    /// Where the tasks begin: before them stands a first thread that has ended.
    const TASKS: usize = DOTS + 1;
    // SAFETY: takes plain numbers.
    let seek = |offset: usize, from: usize| unsafe { raw::call(Sysno::lseek as u32, [fd, offset, from, 0, 0, 0]) };
    let position = seek(0, SEEK_CUR);
    if position < 0 {
        return Outcome::Done(position);
    }
    // A thread's place is that of its record, which stays though others end.
    let tasks = worker.tasks.iter().map(|id| (id as usize + TASKS, worker.tasks[id].tid));
    let places = has_main_ended(worker).then_some((DOTS, worker.pid as u32)).into_iter().chain(tasks);
    let (mut used, mut next, mut is_over) = (0, position as usize, true);
    for (place, tid) in [(0, 0), (1, 0)].into_iter().chain(places).filter(|&(place, _)| place >= position as usize) {
        let (entry, length) = content::entry(place, tid);
        if used + length > size {
            is_over = false;
            break;
        }
        // SAFETY: copies to the program's own buffer.
        if let Err(errno) = unsafe { user::copy(address + used, entry.as_ptr() as usize, length) } {
            return Outcome::Done(error(errno));
        }
        used += length;
        next = place + 1;
    }
    if used == 0 && !is_over {
        return Outcome::Done(error(Errno::EINVAL));
    }
    seek(next, SEEK_SET);
    Outcome::Done(used as isize)
}

/// Gives the task the name that was written, if any was. A written name ends where the file's position is, for it is
/// written at once, and may be followed by the rest of a longer one; a position at the old end means that it was read.
fn take_over(worker: &mut Worker, fd: i32, task: TaskId, old_length: usize) {
    const SEEK_CUR: usize = 1;
    let mut text = [0u8; NAME + 1];
    // SAFETY: takes plain numbers; the buffer has room for what is read.
    let (position, length) = unsafe {
        let position = raw::call(Sysno::lseek as u32, [fd as usize, 0, SEEK_CUR, 0, 0, 0]);
        (position, raw::call(Sysno::pread64 as u32, [fd as usize, text.as_mut_ptr() as usize, text.len(), 0, 0, 0]))
    };
    let end = position.clamp(0, length.max(0)) as usize;
    let own = worker.name_of(task);
    let was_read = position as usize == old_length && text[..own.len()] == *own && text[own.len()] == b'\n';
    if end == 0 || was_read {
        return;
    }
    let mut name = [0u8; NAME];
    let written = text[..end].split(|&byte| byte == b'\n').next().unwrap_or_default();
    let kept = written.len().min(NAME - 1);
    name[..kept].copy_from_slice(&written[..kept]);
    worker.tasks[task].extra().name = name;
}
