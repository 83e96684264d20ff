//! What a thread is to others: its name, its CPUs, its scheduling class. Names of other threads go through
//! `/proc/self/task/TID/comm`, which exists for kernel threads only; for tasks a memory file stands in, read or
//! taken over when it is closed.

use super::{Outcome, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::raw;
use crate::sched::task::{FIRST_TID, TaskId};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::{MFD_CLOEXEC, O_ACCMODE, O_CLOEXEC, O_RDONLY};
use linux_raw_sys::prctl::{PR_GET_NAME, PR_GET_TID_ADDRESS, PR_SET_NAME, PR_SET_SECCOMP};
use syscalls::Sysno;

/// Bytes of a thread's name with its end (TASK_COMM_LEN).
const NAME: usize = 16;

/// Open stand-ins for `/proc/self/task/TID/comm`.
pub struct OpenNames {
    open: Vec<OpenName>,
}

struct OpenName {
    fd: i32,
    task: TaskId,
    /// It was opened for writing.
    is_written: bool,
    /// Bytes of the line that it began with.
    length: usize,
}

impl OpenNames {
    pub const fn new() -> OpenNames {
        OpenNames { open: Vec::new() }
    }
}

/// prctl(2): the name of a thread and its child_tid address. The rest is the kernel's.
pub fn prctl(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [option, address, ..] = call.arguments();
    let current = worker.current;
    let is_main = worker.tasks[current].tid < FIRST_TID;
    match option as u32 {
        PR_SET_SECCOMP => {
            super::io::together::refuse(worker);
            Outcome::Pass
        }
        PR_SET_NAME => {
            let mut name = [0u8; NAME];
            for (index, place) in name.iter_mut().take(NAME - 1).enumerate() {
                // SAFETY: any byte is a valid u8.
                match unsafe { user::read::<u8>(address.wrapping_add(index)) } {
                    Ok(0) => break,
                    Ok(byte) => *place = byte,
                    Err(errno) => return Outcome::Done(error(errno)),
                }
            }
            worker.tasks[current].extra().name = name;
            if is_main { Outcome::Pass } else { Outcome::Done(0) }
        }
        PR_GET_NAME if !is_main => {
            let mut name = [0u8; NAME];
            let own = worker.name_of(current);
            name[..own.len()].copy_from_slice(own);
            match user::write(address, &name) {
                Ok(()) => Outcome::Done(0),
                Err(errno) => Outcome::Done(error(errno)),
            }
        }
        PR_GET_TID_ADDRESS if !is_main => match user::write(address, &worker.tasks[current].clear_tid) {
            Ok(()) => Outcome::Done(0),
            Err(errno) => Outcome::Done(error(errno)),
        },
        _ => Outcome::Pass,
    }
}

/// The task that a `/proc` path of a name file stands for: `/proc/self/task/TID/comm` or `/proc/PID/task/TID/comm`.
fn named_task(worker: &Worker, path: &[u8]) -> Option<TaskId> {
    let rest = path.strip_prefix(b"/proc/")?.strip_suffix(b"/comm")?;
    let slash = rest.iter().position(|&byte| byte == b'/')?;
    let (process, rest) = rest.split_at(slash);
    let number = |digits: &[u8]| core::str::from_utf8(digits).ok()?.parse::<i32>().ok();
    if process != b"self" && number(process) != Some(worker.pid) {
        return None;
    }
    let tid = number(rest.strip_prefix(b"/task/")?)?;
    if tid < FIRST_TID as i32 { None } else { worker.tasks.by_tid(tid) }
}

/// open(2), openat(2): a task's name file is made from memory.
pub fn open(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let [first, second, third, ..] = call.arguments();
    let (path, flags) = if number == Sysno::open { (first, second) } else { (second, third) };
    // Eight bytes tell most paths apart from ours.
    // SAFETY: plain bytes.
    let Ok(start) = (unsafe { user::read::<[u8; 6]>(path) }) else { return Outcome::Pass };
    if start != *b"/proc/" {
        return Outcome::Pass;
    }
    let mut buffer = [0u8; 64];
    let Ok(path) = user::read_string(path, &mut buffer) else { return Outcome::Pass };
    let Some(task) = named_task(worker, path) else { return Outcome::Pass };
    let close_on_exec = if flags as u32 & O_CLOEXEC != 0 { MFD_CLOEXEC } else { 0 };
    // SAFETY: the name is a C string.
    let fd = unsafe {
        raw::call(Sysno::memfd_create as u32, [c"comm".as_ptr() as usize, close_on_exec as usize, 0, 0, 0, 0])
    };
    if fd < 0 {
        return Outcome::Done(fd);
    }
    let name = worker.name_of(task);
    let mut line = [b'\n'; NAME + 1];
    line[..name.len()].copy_from_slice(name);
    let length = name.len() + 1;
    let _ = raw::write(fd as i32, &line[..length]);
    // SAFETY: takes plain numbers.
    unsafe { raw::call(Sysno::lseek as u32, [fd as usize, 0, 0, 0, 0, 0]) };
    let is_written = flags as u32 & O_ACCMODE != O_RDONLY;
    worker.open_names.open.push(OpenName { fd: fd as i32, task, is_written, length });
    Outcome::Done(fd)
}

/// `fd` is about to be closed: what was written to a stand-in becomes the task's name.
#[inline]
pub fn close(worker: &mut Worker, fd: i32) {
    if let Some(place) = worker.open_names.open.iter().position(|name| name.fd == fd) {
        let name = worker.open_names.open.swap_remove(place);
        if name.is_written {
            take_over(worker, &name);
        }
    }
}

/// Gives the task the name that was written, if any was. A written name ends where the file's position is, for it is
/// written at once, and may be followed by the rest of a longer one; a position at the old end means that it was read.
fn take_over(worker: &mut Worker, open: &OpenName) {
    const SEEK_CUR: usize = 1;
    let mut text = [0u8; NAME + 1];
    // SAFETY: takes plain numbers; the buffer has room for what is read.
    let (position, length) = unsafe {
        let position = raw::call(Sysno::lseek as u32, [open.fd as usize, 0, SEEK_CUR, 0, 0, 0]);
        (
            position,
            raw::call(Sysno::pread64 as u32, [open.fd as usize, text.as_mut_ptr() as usize, text.len(), 0, 0, 0]),
        )
    };
    let end = position.clamp(0, length.max(0)) as usize;
    let own = worker.name_of(open.task);
    let was_read = position as usize == open.length && text[..own.len()] == *own && text[own.len()] == b'\n';
    if end == 0 || was_read {
        return;
    }
    let mut name = [0u8; NAME];
    let written = text[..end].split(|&byte| byte == b'\n').next().unwrap_or_default();
    let kept = written.len().min(NAME - 1);
    name[..kept].copy_from_slice(&written[..kept]);
    worker.tasks[open.task].extra().name = name;
}
