//! The CPUs that tasks ask for. All of them run where the worker does: to move it at each switch would take longer than
//! the switch by a factor of hundreds. A mask is checked, noted and given back, and a task whose mask leaves out the
//! worker's CPU is told that it runs on the first one of its mask (getcpu(2)). The worker may be wherever one of the tasks
//! may; a process of one thread is the kernel's to move, and has its own mask again when it is one.

use super::scheduling::subject;
use super::signal::frame::{SigContext, SignalFrame, UContext};
use super::{Outcome, error};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::raw;
use crate::rewrite::getcpu as vdso;
use crate::sched::task::TaskId;
use crate::sched::worker::Worker;
use alloc::boxed::Box;
use core::mem::offset_of;
use syscalls::{Errno, Sysno};

/// Bytes of the largest mask that is looked at.
const LARGEST: usize = 1024;

/// What is kept for the worker.
pub struct Affinity {
    /// Where the vDSO is, whose own getcpu has not been rewritten; 0 if there is none, or it has been.
    pub vdso: usize,
    /// A task has a mask of its own.
    pub is_noted: bool,
    /// What tasks without one have, if that is not the worker's any more.
    common: Option<Box<[u8]>>,
}

impl Affinity {
    pub const fn new() -> Affinity {
        Affinity { vdso: 0, is_noted: false, common: None }
    }
}

