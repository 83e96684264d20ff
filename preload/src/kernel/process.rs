//! Calls that concern the whole process: fork, vfork, clone of a process, exec, exit_group.

use super::{Outcome, cpu_time, descriptors, error, pool, scheduling, several_futexes, shared_futex, signal, thread};
use crate::arch::Frame;
use crate::arch::x86_64::gate;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::cpu_timers::CpuTimers;
use crate::kernel::thread::{CLONE_ARGS_FIRST_SIZE, Request};
use crate::observe::{self, finish, finish::End};
use crate::raw;
use crate::report::say;
use crate::sched::task::{NONE, State};
use crate::sched::worker::Worker;
use crate::spawn;
use linux_raw_sys::general::{AT_FDCWD, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK, CLONE_VM, clone_args};
use linux_raw_sys::prctl::PR_SET_NAME;
use syscalls::{Errno, Sysno};

/// Larger clone_args than any kernel knows; one that is larger still is left to the kernel to look at.
const CLONE_ARGS_LARGEST: usize = 256;

/// Of clone3 only, and so not among the constants that fit 32 bits.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// clone(2) or clone3(2) that does not make a thread.
pub fn clone(worker: &mut Worker, call: &mut Frame, request: &Request) -> Outcome {
    let lacks = |needed: u32| request.flags & u64::from(needed) == 0;
    if !lacks(CLONE_THREAD) && lacks(CLONE_SIGHAND) || !lacks(CLONE_SIGHAND) && lacks(CLONE_VM) {
        // The kernel refuses this.
        return Outcome::Pass;
    }
    if !lacks(CLONE_THREAD) && !core::mem::replace(&mut worker.stats.said_clone, true) {
        say!("a thread without thread-local storage of its own, made by clone, stays the kernel's");
    }
    if request.flags & u64::from(CLONE_VM) != 0 {
        return share_memory(worker, request.flags & u64::from(CLONE_VFORK) != 0);
    }
    separate(worker, call, request.flags, request.stack_top)
}

/// fork(2) and vfork(2).
pub fn fork(worker: &mut Worker, call: &mut Frame, number: Sysno) -> Outcome {
    if number == Sysno::vfork { share_memory(worker, true) } else { separate(worker, call, 0, 0) }
}

/// A child that runs in this memory: the stub makes the call, and the gate tells the child from this process by its id.
/// With vfork the child is gone when this process goes on.
fn share_memory(worker: &mut Worker, is_vfork: bool) -> Outcome {
    worker.descriptors.share_all();
    signal::lend_mask(worker);
    let current = worker.current;
    worker.tasks[current].shares_memory = if is_vfork { 1 } else { 2 };
    if !is_vfork && !worker.has_strangers() {
        worker.set_strangers(true);
        shared_futex::enter_all(worker);
    }
    Outcome::Pass
}

/// A child with memory of its own. The call is made here, on the worker's stack; in the child only the calling task is left.
fn separate(worker: &mut Worker, call: &mut Frame, flags: u64, stack_top: u64) -> Outcome {
    signal::lend_mask(worker);
    worker.descriptors.share_all();
    let answer = on_this_stack(call);
    if answer == 0 {
        become_child(worker, flags & u64::from(CLONE_FILES) != 0);
        if flags & CLONE_CLEAR_SIGHAND != 0 {
            signal::inherited::forget_handlers(worker);
        }
        if stack_top != 0 {
            call.rsp = stack_top;
        }
    } else {
        signal::sync_kernel_mask(worker);
    }
    Outcome::Done(answer)
}

/// Makes the call so that the child begins on its copy of the worker's stack, whatever stack it is to have in the end.
fn on_this_stack(call: &Frame) -> isize {
    let mut arguments = call.arguments();
    let mut given = [0u64; CLONE_ARGS_LARGEST / 8];
    if call.number() == Sysno::clone as u32 {
        arguments[1] = 0;
    } else if call.number() == Sysno::clone3 as u32
        && (CLONE_ARGS_FIRST_SIZE..=CLONE_ARGS_LARGEST).contains(&arguments[1])
    {
        // SAFETY: at most as much as there is room for.
        if let Err(errno) = unsafe { user::copy(given.as_mut_ptr() as usize, arguments[0], arguments[1]) } {
            return error(errno);
        }
        const STACK: usize = core::mem::offset_of!(clone_args, stack) / 8;
        const STACK_SIZE: usize = core::mem::offset_of!(clone_args, stack_size) / 8;
        if (given[STACK] == 0) == (given[STACK_SIZE] == 0) {
            (given[STACK], given[STACK_SIZE]) = (0, 0);
        }
        arguments[0] = given.as_ptr() as usize;
    }
    // SAFETY: the program's own call, made from a stack that the child gets a copy of.
    unsafe { raw::call(call.number(), arguments) }
}

