//! What prctl(2) keeps for each thread, and what of a thread's identity is the whole process's under grivet: user and
//! group ids, seccomp filters. Names of other threads go through /proc (`proc_files`).

use super::{Outcome, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::report::say;
use crate::sched::task::FIRST_TID;
use crate::sched::worker::Worker;
use linux_raw_sys::prctl::{
    PR_GET_NAME, PR_GET_TID_ADDRESS, PR_GET_TIMERSLACK, PR_SET_NAME, PR_SET_SECCOMP, PR_SET_TIMERSLACK,
};
use syscalls::Sysno;

/// Bytes of a thread's name with its end (TASK_COMM_LEN).
pub const NAME: usize = 16;

/// prctl(2): the name of a thread and its child_tid address. The rest is the kernel's.
pub fn prctl(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [option, address, ..] = call.arguments();
    let current = worker.current;
    let is_main = worker.tasks[current].tid < FIRST_TID;
    match option as u32 {
        PR_SET_SECCOMP => restrict(worker, Sysno::prctl),
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
        PR_SET_TIMERSLACK if !worker.is_single() => {
            worker.tasks[current].extra().timer_slack = (address != 0).then_some(address as u64);
            Outcome::Done(0)
        }
        PR_GET_TIMERSLACK => match worker.tasks[current].extra.as_ref().and_then(|extra| extra.timer_slack) {
            Some(slack) => Outcome::Done(slack as isize),
            None => Outcome::Pass,
        },
        PR_GET_TID_ADDRESS if !is_main => match user::write(address, &worker.tasks[current].clear_tid) {
            Ok(()) => Outcome::Done(0),
            Err(errno) => Outcome::Done(error(errno)),
        },
        _ => Outcome::Pass,
    }
}

/// seccomp(2): a filter is the whole process's, as if the program had asked for that (SECCOMP_FILTER_FLAG_TSYNC).
pub fn seccomp(worker: &mut Worker, call: &mut Frame) -> Outcome {
    const SET_MODE_FILTER: u64 = 1;
    const FOR_ALL_THREADS: u64 = 1;
    if call.rdi > SET_MODE_FILTER || call.rsi & FOR_ALL_THREADS != 0 {
        super::io::together::refuse(worker);
        return Outcome::Pass;
    }
    restrict(worker, Sysno::seccomp)
}

fn restrict(worker: &mut Worker, number: Sysno) -> Outcome {
    // A filter may forbid what only grivet's own ring asks for.
    super::io::together::refuse(worker);
    say_whole_process(worker, number);
    Outcome::Pass
}

/// setuid(2) and its kin, which for the kernel are about one thread. The C library has every thread make the call when one
/// of them asks, by a signal to each, so that the whole process is meant; a thread that makes it without that means
/// itself, which can't be had.
pub fn change_ids(worker: &mut Worker, call: &Frame, number: Sysno) -> Outcome {
    const NOBODY: u32 = u32::MAX;
    if matches!(number, Sysno::setfsuid | Sysno::setfsgid) && call.rdi as u32 == NOBODY {
        // Asks for the present one.
        return Outcome::Pass;
    }
    super::pool::retire(worker);
    if worker.expected_id_changes > 0 {
        worker.expected_id_changes -= 1;
        // For the kernel it is one thread that calls, and twice is not the same as once: an unprivileged setuid(0) may
        // set the effective id alone, and the next, privileged by then, all three.
        let made = [number as usize, call.rdi as usize, call.rsi as usize, call.rdx as usize];
        let answer = match worker.id_change.take() {
            Some((of, answer)) if of == made => answer,
            // SAFETY: the program's own call.
            _ => unsafe { crate::raw::call(number as u32, call.arguments()) },
        };
        if worker.expected_id_changes > 0 {
            worker.id_change = Some((made, answer));
        }
        return Outcome::Done(answer);
    }
    say_whole_process(worker, number);
    Outcome::Pass
}

/// unshare(2) and setns(2). One that fails, or that asks for nothing, changes nothing for anybody.
pub fn change_namespaces(worker: &mut Worker, call: &Frame, number: Sysno) -> Outcome {
    super::pool::retire(worker);
    // SAFETY: the program's own call.
    let answer = unsafe { crate::raw::call(number as u32, call.arguments()) };
    if answer == 0 && (number == Sysno::setns || call.rdi != 0) {
        say_whole_process(worker, number);
    }
    Outcome::Done(answer)
}

/// A thread is sent `signal` by another: if it is the one by which the C library has all threads change their ids, that
/// thread and the one that asks will do so.
pub fn signal_is_sent(worker: &mut Worker, signal: usize) {
    const SIGSETXID: usize = 33;
    if signal == SIGSETXID {
        if worker.expected_id_changes == 0 {
            worker.id_change = None;
        }
        worker.expected_id_changes = worker.expected_id_changes.max(1) + 1;
    }
}

fn say_whole_process(worker: &mut Worker, number: Sysno) {
    if !worker.is_single() && !core::mem::replace(&mut worker.stats.said_whole_process, true) {
        let tid = worker.tasks[worker.current].tid;
        say!("thread {tid} calls {number} for itself alone; under grivet it holds for all threads of the process");
    }
}
