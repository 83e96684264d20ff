//! Grivet's signal handler: the one function that the kernel calls for every signal the program handles. It runs on a
//! stack of its own with all signals blocked, and only notes what came; then it sends execution where the note will be
//! seen before a task goes on. Where that is depends on what was interrupted (`gate::place`): the program's code, or
//! grivet's.

use super::frame::{self, SigInfo, UContext};
use super::{FAULTS, SIG_DFL, bit};
use crate::arch::x86_64::frame::RED_ZONE;
use crate::arch::x86_64::gate::{self, Place};
use crate::arch::x86_64::user_memory;
use crate::kernel::{cpu_time, pool, preempt, scheduling, unseen};
use crate::observe::blocking;
use crate::raw;
use crate::report::{overflow, say};
use crate::sched::task::{NONE, TaskId};
use crate::sched::worker::{WORKER, Worker};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use linux_raw_sys::general::{SA_NODEFER, SA_ONSTACK, SIGBUS, SIGSEGV};
use syscalls::Sysno;

/// A signal that came.
#[derive(Clone, Copy)]
pub struct Arrival {
    pub info: SigInfo,
    /// The running task's own instruction raised it.
    pub is_fault: bool,
    /// The task that it is for, if that is known: `NONE` otherwise.
    pub target: TaskId,
}

const ROOM: usize = 64;

/// Notes between the handler, which interrupts the worker, and the worker: one writes, one reads, on one kernel thread.
struct Notes {
    entries: UnsafeCell<[Arrival; ROOM]>,
    written: AtomicUsize,
    read: AtomicUsize,
}

// SAFETY: an entry is written before `written` passes it and read only then, on the same kernel thread.
unsafe impl Sync for Notes {}

static NOTES: Notes = Notes {
    entries: UnsafeCell::new([Arrival { info: SigInfo::NONE, is_fault: false, target: NONE }; ROOM]),
    written: AtomicUsize::new(0),
    read: AtomicUsize::new(0),
};

/// The oldest note.
pub fn take() -> Option<Arrival> {
    let read = NOTES.read.load(Ordering::Relaxed);
    if read == NOTES.written.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: the entry was written (see `Notes`), and the writer does not come here again before `read` passes it.
    let arrival = unsafe { (*NOTES.entries.get())[read % ROOM] };
    NOTES.read.store(read + 1, Ordering::Release);
    Some(arrival)
}

/// Notes a signal; whether there is room for more.
fn note(info: SigInfo, is_fault: bool) -> bool {
    let written = NOTES.written.load(Ordering::Relaxed);
    // SAFETY: `arrive` keeps the kernel from sending more when the last entry is taken.
    unsafe { (*NOTES.entries.get())[written % ROOM] = Arrival { info, is_fault, target: NONE } };
    NOTES.written.store(written + 1, Ordering::Release);
    written + 1 - NOTES.read.load(Ordering::Relaxed) < ROOM - 1
}

/// The newest note of `signal` is for `task`: the kernel raised it by a call that was made in that task's name.
pub fn claim(signal: u32, task: TaskId) {
    let (read, written) = (NOTES.read.load(Ordering::Relaxed), NOTES.written.load(Ordering::Acquire));
    for place in (read..written).rev() {
        // SAFETY: the entries between the two were written; the handler only adds behind them.
        let entry = unsafe { &mut (*NOTES.entries.get())[place % ROOM] };
        if entry.info.si_signo as u32 == signal && entry.target == NONE {
            entry.target = task;
            return;
        }
    }
}

/// A tick of the slice timer came while grivet was at work: it counts on the way out, lest a task that makes one call
/// after the other keep the processor.
static TICKED_INSIDE: AtomicBool = AtomicBool::new(false);

/// Whether that was so, and the current task must give way.
pub fn slice_ended_inside(worker: &mut Worker) -> bool {
    if !TICKED_INSIDE.load(Ordering::Relaxed) {
        return false;
    }
    TICKED_INSIDE.store(false, Ordering::Relaxed);
    cpu_time::charge(worker);
    let has_had_slice = worker.preemption.tick_inside(worker.stats.switches);
    scheduling::may_slice(worker, has_had_slice)
}

