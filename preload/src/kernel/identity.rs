//! What a thread is to others: its name, its CPUs, its scheduling class. Names of other threads go through
//! `/proc/self/task/TID/comm`, which exists for kernel threads only; for tasks a memory file stands in, read or
//! taken over when it is closed.

use super::{Outcome, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::raw;
use crate::sched::task::{FIRST_TID, TaskId};
use crate::sched::worker::Worker;
use alloc::boxed::Box;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    MFD_CLOEXEC, O_ACCMODE, O_CLOEXEC, O_RDONLY, SCHED_BATCH, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR,
};
use linux_raw_sys::prctl::{PR_GET_NAME, PR_SET_NAME};
use syscalls::{Errno, Sysno};

/// Bytes of a thread's name with its end (TASK_COMM_LEN).
const NAME: usize = 16;

/// Open stand-ins for `/proc/self/task/TID/comm`: descriptor and task.
pub struct OpenNames {
    open: Vec<(i32, TaskId, bool)>,
}

impl OpenNames {
    pub const fn new() -> OpenNames {
        OpenNames { open: Vec::new() }
    }
}

/// prctl(2): the name of a thread. The rest is the kernel's.
pub fn prctl(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [option, address, ..] = call.arguments();
    let current = worker.current;
    let is_main = worker.tasks[current].tid < FIRST_TID;
    match option as u32 {
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
    let is_read_only = flags as u32 & O_ACCMODE == O_RDONLY;
    if is_read_only {
        let name = worker.name_of(task);
        let mut line = [b'\n'; NAME + 1];
        line[..name.len()].copy_from_slice(name);
        let _ = raw::write(fd as i32, &line[..=name.len()]);
        // SAFETY: takes plain numbers.
        unsafe { raw::call(Sysno::lseek as u32, [fd as usize, 0, 0, 0, 0, 0]) };
    }
    worker.open_names.open.push((fd as i32, task, !is_read_only));
    Outcome::Done(fd)
}

/// close(2): what was written to a stand-in becomes the task's name.
#[inline]
pub fn close(worker: &mut Worker, call: &mut Frame) -> Outcome {
    if worker.open_names.open.is_empty() {
        return Outcome::Pass;
    }
    let fd = call.rdi as i32;
    if let Some(place) = worker.open_names.open.iter().position(|&(open, ..)| open == fd) {
        let (_, task, is_written) = worker.open_names.open.swap_remove(place);
        if is_written {
            let mut name = [0u8; NAME];
            // SAFETY: the buffer has room for what is read.
            let length = unsafe {
                raw::call(Sysno::pread64 as u32, [fd as usize, name.as_mut_ptr() as usize, NAME - 1, 0, 0, 0])
            };
            if length > 0 {
                let end = name.iter().position(|&byte| byte == b'\n').unwrap_or(length as usize);
                name[end..].fill(0);
                worker.tasks[task].extra().name = name;
            }
        }
    }
    Outcome::Pass
}

/// The task that a scheduling call is about; None if it is none of ours. Id 0 is the caller.
fn subject(worker: &Worker, tid: i32) -> Option<TaskId> {
    if tid == 0 { Some(worker.current) } else { worker.tasks.by_tid(tid) }
}

/// sched_setaffinity(2): noted for the task, and answered by sched_getaffinity(2). All tasks run on the worker's CPU; a
/// process of one thread is the kernel's to move.
pub fn sched_setaffinity(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [tid, size, address, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    let mut allowed = [0u8; 1024];
    // SAFETY: the kernel writes at most the buffer's size.
    let length = unsafe {
        raw::call(Sysno::sched_getaffinity as u32, [0, allowed.len(), allowed.as_mut_ptr() as usize, 0, 0, 0])
    };
    let Ok(length) = raw::check(length) else { return Outcome::Pass };
    let mut wanted = alloc::vec![0u8; length];
    // SAFETY: at most `length` bytes are written to `wanted`.
    if let Err(errno) = unsafe { user::copy(wanted.as_mut_ptr() as usize, address, size.min(length)) } {
        return Outcome::Done(error(errno));
    }
    if worker.is_single() {
        return Outcome::Pass;
    }
    for (byte, &possible) in wanted.iter_mut().zip(&allowed) {
        *byte &= possible;
    }
    if wanted.iter().all(|&byte| byte == 0) {
        return Outcome::Done(error(Errno::EINVAL));
    }
    worker.tasks[id].extra().affinity = Some(wanted.into_boxed_slice());
    Outcome::Done(0)
}

/// sched_getaffinity(2).
pub fn sched_getaffinity(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [tid, size, address, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    let noted: Option<Box<[u8]>> = worker.tasks[id].extra.as_ref().and_then(|extra| extra.affinity.clone());
    let Some(set) = noted else {
        // SAFETY: the program's own call, asked about the worker's kernel thread.
        return Outcome::Done(unsafe { raw::call(Sysno::sched_getaffinity as u32, [0, size, address, 0, 0, 0]) });
    };
    if size < set.len() || size % 8 != 0 {
        return Outcome::Done(error(Errno::EINVAL));
    }
    // SAFETY: writes to the program's own set.
    match unsafe { user::copy(address, set.as_ptr() as usize, set.len()) } {
        Ok(()) => Outcome::Done(set.len() as isize),
        Err(errno) => Outcome::Done(error(errno)),
    }
}

/// sched_setscheduler(2) and sched_setparam(2): checked and noted for the task. Real-time classes need the right to them, which the
/// kernel is not asked for on one task's behalf.
pub fn set_scheduling(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let [tid, second, third, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    if worker.is_single() && worker.tasks[id].extra.as_ref().is_none_or(|extra| extra.scheduling.is_none()) {
        return Outcome::Pass;
    }
    let (present, _) = scheduling(worker, id);
    let (policy, address) =
        if number == Sysno::sched_setscheduler { (second as i32, third) } else { (present, second) };
    // SAFETY: struct sched_param is one int.
    let priority = match unsafe { user::read::<i32>(address) } {
        Ok(priority) => priority,
        Err(errno) => return Outcome::Done(error(errno)),
    };
    const RESET_ON_FORK: u32 = 0x4000_0000;
    let range = match policy as u32 & !RESET_ON_FORK {
        SCHED_FIFO | SCHED_RR => 1..=99,
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE => 0..=0,
        _ => return Outcome::Done(error(Errno::EINVAL)),
    };
    if policy < 0 || !range.contains(&priority) {
        return Outcome::Done(error(Errno::EINVAL));
    }
    worker.tasks[id].extra().scheduling = Some((policy, priority));
    Outcome::Done(0)
}

/// sched_getscheduler(2) and sched_getparam(2).
pub fn get_scheduling(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let [tid, address, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    let (policy, priority) = scheduling(worker, id);
    if number == Sysno::sched_getscheduler {
        return Outcome::Done(policy as isize);
    }
    match user::write(address, &priority) {
        Ok(()) => Outcome::Done(0),
        Err(errno) => Outcome::Done(error(errno)),
    }
}

fn scheduling(worker: &Worker, id: TaskId) -> (i32, i32) {
    worker.tasks[id].extra.as_ref().and_then(|extra| extra.scheduling).unwrap_or_else(|| {
        let mut priority = 0i32;
        // SAFETY: both ask about the worker's kernel thread; the second writes one int.
        unsafe {
            let policy = raw::call(Sysno::sched_getscheduler as u32, [0; 6]) as i32;
            raw::call(Sysno::sched_getparam as u32, [0, &raw mut priority as usize, 0, 0, 0, 0]);
            (policy, priority)
        }
    })
}
