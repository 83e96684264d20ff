//! Calls that concern the whole process: fork, vfork, clone of a process, exec, exit_group.

use super::{Outcome, cpu_time, descriptors, pool, signal, thread};
use crate::arch::Frame;
use crate::arch::x86_64::gate;
use crate::kernel::thread::Request;
use crate::raw;
use crate::report::{say, stats};
use crate::sched::task::{NONE, State};
use crate::sched::worker::Worker;
use crate::spawn;
use linux_raw_sys::general::{CLONE_THREAD, CLONE_VFORK, CLONE_VM};
use linux_raw_sys::prctl::PR_SET_NAME;
use syscalls::Sysno;

/// clone(2) or clone3(2) that does not make a thread.
pub fn clone(worker: &mut Worker, call: &mut Frame, request: &Request) -> Outcome {
    if request.flags & u64::from(CLONE_THREAD) != 0 && !core::mem::replace(&mut worker.stats.said_clone, true) {
        say!("a thread without thread-local storage of its own, made by clone, stays the kernel's");
    }
    if request.flags & u64::from(CLONE_VM) != 0 {
        return share_memory(worker, request.flags & u64::from(CLONE_VFORK) != 0);
    }
    separate(worker, call, request.stack_top)
}

/// fork(2) and vfork(2).
pub fn fork(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    if number == Sysno::vfork { share_memory(worker, true) } else { separate(worker, call, 0) }
}

/// A child that runs in this memory: the stub makes the call, and the gate tells the child from this process by its id.
/// With vfork the child is gone when this process goes on.
fn share_memory(worker: &mut Worker, is_vfork: bool) -> Outcome {
    worker.descriptors.share_all();
    signal::lend_mask(worker);
    let current = worker.current;
    worker.tasks[current].shares_memory = if is_vfork { 1 } else { 2 };
    Outcome::Pass
}

/// A child with memory of its own. The call is made here, on the worker's stack; in the child only the calling task is left.
fn separate(worker: &mut Worker, call: &mut Frame, stack_top: u64) -> Outcome {
    signal::lend_mask(worker);
    worker.descriptors.share_all();
    // SAFETY: the program's own call, made from a stack that the child gets a copy of.
    let answer = unsafe { raw::call(call.number(), call.arguments()) };
    if answer == 0 {
        become_child(worker);
        if stack_top != 0 {
            call.rsp = stack_top;
        }
    } else {
        signal::sync_kernel_mask(worker);
    }
    Outcome::Done(answer)
}

/// In the child of a fork: all tasks but the current one are gone, as natively all threads but one are.
fn become_child(worker: &mut Worker) {
    let current = worker.current;
    worker.run_queue.clear();
    worker.timers.clear();
    worker.parking.prepare();
    forget_files(worker);
    worker.shared_waiters.clear();
    worker.directed_timers.clear();
    let others: alloc::vec::Vec<_> = worker.tasks.iter().filter(|&id| id != current).collect();
    for id in others {
        let mask = worker.tasks[id].mask;
        worker.signals.masks.drop_one(mask);
        worker.tasks.release(id);
    }
    let mut name = [0u8; 16];
    let own = worker.name_of(current);
    name[..own.len()].copy_from_slice(own);
    worker.name = name;
    // SAFETY: the name ends with a zero byte.
    unsafe { raw::call(Sysno::prctl as u32, [PR_SET_NAME as usize, name.as_ptr() as usize, 0, 0, 0, 0]) };
    worker.pid = raw::getpid();
    worker.tasks.number_for(worker.pid);
    gate::set_kernel_thread(raw::gettid());
    let task = &mut worker.tasks[current];
    task.tid = worker.pid as u32;
    task.state = State::Running;
    task.next = NONE;
    task.shares_memory = 0;
    worker.said_stuck = false;
    worker.stats.begin_again();
    worker.preemption.forget();
    spawn::call::become_child(worker.tasks[current].fs_base);
    signal::become_child(worker);
    cpu_time::become_child(worker);
}

/// In the child of a fork: nobody waits for a file, and the poller, its files and the pool are the parent's.
fn forget_files(worker: &mut Worker) {
    for fd in worker.descriptors.become_child() {
        descriptors::close_private(worker, fd);
    }
    pool::become_child(worker);
    if let Some(fd) = worker.poller.become_child() {
        descriptors::close_private(worker, fd);
    }
    if let Some(fd) = worker.together.forget() {
        descriptors::close_private(worker, fd);
    }
    worker.watchdog.forget();
    worker.children.clear();
}

/// execve(2): the new program inherits the calling thread's mask, its pending signals and the process's, and which signals
/// are ignored. The call is made here, for if it fails all this is grivet's again.
pub fn exec(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let lent = signal::inherited::lend(worker);
    // SAFETY: the program's own call.
    let answer = unsafe { raw::call(call.number(), call.arguments()) };
    signal::inherited::take_back(worker, lent);
    Outcome::Done(answer)
}

/// exit_group(2): the last words.
pub fn exit_group(worker: &mut Worker) -> Outcome {
    thread::release_all_robust_locks(worker);
    ending(worker);
    Outcome::Pass
}

/// What is said when the process ends.
pub fn ending(worker: &mut Worker) {
    if worker.config.stats {
        stats::print(worker);
    }
}