/// A tick came: whether the current task has had its slice.
fn slice_is_over(worker: &mut Worker) -> bool {
    let has_had_slice = worker.preemption.tick(worker.tasks.live, worker.stats.switches);
    worker.discards.flush(&mut worker.arena);
    cpu_time::charge(worker);
    scheduling::may_slice(worker, has_had_slice)
}

/// The handler, as rt_sigaction(2) knows it.
///
/// # Safety
/// Called by the kernel only.
pub unsafe extern "C" fn arrive(signal: i32, info: *const SigInfo, context: *mut UContext) {
    // SAFETY: the kernel passes valid pointers into the frame that it has just written.
    let (info, context) = unsafe { (*info, &mut *context) };
    let is_fault = FAULTS & bit(signal as u32) != 0 && info.si_code > 0;
    if is_fault && let Some(rip) = user_memory::fixup(context.registers.rip) {
        context.registers.rip = rip;
        return;
    }
    let worker = WORKER.get();
    if pool::is_own_stack(context.registers.rsp) {
        arrive_in_pool(&info, context);
        return;
    }
    // SAFETY: plain words; a thread that is not the worker is none of grivet's, and what it reads may be old but not torn.
    if unsafe { may_be_stranger(&*worker) } && raw::gettid() != gate::kernel_thread() {
        arrive_at_stranger(signal, info, is_fault, context);
        return;
    }
    // SAFETY: atomics, and fields that do not change after activation.
    if unsafe { (*worker).watchdog.is_tick(&info) } {
        if let Place::GoingIdle(skip) = gate::place(context.registers.rip) {
            context.registers.rip = skip;
        }
        // SAFETY: as above.
        unsafe { (*worker).watchdog.tick() };
        return;
    }
    // SAFETY: shared fields only (own_text, stack bounds, atomics), which do not change after activation.
    let (inside, is_tick) = unsafe { (is_inside(&*worker, context), (*worker).preemption.is_tick(&info)) };
    let place = gate::place(context.registers.rip);
    // SAFETY: atomics, and fields that do not change after activation.
    if unsafe { (*worker).observer.blocking.is_tick(&info) } {
        blocking_tick(worker, info, inside || place != Place::Elsewhere, context);
        return;
    }
    // SAFETY: atomics, and fields that do not change while the timer exists.
    let preemption = unsafe { &(*worker).preemption };
    if preemption.unseen.is_tick(&info) {
        if inside || place != Place::Elsewhere {
            preemption.unseen.tick_inside();
        } else {
            // SAFETY: the program runs, so nothing of grivet's holds a reference to the worker.
            unseen::tick(unsafe { &mut *worker }, &mut context.registers);
        }
        return;
    }
    if is_fault && inside {
        // SAFETY: the process is about to die; nothing of the worker is used that could be half changed.
        internal_fault(unsafe { &*worker }, &info, context);
        return;
    }
    match place {
        Place::Leaving | Place::LeavingSigreturn => {
            if is_tick {
                return;
            }
            if place == Place::LeavingSigreturn {
                context.registers.rax = (context.registers.rsp - 8) | 1;
            }
            note_and_hold(worker, info, context);
            context.registers.rip = gate::recheck_address();
        }
        Place::GoingIdle(skip) => {
            if !is_tick {
                note_and_hold(worker, info, context);
                context.registers.rip = skip;
            }
        }
        Place::LeavingJump => {
            context.registers.rip = context.registers.rcx;
            interrupt_program(worker, info, is_fault, is_tick, context);
        }
        Place::Elsewhere if inside => {
            if is_tick {
                TICKED_INSIDE.store(true, Ordering::Relaxed);
                // SAFETY: one atomic word.
                unsafe { (*worker).want_attention() };
            } else {
                note_and_hold(worker, info, context);
            }
        }
        Place::Elsewhere => interrupt_program(worker, info, is_fault, is_tick, context),
    }
}