/// In the child of a fork: all tasks but the current one are gone, as natively all threads but one are.
fn become_child(worker: &mut Worker, shares_files: bool) {
    let current = worker.current;
    worker.run_queue.clear();
    several_futexes::clear(worker);
    worker.timers.clear();
    worker.parking.prepare();
    forget_files(worker, shares_files);
    worker.shared_waiters.clear();
    worker.set_strangers(false);
    worker.directed_timers.clear();
    worker.cpu_timers = CpuTimers::new();
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
    let parent = core::mem::replace(&mut worker.pid, raw::getpid());
    worker.tasks.number_for_child(worker.pid, parent);
    gate::set_kernel_thread(raw::gettid());
    let task = &mut worker.tasks[current];
    task.tid = worker.pid as u32;
    task.state = State::Running;
    task.next = NONE;
    task.shares_memory = 0;
    worker.said_stuck = false;
    worker.expected_id_changes = 0;
    worker.stats.begin_again();
    observe::become_child(worker);
    worker.preemption.forget();
    spawn::call::become_child(worker.tasks[current].fs_base);
    signal::become_child(worker);
    cpu_time::become_child(worker);
    scheduling::become_child(worker);
}

/// In the child of a fork: nobody waits for a file, and the poller, its files and the pool are the parent's. Where both have
/// the same table of descriptors (CLONE_FILES), they stay open, and the program's hands off them.
fn forget_files(worker: &mut Worker, shares_files: bool) {
    let stand_ins = worker.descriptors.become_child();
    let own = [pool::become_child(worker), worker.poller.become_child(), worker.together.forget()];
    if !shares_files {
        for fd in stand_ins.into_iter().chain(own.into_iter().flatten()) {
            descriptors::close_private(worker, fd);
        }
    }
    worker.watchdog.forget();
    worker.children.clear();
}

/// execve(2): the new program inherits the calling thread's mask, its pending signals and the process's, and which signals
/// are ignored. The call is made here, for if it fails all this is grivet's again.
pub fn exec(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let lent = signal::inherited::lend(worker);
    if thread::have_robust_locks(worker) && would_succeed(call) {
        thread::release_all_robust_locks(worker);
    }
    if worker.observer.is_on() && would_succeed(call) {
        ending(worker, End::Exec);
    }
    // SAFETY: the program's own call.
    let answer = unsafe { raw::call(call.number(), call.arguments()) };
    signal::inherited::take_back(worker, lent);
    Outcome::Done(answer)
}

/// Whether the program's exec would find a program that may be run: what ends with the threads must not end before.
fn would_succeed(call: &Frame) -> bool {
    const X_OK: usize = 1;
    const EXECVE_CHECK: usize = 1 << 16;
    let [first, second, third, fourth, fifth, _] = call.arguments();
    let [directory, path, arguments, environment, flags] = if call.number() == Sysno::execve as u32 {
        [AT_FDCWD as usize, first, second, third, 0]
    } else {
        [first, second, third, fourth, fifth]
    };
    // SAFETY: the program's own call; with this flag the kernel (from 6.14 on) only looks.
    let checked = raw::check(unsafe {
        raw::call(Sysno::execveat as u32, [directory, path, arguments, environment, flags | EXECVE_CHECK, 0])
    });
    match checked {
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            // SAFETY: the program's own path.
            unsafe { raw::call(Sysno::faccessat2 as u32, [directory, path, X_OK, flags, 0, 0]) == 0 }
        }
        checked => checked.is_ok(),
    }
}

/// exit_group(2): the last words.
pub fn exit_group(worker: &mut Worker) -> Outcome {
    thread::release_all_robust_locks(worker);
    ending(worker, End::Exit);
    Outcome::Pass
}

/// What is said and written when the process ends.
pub fn ending(worker: &mut Worker, end: End) {
    finish::finish(worker, end);
}
