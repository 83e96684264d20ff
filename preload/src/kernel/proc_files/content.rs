//! What the files of `/proc/self/task/TID` say of a task: the kernel's own text about the worker's thread, with the values
//! that the task has put in their places (proc_pid_stat(5), proc_pid_status(5)).

use super::threads;
use crate::kernel::{cpu_time, proc_text, signal};
use crate::sched::task::{FIRST_TID, State, TaskId};
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use core::fmt::Write;

/// Bytes of a directory entry without its name, and of the longest one (struct linux_dirent64).
const ENTRY: usize = 19;
const LONGEST_ENTRY: usize = 32;

/// Clock ticks of proc_pid_stat(5), ns (USER_HZ is 100).
const TICK: u64 = 10_000_000;

/// Text that grows; what there is no memory for is lost.
struct Text(Vec<u8>);

impl Text {
    fn add(&mut self, bytes: &[u8]) {
        if self.0.try_reserve(bytes.len()).is_ok() {
            self.0.extend_from_slice(bytes);
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

/// One entry of the list of threads, and its length: at `place` 0 and 1 the directory itself and its parent.
pub fn entry(place: usize, tid: u32) -> ([u8; LONGEST_ENTRY], usize) {
    const DIRECTORY: u8 = 4;
    let mut digits = [0u8; 10];
    let name: &[u8] = match place {
        0 => b".",
        1 => b"..",
        _ => {
            let (mut rest, mut begin) = (tid, digits.len());
            while rest > 0 {
                begin -= 1;
                digits[begin] = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            &digits[begin..]
        }
    };
    let length = (ENTRY + name.len() + 1).next_multiple_of(8);
    let mut entry = [0; LONGEST_ENTRY];
    entry[..8].copy_from_slice(&(u64::from(tid) + 1).to_ne_bytes());
    entry[8..16].copy_from_slice(&(place as u64 + 1).to_ne_bytes());
    entry[16..18].copy_from_slice(&(length as u16).to_ne_bytes());
    entry[18] = DIRECTORY;
    entry[ENTRY..ENTRY + name.len()].copy_from_slice(name);
    (entry, length)
}

/// Where `/proc/thread-self` leads.
pub fn link(worker: &Worker, id: TaskId) -> Vec<u8> {
    let mut text = Text(Vec::new());
    let _ = write!(text, "{}/task/{}", worker.pid, worker.tasks[id].tid);
    text.0
}

/// `comm`.
pub fn name(worker: &mut Worker, id: TaskId) -> Option<Vec<u8>> {
    let mut text = Text(Vec::new());
    text.add(worker.name_of(id));
    text.add(b"\n");
    Some(text.0)
}

fn letter(worker: &Worker, id: TaskId) -> char {
    if worker.tasks[id].state == State::Parked { 'S' } else { 'R' }
}

/// The task's name, unless it is the first one's, which the kernel knows.
fn own_name(worker: &Worker, task: Option<TaskId>) -> Option<&[u8]> {
    task.filter(|&id| worker.tasks[id].tid >= FIRST_TID).map(|id| worker.name_of(id))
}

/// `stat` of a task, or of the whole process, of which it is the first (None if that has ended).
pub fn stat(worker: &mut Worker, task: Option<TaskId>, is_whole: bool) -> Option<Vec<u8>> {
    const FIRST_AFTER_NAME: usize = 3;
    let kernel = proc_text::read(if is_whole { c"/proc/self/stat" } else { c"/proc/thread-self/stat" }).ok()?;
    let close = kernel.iter().rposition(|&byte| byte == b')')?;
    let mut text = Text(Vec::new());
    match (task, own_name(worker, task)) {
        (Some(id), Some(name)) => {
            let _ = write!(text, "{} (", worker.tasks[id].tid);
            text.add(name);
        }
        _ => text.add(&kernel[..close]),
    }
    text.add(b")");
    let rest = kernel[close + 1..].strip_suffix(b"\n").unwrap_or(&kernel[close + 1..]);
    for (index, value) in rest.split(|&byte| byte == b' ').filter(|value| !value.is_empty()).enumerate() {
        let _ = match (index + FIRST_AFTER_NAME, task) {
            (3, Some(id)) => write!(text, " {}", letter(worker, id)),
            (14, Some(id)) if !is_whole => write!(text, " {}", cpu_time::known(&worker.tasks, id) / TICK),
            (15, Some(_)) if !is_whole => write!(text, " 0"),
            (3, None) => write!(text, " Z"),
            (20, _) => write!(text, " {}", threads(worker)),
            _ => {
                text.add(b" ");
                text.add(value);
                Ok(())
            }
        };
    }
    text.add(b"\n");
    Some(text.0)
}

/// `status`, the same.
pub fn status(worker: &mut Worker, task: Option<TaskId>, is_whole: bool) -> Option<Vec<u8>> {
    let kernel = proc_text::read(if is_whole { c"/proc/self/status" } else { c"/proc/thread-self/status" }).ok()?;
    let mut text = Text(Vec::new());
    for line in kernel.split_inclusive(|&byte| byte == b'\n') {
        let end = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let key = &line[..end];
        let _ = match (key, task) {
            (b"Threads", _) => writeln!(text, "Threads:\t{}", threads(worker)),
            (b"Name", _) => {
                match own_name(worker, task) {
                    Some(name) => {
                        text.add(b"Name:\t");
                        text.add(name);
                        text.add(b"\n");
                    }
                    None => text.add(line),
                }
                Ok(())
            }
            (b"State", Some(id)) if worker.tasks[id].state == State::Parked => writeln!(text, "State:\tS (sleeping)"),
            (b"State", None) => writeln!(text, "State:\tZ (zombie)"),
            (b"State", Some(_)) => writeln!(text, "State:\tR (running)"),
            (b"Pid", Some(id)) => writeln!(text, "Pid:\t{}", worker.tasks[id].tid),
            (b"NSpid", Some(id)) => writeln!(text, "NSpid:\t{}", worker.tasks[id].tid),
            (b"SigBlk", Some(id)) => writeln!(text, "SigBlk:\t{:016x}", signal::mask_of(worker, id)),
            (b"SigPnd", Some(id)) => {
                let pending = worker.tasks[id].extra.as_ref().map_or(0, |extra| extra.pending.set);
                writeln!(text, "SigPnd:\t{pending:016x}")
            }
            _ => {
                text.add(line);
                Ok(())
            }
        };
    }
    Some(text.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_the_kernels_kind() {
        let (dot, length) = entry(0, 0);
        assert_eq!((length, dot[18], &dot[19..21]), (24, 4, &b".\0"[..]));
        let (thread, length) = entry(5, 268_435_455);
        assert_eq!((length, &thread[19..29]), (32, &b"268435455\0"[..]));
        assert_eq!(u64::from_ne_bytes(thread[8..16].try_into().unwrap()), 6);
    }
}