/// A thread of the pool was interrupted: it is to leave its call. A signal of that number that was not for it goes to
/// the worker.
fn arrive_in_pool(info: &SigInfo, context: &mut UContext) {
    const SI_TKILL: i32 = -6;
    if let Place::GoingIdle(skip) = gate::place(context.registers.rip) {
        context.registers.rip = skip;
    }
    if info.si_code != SI_TKILL {
        hand_to_worker(info);
    }
}

/// Whether it may be a kernel thread of the program's own making, or a child in this memory, that was interrupted.
fn may_be_stranger(worker: &Worker) -> bool {
    worker.has_strangers() || (worker.current != NONE && worker.tasks[worker.current].shares_memory != 0)
}

/// Such a thread is not grivet's business: the program's handler runs in it right here, as the kernel would have it. What
/// the program does not handle is for the worker.
fn arrive_at_stranger(signal: i32, mut info: SigInfo, is_fault: bool, context: &mut UContext) {
    // SAFETY: the program's actions are plain words, which a thread may change at any time natively, too.
    let action = unsafe { (*WORKER.get()).signals.actions[signal as usize] };
    if action.is_handled() {
        let own = if action.flags & u64::from(SA_NODEFER) == 0 { bit(signal as u32) } else { 0 };
        raw::set_signal_mask(context.mask | action.mask | own);
        // SAFETY: the address that the program gave as its handler's.
        let handler = unsafe {
            core::mem::transmute::<usize, extern "C" fn(i32, *mut SigInfo, *mut UContext)>(action.handler as usize)
        };
        handler(signal, &raw mut info, &raw mut *context);
    } else if is_fault {
        super::delivery::default_in_kernel(signal as u32);
        context.mask &= !bit(signal as u32);
    } else {
        hand_to_worker(&info);
    }
}

/// The signal was not for the interrupted thread.
fn hand_to_worker(info: &SigInfo) {
    let (process, thread) = (raw::getpid() as usize, gate::kernel_thread() as usize);
    let arguments = [process, thread, info.si_signo as usize, &raw const *info as usize, 0, 0];
    // SAFETY: the kernel reads the siginfo.
    unsafe { raw::call(Sysno::rt_tgsigqueueinfo as u32, arguments) };
}

/// A tick of the timer that looks for tasks which keep others waiting.
fn blocking_tick(worker: *mut Worker, info: SigInfo, inside: bool, context: &mut UContext) {
    // SAFETY: the clock does not change after activation, and the detector's fields are atomic.
    let (is_long, now) = unsafe {
        let now = (*worker).clock.now();
        ((*worker).observer.blocking.tick(now), now)
    };
    if inside {
        if is_long {
            // SAFETY: one atomic word.
            unsafe { (*worker).want_attention() };
        }
        return;
    }
    // SAFETY: the program runs, so nothing of grivet's holds a reference to the worker.
    let worker = unsafe { &mut *worker };
    if !blocking::others_wait(worker) {
        worker.observer.blocking.begin_anew(now);
    } else if is_long {
        put_aside(worker, info, Why::Blocking, context);
    }
}

/// Whether grivet itself was interrupted: its code, or what it called on the worker's stack (the vDSO).
fn is_inside(worker: &Worker, context: &UContext) -> bool {
    worker.signals.own_text.contains(&context.registers.rip)
        || (worker.stack_bottom as u64..worker.stack_top as u64).contains(&context.registers.rsp)
}

/// Notes a signal while grivet is at work; it is seen on the way out.
fn note_and_hold(worker: *mut Worker, info: SigInfo, context: &mut UContext) {
    let has_room = note(info, false);
    // SAFETY: one atomic word.
    unsafe { (*worker).want_attention() };
    if !has_room {
        // The rest waits in the kernel until these have been looked after (`look_after`).
        context.mask = u64::MAX;
        // SAFETY: a plain word, which the interrupted code only ever sets after comparing it.
        unsafe { (*worker).signals.kernel_mask = u64::MAX };
    }
}