/// sched_setaffinity(2).
pub fn sched_setaffinity(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [tid, size, address, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    let mut present = [0u8; LARGEST];
    let Ok(length) = mask_of_worker(&mut present) else { return Outcome::Pass };
    let mut wanted = alloc::vec![0u8; length];
    // SAFETY: at most `length` bytes are written to `wanted`.
    if let Err(errno) = unsafe { user::copy(wanted.as_mut_ptr() as usize, address, size.min(length)) } {
        return Outcome::Done(error(errno));
    }
    if worker.is_single() {
        return Outcome::Pass;
    }
    let present = &present[..length];
    if !holds_all(present, &wanted) {
        match widen(&mut wanted, present) {
            Ok(()) if worker.affinity.common.is_none() => worker.affinity.common = Some(Box::from(present)),
            Ok(()) => {}
            Err(errno) => return Outcome::Done(error(errno)),
        }
    }
    if wanted.iter().all(|&byte| byte == 0) {
        return Outcome::Done(error(Errno::EINVAL));
    }
    let leaves_some_out = !holds_all(&wanted, present) || worker.affinity.common.is_some();
    worker.tasks[id].extra().affinity = Some(wanted.into_boxed_slice());
    worker.affinity.is_noted = true;
    if leaves_some_out {
        answer_getcpu(worker);
    }
    Outcome::Done(0)
}

/// Whether all CPUs of `inner` are in `outer`.
fn holds_all(outer: &[u8], inner: &[u8]) -> bool {
    outer.iter().zip(inner).all(|(&outer, &inner)| inner & !outer == 0)
}

/// Lets the worker run on the CPUs of `wanted` besides those of `present`, and takes out of `wanted` what the process may
/// not have, which only the kernel knows.
fn widen(wanted: &mut [u8], present: &[u8]) -> Result<(), Errno> {
    set_mask_of_worker(wanted)?;
    let mut possible = [0u8; LARGEST];
    let known = mask_of_worker(&mut possible);
    wanted.iter_mut().zip(&possible).for_each(|(byte, &possible)| *byte &= possible);
    let mut all = possible;
    all.iter_mut().zip(present).for_each(|(byte, &present)| *byte |= present);
    set_mask_of_worker(&all[..present.len()])?;
    known.map(drop)
}

fn set_mask_of_worker(mask: &[u8]) -> Result<(), Errno> {
    let arguments = [0, mask.len(), mask.as_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel reads the mask.
    raw::check(unsafe { raw::call(Sysno::sched_setaffinity as u32, arguments) }).map(drop)
}

/// One task is left: its mask becomes the kernel's.
#[cold]
pub fn leave_one(worker: &mut Worker) {
    let Some(id) = worker.tasks.iter().next() else { return };
    let own = worker.tasks[id].extra.as_mut().and_then(|extra| extra.affinity.take());
    let common = worker.affinity.common.take();
    worker.affinity.is_noted = false;
    if let Some(mask) = own.or(common) {
        // A CPU that the process may not have any more is the kernel's to refuse.
        let _ = set_mask_of_worker(&mask);
    }
}

/// The mask that task `id` has, if it is not the worker's.
fn mask_of(worker: &Worker, id: TaskId) -> Option<&[u8]> {
    let own = worker.tasks[id].extra.as_ref().and_then(|extra| extra.affinity.as_deref());
    own.or(worker.affinity.common.as_deref())
}

/// The kernel's mask of the worker's thread; its length.
fn mask_of_worker(mask: &mut [u8; LARGEST]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the buffer's size.
    raw::check(unsafe {
        raw::call(Sysno::sched_getaffinity as u32, [0, mask.len(), mask.as_mut_ptr() as usize, 0, 0, 0])
    })
}

/// sched_getaffinity(2).
pub fn sched_getaffinity(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [tid, size, address, ..] = call.arguments();
    let Some(id) = subject(worker, tid as i32) else { return Outcome::Pass };
    let Some(set) = mask_of(worker, id) else {
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

/// From now on tasks that ask where they run come here, by way of the vDSO too. Where that can't be changed, they are told
/// the worker's CPU.
fn answer_getcpu(worker: &mut Worker) {
    let base = worker.affinity.vdso;
    // Kernel threads of the program's own making may be running the vDSO's code.
    if base == 0 || worker.has_strangers() {
        return;
    }
    let Some(place) = vdso::place(base) else { return };
    let is_inside = |rip: u64| (place.start + 1..place.end).contains(&(rip as usize));
    if worker.tasks.iter().filter_map(|id| interrupted_at(worker, id)).any(is_inside) {
        // The next mask that is noted tries again. (A handler that runs on top of such a task is not seen; it would have to
        // come between the function's first two instructions, and make the first mask of the process.)
        return;
    }
    worker.affinity.vdso = 0;
    let _ = vdso::make_call(base, &place);
}

/// Where in its own code task `id` was interrupted.
fn interrupted_at(worker: &Worker, id: TaskId) -> Option<u64> {
    const RIP: usize = offset_of!(SignalFrame, context) + offset_of!(UContext, registers) + offset_of!(SigContext, rip);
    // The current one's is of another time.
    let frame = worker.tasks[id].resume.as_signal().filter(|_| id != worker.current)?;
    // SAFETY: a plain word.
    unsafe { user::read(frame + RIP) }.ok()
}

/// getcpu(2). The node is the worker's: that is where the memory that a task touches comes from.
pub fn getcpu(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [place, node, ..] = call.arguments();
    let Some(mask) = mask_of(worker, worker.current) else { return Outcome::Pass };
    let Some(byte) = mask.iter().position(|&byte| byte != 0) else { return Outcome::Pass };
    let first = byte as u32 * u8::BITS + mask[byte].trailing_zeros();
    let mut cpu = first;
    let is_only = mask.iter().map(|byte| byte.count_ones()).sum::<u32>() == 1;
    if !is_only || node != 0 {
        let mut own = 0u32;
        // SAFETY: the kernel writes two numbers, the second to the program's own word.
        let answer = unsafe { raw::call(Sysno::getcpu as u32, [&raw mut own as usize, node, 0, 0, 0, 0]) };
        if answer != 0 {
            return Outcome::Done(answer);
        }
        if mask.get((own / u8::BITS) as usize).is_some_and(|byte| byte >> (own % u8::BITS) & 1 != 0) {
            cpu = own;
        }
    }
    let told = if place == 0 { Ok(()) } else { user::write(place, &cpu) };
    Outcome::Done(told.map_or_else(error, |()| 0))
}
