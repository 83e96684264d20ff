//! Calls that wait where the kernel tells nobody when they would not: locks on files, System V semaphores and messages,
//! what must be on the disk. Each is attempted in its own way of not waiting first; the pool makes the rest.

use super::pool::{self, Job};
use super::{Outcome, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::raw;
use crate::sched::worker::Worker;
use linux_raw_sys::general::__kernel_timespec;
use syscalls::{Errno, Sysno};

const LOCK_NB: usize = 4;
const LOCK_UN: usize = 8;
const F_SETLK: usize = 6;
const F_SETLKW: usize = 7;
const F_OFD_SETLK: usize = 37;
const F_OFD_SETLKW: usize = 38;
const F_UNLCK: u16 = 2;
const IPC_NOWAIT: usize = 0o4000;
const MS_SYNC: usize = 4;
/// SEMOPM: most operations of one semop.
const MOST_OPERATIONS: usize = 500;
const TMPFS_MAGIC: u64 = 0x0102_1994;
const RAMFS_MAGIC: u64 = 0x8584_58f6;
const HUGETLBFS_MAGIC: u64 = 0x9584_58f6;

/// The call in its way of not waiting: its result, or None if it would wait.
pub fn try_now(job: &Job) -> Option<isize> {
    let now = __kernel_timespec { tv_sec: 0, tv_nsec: 0 };
    let mut arguments = job.arguments;
    let (number, would_wait): (Sysno, &[Errno]) = match job.number {
        Sysno::flock => {
            arguments[1] |= LOCK_NB;
            (Sysno::flock, &[Errno::EWOULDBLOCK])
        }
        Sysno::fcntl => {
            arguments[1] = if arguments[1] == F_SETLKW { F_SETLK } else { F_OFD_SETLK };
            (Sysno::fcntl, &[Errno::EAGAIN, Errno::EACCES])
        }
        Sysno::semop | Sysno::semtimedop => {
            arguments[3] = &raw const now as usize;
            (Sysno::semtimedop, &[Errno::EAGAIN])
        }
        Sysno::msgsnd => {
            arguments[3] |= IPC_NOWAIT;
            (Sysno::msgsnd, &[Errno::EAGAIN])
        }
        Sysno::msgrcv => {
            arguments[4] |= IPC_NOWAIT;
            (Sysno::msgrcv, &[Errno::ENOMSG])
        }
        Sysno::mq_timedsend | Sysno::mq_timedreceive => {
            arguments[4] = &raw const now as usize;
            (job.number, &[Errno::ETIMEDOUT])
        }
        _ => return None,
    };
    let mut answer = error(Errno::EINTR);
    // A tick that comes just then makes semtimedop(2) say EINTR, although it does not wait.
    while answer == error(Errno::EINTR) {
        // SAFETY: the program's own call, with a time that lives across it.
        answer = unsafe { raw::call(number as u32, arguments) };
    }
    (!would_wait.iter().any(|&errno| answer == error(errno))).then_some(answer)
}

/// Whether the call has such a way.
pub fn can_be_tried(number: Sysno) -> bool {
    matches!(
        number,
        Sysno::flock
            | Sysno::fcntl
            | Sysno::semop
            | Sysno::semtimedop
            | Sysno::msgsnd
            | Sysno::msgrcv
            | Sysno::mq_timedsend
            | Sysno::mq_timedreceive
    )
}

/// Whether the call ends only when somebody else, perhaps another task, does something.
pub fn waits_for_others(number: Sysno) -> bool {
    !matches!(
        number,
        Sysno::fsync
            | Sysno::fdatasync
            | Sysno::sync
            | Sysno::syncfs
            | Sysno::sync_file_range
            | Sysno::msync
            | Sysno::copy_file_range
            | Sysno::pread64
            | Sysno::preadv
            | Sysno::preadv2
            | Sysno::write
            | Sysno::writev
            | Sysno::pwrite64
            | Sysno::pwritev
            | Sysno::pwritev2
    )
}

/// The result as the kernel tells it to a call that waits: what it waited for was there when it began, and is removed
/// if it is not any more.
pub fn after_wait(number: Sysno, result: isize) -> isize {
    let is_ipc = matches!(number, Sysno::semop | Sysno::semtimedop | Sysno::msgsnd | Sysno::msgrcv);
    if is_ipc && result == error(Errno::EINVAL) { error(Errno::EIDRM) } else { result }
}

fn try_then_pool(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    if worker.is_alone() {
        return Outcome::Pass;
    }
    let job = Job::whole(number, call.arguments());
    match try_now(&job) {
        Some(answer) => Outcome::Done(answer),
        None => pool::hand_over(worker, call, job),
    }
}

/// flock(2).
pub fn flock(worker: &mut Worker, call: &mut Frame) -> Outcome {
    if call.rsi as usize & (LOCK_NB | LOCK_UN) != 0 {
        return Outcome::Pass;
    }
    try_then_pool(worker, call, Sysno::flock)
}

/// fcntl(2) with F_SETLKW or F_OFD_SETLKW.
#[inline]
pub fn lock_record(worker: &mut Worker, call: &mut Frame) -> Outcome {
    if !matches!(call.rsi as usize, F_SETLKW | F_OFD_SETLKW) {
        return Outcome::Pass;
    }
    // SAFETY: struct flock begins with the type of the lock, a plain integer.
    match unsafe { user::read::<u16>(call.rdx as usize) } {
        Ok(kind) if kind != F_UNLCK => try_then_pool(worker, call, Sysno::fcntl),
        _ => Outcome::Pass,
    }
}

/// semop(2), semtimedop(2).
pub fn semaphores(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let [_, operations, count, limit, ..] = call.arguments();
    if count == 0 || count > MOST_OPERATIONS {
        return Outcome::Pass;
    }
    let mut may_wait = false;
    for index in 0..count {
        // SAFETY: struct sembuf is three plain 16-bit integers.
        let Ok([_, _, flags]) = (unsafe { user::read::<[u16; 3]>(operations + index * 6) }) else {
            return Outcome::Pass;
        };
        may_wait |= usize::from(flags) & IPC_NOWAIT == 0;
    }
    if number == Sysno::semtimedop && limit != 0 {
        // SAFETY: a timespec is two plain integers.
        match unsafe { user::read::<__kernel_timespec>(limit) }.and_then(super::time::to_ns) {
            Ok(0) | Err(_) => return Outcome::Pass,
            Ok(_) => {}
        }
    }
    if may_wait { try_then_pool(worker, call, number) } else { Outcome::Pass }
}

/// msgsnd(2), msgrcv(2).
pub fn messages(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    let flags = if number == Sysno::msgsnd { call.r10 } else { call.r8 } as usize;
    if flags & IPC_NOWAIT != 0 { Outcome::Pass } else { try_then_pool(worker, call, number) }
}

/// fsync(2) and its kin, on a file that has a disk beneath it.
pub fn synchronise(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    if worker.is_alone() {
        return Outcome::Pass;
    }
    let has_file = matches!(number, Sysno::fsync | Sysno::fdatasync | Sysno::sync_file_range | Sysno::syncfs);
    if (has_file && is_in_memory(call.rdi as i32)) || (number == Sysno::msync && call.rdx as usize & MS_SYNC == 0) {
        return Outcome::Pass;
    }
    pool::hand_over(worker, call, Job::whole(number, call.arguments()))
}

/// Whether the file's system has no disk, or the file is not open: the call returns at once.
fn is_in_memory(fd: i32) -> bool {
    // struct statfs is 120 bytes and begins with the type of the file system.
    let mut information = [0u64; 15];
    // SAFETY: the kernel writes one struct statfs.
    let answer =
        unsafe { raw::call(Sysno::fstatfs as u32, [fd as usize, information.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    answer != 0 || matches!(information[0], TMPFS_MAGIC | RAMFS_MAGIC | HUGETLBFS_MAGIC)
}

/// Calls that have no way of not waiting: copy_file_range(2), which may copy gigabytes, and io_getevents(2).
pub fn any(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    if worker.is_alone() {
        return Outcome::Pass;
    }
    pool::hand_over(worker, call, Job::whole(number, call.arguments()))
}