/// The end of `size` bytes of grivet's own for the registers of the running task, which hold one frame at a time. None
/// if there is no memory.
fn aside(worker: &mut Worker, size: usize) -> Option<u64> {
    let current = worker.current;
    let room = &mut worker.tasks[current].extra().aside;
    if room.len() < size {
        room.try_reserve_exact(size - room.len()).ok()?;
        room.resize(size, 0);
    }
    Some(room.as_ptr_range().end as u64)
}

/// Why the program's own code does not go on at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Fault,
    Signal,
    /// Its slice is over.
    Slice,
    /// It has kept others waiting, which is to be reported.
    Blocking,
}

/// The program's own code was interrupted.
fn interrupt_program(worker: *mut Worker, info: SigInfo, is_fault: bool, is_tick: bool, context: &mut UContext) {
    // SAFETY: the program runs, so nothing of grivet's holds a reference to the worker.
    let worker = unsafe { &mut *worker };
    if is_tick && (!slice_is_over(worker) || !blocking::others_wait(worker)) {
        return;
    }
    let handler = worker.signals.actions[info.si_signo as usize].handler;
    if is_fault && info.si_signo as u32 == SIGSEGV && handler == SIG_DFL {
        overflow::report(worker, info.address(), context.registers.rsp);
    }
    let why = match (is_fault, is_tick) {
        (true, _) => Why::Fault,
        (_, true) => Why::Slice,
        _ => Why::Signal,
    };
    put_aside(worker, info, why, context);
}

/// The registers of the interrupted program are put aside, and the worker takes over.
fn put_aside(worker: &mut Worker, info: SigInfo, why: Why, context: &mut UContext) {
    let is_fault = why == Why::Fault;
    let action = &worker.signals.actions[info.si_signo as usize];
    let mut below = context.registers.rsp - RED_ZONE as u64;
    let kernel_frame = (&raw mut *context as usize) - size_of::<u64>();
    if !is_fault {
        // Not on its stack: the program may have told the kernel to stay off it (SA_ONSTACK) because it uses rsp for
        // its own purposes, as Erlang's compiled code does, and it need not be this task that the signal is for.
        // SAFETY: the frame is the kernel's.
        below = aside(worker, unsafe { frame::room_for_copy(kernel_frame) }).unwrap_or(below);
    } else if action.flags & u64::from(SA_ONSTACK) != 0
        && let Some(top) = super::delivery::alternate_top(worker, worker.current, below)
    {
        below = top;
    }
    // SAFETY: the kernel's frame begins one word below its context; below the interrupted rsp the stack is free.
    match unsafe { frame::copy_below(kernel_frame, below) } {
        Ok(place) => {
            match why {
                Why::Slice => worker.preemption.set_slice_over(),
                Why::Blocking => {}
                Why::Signal | Why::Fault => {
                    note(info, is_fault);
                }
            }
            worker.want_attention();
            context.registers.go_to(gate::recheck_address(), place | 1);
            context.mask = worker.signals.kernel_mask;
        }
        Err(_) if is_fault => {
            // No room on its stack to handle the fault, as after an overflow: the kernel would end the process.
            super::delivery::default_in_kernel(info.si_signo as u32);
            context.mask &= !bit(info.si_signo as u32);
        }
        Err(_) if matches!(why, Why::Slice | Why::Blocking) => {}
        Err(_) => note_and_hold(&raw mut *worker, info, context),
    }
}

/// A fault in grivet's own code: the gate had no room left on the task's stack, or it is a bug. Says which, and lets
/// the process die as the fault would have it.
fn internal_fault(worker: &Worker, info: &SigInfo, context: &mut UContext) {
    let signal = info.si_signo as u32;
    if !overflow::report(worker, info.address(), context.registers.rsp) {
        say!("internal error: signal {signal} at {:#x} in libgrivet.so; please report it", context.registers.rip);
    }
    super::delivery::default_in_kernel(signal);
    context.mask &= !(bit(signal) | bit(SIGBUS) | bit(preempt::SIGNAL));
}
