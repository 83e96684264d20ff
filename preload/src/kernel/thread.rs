//! The life of a thread: clone and clone3 that would make one, its end, and what the kernel keeps for each thread
//! (child_tid, robust list, rseq).

use super::{Outcome, error, futex};
use crate::arch::Frame;
use crate::arch::Resume;
use crate::arch::x86_64::cpu;
use crate::arch::x86_64::frame::RED_ZONE;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::{cpu_time, cpu_timers, priority_inheritance, process, scheduling};
use crate::observe::{self, finish::End};
use crate::raw;
use crate::sched::task::{Extra, FIRST_TID, TaskId};
use crate::sched::worker::Worker;
use crate::spawn;
use alloc::boxed::Box;
use linux_raw_sys::general::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_PARENT_SETTID, CLONE_SETTLS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM,
    FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, clone_args,
};
use syscalls::{Errno, Sysno};

/// What makes a clone a thread with thread-local storage of its own, as every thread library makes them.
const THREAD: u64 = (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_SETTLS) as u64;

/// The smallest clone_args the kernel knows (CLONE_ARGS_SIZE_VER0).
pub const CLONE_ARGS_FIRST_SIZE: usize = 64;

/// Robust list entries that are looked at, as in the kernel (ROBUST_LIST_LIMIT).
const ROBUST_LIST_LIMIT: usize = 2048;

/// A clone, in one form for both calls.
pub struct Request {
    pub flags: u64,
    pub stack_top: u64,
    pub parent_tid: u64,
    pub child_tid: u64,
    pub tls: u64,
}

/// clone3(2).
pub fn clone3(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [address, size, ..] = call.arguments();
    if size < CLONE_ARGS_FIRST_SIZE {
        return Outcome::Pass;
    }
    // SAFETY: the structure is plain integers.
    let Ok(first) = (unsafe { user::read::<[u64; CLONE_ARGS_FIRST_SIZE / 8]>(address) }) else { return Outcome::Pass };
    let [flags, _pidfd, child_tid, parent_tid, _exit_signal, stack, stack_size, tls] = first;
    const { assert!(core::mem::offset_of!(clone_args, tls) == 56) };
    let request = Request { flags, stack_top: stack.wrapping_add(stack_size), parent_tid, child_tid, tls };
    any_clone(worker, call, &request)
}

/// clone(2), whose arguments on x86-64 are (flags, stack, parent_tid, child_tid, tls).
pub fn clone(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [flags, stack, parent_tid, child_tid, tls, _] = call.arguments();
    let request = Request {
        flags: flags as u64,
        stack_top: stack as u64,
        parent_tid: parent_tid as u64,
        child_tid: child_tid as u64,
        tls: tls as u64,
    };
    any_clone(worker, call, &request)
}

fn any_clone(worker: &mut Worker, call: &mut Frame, request: &Request) -> Outcome {
    if request.flags & THREAD == THREAD && request.stack_top != 0 {
        return start(worker, call, request).into();
    }
    process::clone(worker, call, request)
}

/// Makes a task that goes on where the caller does, on the new stack, with result 0. The new thread's id.
fn start(worker: &mut Worker, call: &Frame, request: &Request) -> Result<usize, Errno> {
    let parent = worker.current;
    if worker.is_single() && !worker.preemption.is_armed() {
        cpu_time::charge_single(worker);
    }
    let this: *mut Worker = worker;
    let id = worker.tasks.allocate(this)?;
    let tid = worker.tasks[id].tid;
    let frame = (request.stack_top - (RED_ZONE + size_of::<Frame>()) as u64) as *mut Frame;
    let current = worker.tasks.address(id) as usize;
    // SAFETY: the top of the new thread's stack is the program's to give.
    let placed = unsafe { user::copy(frame as usize, &raw const *call as usize, size_of::<Frame>()) }
        .and_then(|()| user::write(cpu::current_word(request.tls) as usize, &current));
    if let Err(errno) = placed {
        worker.tasks.release(id);
        return Err(errno);
    }
    // SAFETY: the frame has just been written there.
    let start = unsafe { &mut *frame };
    start.answer(0);
    start.rsp = request.stack_top;
    start.extended = u64::from(call.extended != 0);
    worker.discards.forget(&worker.arena, request.stack_top as usize);
    if request.flags & u64::from(CLONE_PARENT_SETTID) != 0 {
        let _ = user::write(request.parent_tid as usize, &tid);
    }
    if request.flags & u64::from(CLONE_CHILD_SETTID) != 0 {
        let _ = user::write(request.child_tid as usize, &tid);
    }
    let mask = worker.tasks[parent].mask;
    worker.signals.masks.share(mask);
    let inherited = worker.tasks[parent].extra.as_ref().and_then(|extra| inherit(extra));
    let task = &mut worker.tasks[id];
    task.resume = Resume::gate(frame);
    task.fs_base = request.tls;
    task.mask = mask;
    task.float_control.store();
    if request.flags & u64::from(CLONE_CHILD_CLEARTID) != 0 {
        task.clear_tid = request.child_tid;
    }
    if let Some(inherited) = inherited {
        task.priority = inherited.scheduling.map_or(0, |(_, priority)| priority as u8);
        task.extra = Some(inherited);
    }
    if worker.is_watched {
        observe::made(worker, id);
        worker.observer.blocking.arm();
    }
    if worker.preemption.has_rules() {
        // With spawn rules a call begins when it is made (`time::TO_NEWEST`).
        worker.run_queue.push_front(&mut worker.tasks, id);
    } else {
        worker.make_ready(id);
    }
    worker.stats.thread_made(worker.tasks.live - 1);
    worker.preemption.arm();
    Ok(tid as usize)
}

/// What a new thread has of the one that makes it, if that has anything of its own.
fn inherit(parent: &Extra) -> Option<Box<Extra>> {
    let is_usual = parent.affinity.is_none() && parent.scheduling.is_none() && parent.nice.is_none();
    if is_usual && parent.name[0] == 0 {
        return None;
    }
    let mut child = Box::new(Extra { name: parent.name, ..Extra::default() });
    scheduling::inherit(parent, &mut child);
    Some(child)
}

/// exit(2): ends the calling task. Its stack is not touched any more once child_tid is cleared.
pub fn exit(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let id = worker.current;
    if worker.tasks[id].tid < FIRST_TID {
        worker.main_status = call.rdi as i32;
    }
    if worker.is_single() {
        process::ending(worker, End::Exit);
        let status = if worker.tasks[id].tid < FIRST_TID { call.rdi as i32 } else { worker.main_status };
        if worker.has_strangers() {
            // SAFETY: ends the kernel thread, on which nothing runs any more; the process goes on with the others.
            unsafe { raw::call(Sysno::exit as u32, [status as usize, 0, 0, 0, 0, 0]) };
        }
        raw::exit_group(status);
    }
    release_robust_locks(worker, id);
    if worker.tasks[id].may_owe_lock {
        priority_inheritance::owner_ends(worker, id);
    }
    for word in spawn::call::abandon(worker.tasks[id].fs_base) {
        if word != 0 {
            futex::wake_local(worker, word, i32::MAX, FUTEX_BITSET_MATCH_ANY);
        }
    }
    if worker.is_watched {
        observe::ended(worker, id);
    }
    if cpu_timers::are_there(worker) {
        cpu_timers::task_ends(worker, id);
    }
    let task = &mut worker.tasks[id];
    let clear_tid = task.clear_tid;
    let mask = task.mask;
    worker.signals.masks.drop_one(mask);
    worker.tasks.release(id);
    if clear_tid != 0 && user::write(clear_tid as usize, &0u32).is_ok() {
        futex::wake_local(worker, clear_tid, 1, FUTEX_BITSET_MATCH_ANY);
    }
    Outcome::Switch
}

/// The process ends: the robust locks of all tasks are given up. Of those of the first thread
/// the kernel knows.
pub fn release_all_robust_locks(worker: &mut Worker) {
    for place in 0..worker.tasks.used() {
        if worker.tasks.is_task(place) && worker.tasks[place].tid >= FIRST_TID {
            release_robust_locks(worker, place);
        }
    }
}

/// Whether a thread but the first has any.
pub fn have_robust_locks(worker: &Worker) -> bool {
    worker.tasks.iter().any(|id| {
        let (tid, head) = (worker.tasks[id].tid, worker.tasks[id].robust_list);
        // SAFETY: the list's first word, a plain integer: it leads back to itself if the list is empty.
        tid >= FIRST_TID && head != 0 && unsafe { user::read::<u64>(head as usize) }.is_ok_and(|first| first != head)
    })
}

/// Marks the robust locks that task `id`, which ends, holds as ownerless, and wakes a waiter of each (kernel/futex/core.c,
/// exit_robust_list).
fn release_robust_locks(worker: &mut Worker, id: TaskId) {
    let head = worker.tasks[id].robust_list as usize;
    let tid = worker.tasks[id].tid;
    if head == 0 {
        return;
    }
    // SAFETY: struct robust_list_head is three plain words: first entry, offset of the lock word, pending entry.
    let Ok([first, offset, pending]) = (unsafe { user::read::<[usize; 3]>(head) }) else { return };
    let mut entry = first;
    for _ in 0..ROBUST_LIST_LIMIT {
        if entry & !1 == head {
            break;
        }
        // SAFETY: an entry is one plain word, the next entry.
        let Ok(next) = (unsafe { user::read::<usize>(entry & !1) }) else { return };
        if entry & !1 != pending & !1 {
            abandon(worker, (entry & !1).wrapping_add(offset), tid, entry & 1 != 0);
        }
        entry = next;
    }
    if pending & !1 != 0 {
        abandon(worker, (pending & !1).wrapping_add(offset), tid, pending & 1 != 0);
    }
}

/// One lock of an ended task. Bit 0 of its list entry tells that it is a priority-inheritance lock, which goes to a waiter.
fn abandon(worker: &mut Worker, lock: usize, tid: u32, inherits_priority: bool) {
    if inherits_priority {
        if user::load_u32(lock).is_ok_and(|word| word & FUTEX_TID_MASK == tid) {
            let _ = priority_inheritance::hand_over(worker, lock, FUTEX_OWNER_DIED, true);
        }
        return;
    }
    loop {
        let Ok(word) = user::load_u32(lock) else { return };
        if word & FUTEX_TID_MASK != tid {
            return;
        }
        let new = word & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        match user::compare_exchange_u32(lock, word, new) {
            Ok(found) if found == word => {
                if word & FUTEX_WAITERS != 0 && futex::wake_local(worker, lock as u64, 1, FUTEX_BITSET_MATCH_ANY) == 0 {
                    // SAFETY: a wake-up writes nothing; a robust lock may be shared with another process.
                    unsafe { raw::call(Sysno::futex as u32, [lock, 1, 1, 0, 0, 0]) };
                }
                return;
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// set_robust_list(2). The kernel is told only of the list of a process's only thread; grivet walks the others.
pub fn set_robust_list(worker: &mut Worker, call: &mut Frame) -> Outcome {
    if call.rsi as usize != size_of::<[usize; 3]>() {
        return Outcome::Done(error(Errno::EINVAL));
    }
    let current = worker.current;
    worker.tasks[current].robust_list = call.rdi;
    if worker.is_single() { Outcome::Pass } else { Outcome::Done(0) }
}

/// get_robust_list(2) of a task. Others are the kernel's.
pub fn get_robust_list(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [tid, head, length, ..] = call.arguments();
    let found = if tid == 0 { Some(worker.current) } else { worker.tasks.by_tid(tid as i32) };
    let Some(id) = found else { return Outcome::Pass };
    let written =
        user::write(length, &size_of::<[usize; 3]>()).and_then(|()| user::write(head, &worker.tasks[id].robust_list));
    Outcome::Done(written.map_or_else(error, |()| 0))
}

/// set_tid_address(2).
pub fn set_tid_address(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let current = worker.current;
    let task = &mut worker.tasks[current];
    task.clear_tid = call.rdi;
    Outcome::Done(task.tid as isize)
}

/// rseq(2). Tasks are not known to the kernel, so their area says "no CPU number here" (RSEQ_CPU_ID_UNINITIALIZED) and
/// the C library asks the kernel instead. The first thread's registration, made before grivet woke, stays.
pub fn rseq(worker: &mut Worker, call: &mut Frame) -> Outcome {
    const CPU_ID: usize = 4;
    const UNINITIALIZED: i32 = -1;
    if worker.tasks[worker.current].tid < FIRST_TID {
        return Outcome::Pass;
    }
    match user::write((call.rdi as usize).wrapping_add(CPU_ID), &UNINITIALIZED) {
        Ok(()) => Outcome::Done(0),
        Err(errno) => Outcome::Done(error(errno)),
    }
}
