//! A worker: one kernel thread that runs tasks, with everything that it owns. It switches tasks by choosing which saved
//! frame the gate returns to. Nothing here blocks but `idle.rs`.

use crate::arch::x86_64::cpu::{Cpu, FloatControl};
use crate::arch::{Frame, Resume};
use crate::config::Config;
use crate::kernel;
use crate::kernel::affinity::Affinity;
use crate::kernel::child::Children;
use crate::kernel::cpu_time::CpuTime;
use crate::kernel::io::ring::ProgramRings;
use crate::kernel::io::together::Together;
use crate::kernel::memory::Discards;
use crate::kernel::pool::Pool;
use crate::kernel::proc_files::ProcFiles;
use crate::kernel::signal::Signals;
use crate::kernel::signal::descriptor::SignalFiles;
use crate::kernel::watched::Watchdog;
use crate::observe::{self, Observer};
use crate::report::stats::Stats;
use crate::sched::arena::StackArena;
use crate::sched::clock::Clock;
use crate::sched::descriptors::Descriptors;
use crate::sched::parking::Parking;
use crate::sched::poller::Poller;
use crate::sched::run_queue::RunQueue;
use crate::sched::task::{NONE, State, TaskId, Tasks, Wait};
use crate::sched::timers::Timers;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};

/// Switches after which timers and pollers are looked at even though tasks are ready.
pub const SWITCHES_BETWEEN_LOOKS: u32 = 64;

/// One kernel thread's scheduler.
#[repr(C)]
pub struct Worker {
    /// Where the gate puts rsp before it calls `kernel::enter`.
    pub stack_top: usize,
    /// Lowest address of the worker's own stack.
    pub stack_bottom: usize,
    /// Non-zero: signals were noted, to be looked after before a task goes on.
    pub attention: AtomicU32,
    pub current: TaskId,
    /// The thread pointer that is loaded, so that it is not loaded again.
    loaded_fs: u64,
    loaded_float: FloatControl,
    pub until_look: u32,
    /// CLOCK_MONOTONIC in units of 2^20 ns, as of the last look around: when tasks began to wait (`Task::since`).
    pub coarse_time: u32,
    /// Someone wants to know of each change of a task's state: `observe`, or the CPU clocks of tasks.
    pub is_watched: bool,
    pub tasks: Tasks,
    pub run_queue: RunQueue,
    pub parking: Parking,
    pub timers: Timers,
    pub arena: StackArena,
    pub discards: Discards,
    pub clock: Clock,
    pub cpu_time: CpuTime,
    pub affinity: Affinity,
    pub cpu: Cpu,
    pub stats: Stats,
    pub observer: Observer,
    pub signals: Signals,
    pub signal_files: SignalFiles,
    pub program_rings: ProgramRings,
    pub descriptors: Descriptors,
    pub poller: Poller,
    pub together: Together,
    pub pool: Pool,
    pub children: Children,
    pub watchdog: Watchdog,
    /// Time stamp counter at the last look around.
    pub looked_at: u64,
    pub shared_waiters: Vec<TaskId>,
    pub proc_files: ProcFiles,
    /// Bits of a futex address that the short way is not for: the lowest two, or all if the program has kernel threads of
    /// its own.
    pub unfit_for_fast_futex: u64,
    pub directed_timers: crate::kernel::timer::Timers,
    pub cpu_timers: crate::kernel::cpu_timers::CpuTimers,
    pub config: Config,
    pub preemption: crate::kernel::preempt::Preemption,
    /// The name that threads without one of their own have.
    pub name: [u8; 16],
    /// The process's real id, and that of the kernel thread.
    pub pid: i32,
    /// Exit status that main gave when it ended before others.
    pub main_status: i32,
    /// System calls are rewritten, and enter the gate.
    pub is_awake: bool,
    /// Calls like setuid(2) that the C library has its threads make.
    pub expected_id_changes: u32,
    /// The first of these calls, with its arguments, and what the kernel answered.
    pub id_change: Option<([usize; 4], isize)>,
    /// That all tasks are stuck has been said.
    pub said_stuck: bool,
}

/// Holds the worker; only its kernel thread touches it.
pub struct WorkerCell(UnsafeCell<Worker>);

// SAFETY: one kernel thread runs grivet's tasks; the gate sends any other straight to the kernel.
unsafe impl Sync for WorkerCell {}

/// The one worker of today.
pub static WORKER: WorkerCell = WorkerCell(UnsafeCell::new(Worker {
    stack_top: 0,
    stack_bottom: 0,
    attention: AtomicU32::new(0),
    current: NONE,
    loaded_fs: 0,
    loaded_float: FloatControl::NONE,
    until_look: SWITCHES_BETWEEN_LOOKS,
    coarse_time: 0,
    is_watched: false,
    tasks: Tasks::new(),
    run_queue: RunQueue::new(),
    parking: Parking::new(),
    timers: Timers::new(),
    arena: StackArena::new(),
    discards: Discards::new(),
    clock: Clock::new(),
    cpu_time: CpuTime::new(),
    affinity: Affinity::new(),
    cpu: Cpu::NONE,
    stats: Stats::new(),
    observer: Observer::new(),
    signals: Signals::new(),
    signal_files: SignalFiles::new(),
    program_rings: ProgramRings::new(),
    descriptors: Descriptors::new(),
    poller: Poller::new(),
    together: Together::new(),
    pool: Pool::new(),
    children: Children::new(),
    watchdog: Watchdog::new(),
    looked_at: 0,
    shared_waiters: Vec::new(),
    proc_files: ProcFiles::new(),
    unfit_for_fast_futex: 3,
    directed_timers: crate::kernel::timer::Timers::new(),
    cpu_timers: crate::kernel::cpu_timers::CpuTimers::new(),
    config: Config::DEFAULT,
    preemption: crate::kernel::preempt::Preemption::new(),
    name: [0; 16],
    pid: 0,
    main_status: 0,
    is_awake: false,
    expected_id_changes: 0,
    id_change: None,
    said_stuck: false,
}));

/// The unit of `Worker::coarse_time` is so many bits of a nanosecond: about a millisecond.
pub const COARSE_SHIFT: u32 = 20;

/// `ns` in the unit of `Worker::coarse_time`; it wraps around after 52 days.
pub fn coarse(ns: u64) -> u32 {
    (ns >> COARSE_SHIFT) as u32
}

impl WorkerCell {
    /// The worker's address.
    pub fn get(&self) -> *mut Worker {
        self.0.get()
    }
}

impl Worker {
    /// Makes the calling kernel thread's own thread the first task, running.
    pub fn adopt_main(&mut self, fs_base: u64, tid: i32) -> Result<(), syscalls::Errno> {
        let this: *mut Worker = self;
        let id = self.tasks.allocate(this)?;
        let task = &mut self.tasks[id];
        task.fs_base = fs_base;
        task.tid = tid as u32;
        task.state = State::Running;
        self.current = id;
        self.loaded_fs = fs_base;
        self.loaded_float = FloatControl::current();
        Ok(())
    }

    /// Saves what the gate's frame leaves out, so that the current task can give up the processor.
    #[inline(always)]
    pub fn suspend(&mut self, frame: *mut Frame) {
        let current = self.current;
        let task = &mut self.tasks[current];
        task.float_control.store();
        self.loaded_float = task.float_control;
        task.slices = 0;
        task.resume = Resume::gate(frame);
        // SAFETY: the frame is live: it lies on the suspended task's stack.
        let frame = unsafe { &mut *frame };
        if frame.extended != 0 {
            self.suspend_extended(frame);
        }
    }

    #[cold]
    fn suspend_extended(&mut self, frame: &mut Frame) {
        let size = self.cpu.extended_size();
        if size != 0 {
            let area = ((&raw const *frame as usize) - size) & !63;
            // SAFETY: below the frame the task's stack is free (the red zone is above it) and 64-aligned here.
            if unsafe { self.cpu.save_extended(area as *mut u8) } {
                // Whoever goes on expects none of them in use.
                self.loaded_float.load_afresh();
            }
            frame.extended = area as u64;
        }
    }

    /// Parks the current task, which has been entered wherever it waits.
    #[inline(always)]
    pub fn park(&mut self, frame: *mut Frame, wait: Wait) {
        self.suspend(frame);
        let current = self.current;
        let task = &mut self.tasks[current];
        task.state = State::Parked;
        task.wait = wait;
        task.since = self.coarse_time;
        if self.is_watched {
            observe::parked(self, current);
        }
    }

    /// The gate frame of a parked task.
    #[inline(always)]
    pub fn frame_of(&mut self, id: TaskId) -> &mut Frame {
        let frame = self.tasks[id].resume.as_gate().expect("a parked task came through the gate");
        // SAFETY: a parked task's frame lies untouched on its stack until it goes on.
        unsafe { &mut *frame }
    }

    /// Completes a parked task's call with `result` and makes it ready. It stands in no queue of waiters any more.
    #[inline(always)]
    pub fn wake(&mut self, id: TaskId, result: isize) {
        self.frame_of(id).answer(result);
        self.make_ready(id);
    }

    /// Puts a parked task into the run queue.
    #[inline(always)]
    pub fn make_ready(&mut self, id: TaskId) {
        let task = &mut self.tasks[id];
        task.wait = Wait::Nothing;
        task.since = self.coarse_time;
        if self.is_watched {
            observe::ready(self, id);
        }
        self.run_queue.push(&mut self.tasks, id);
    }

    /// Lets the current task, suspended already, go to the end of the run queue.
    pub fn yield_current(&mut self) {
        let current = self.current;
        if self.is_watched {
            observe::ready(self, current);
        }
        self.run_queue.push(&mut self.tasks, current);
    }

    /// Chooses the task that goes on. The current one must be suspended, or gone.
    #[inline(always)]
    pub fn schedule(&mut self) -> Resume {
        if self.until_look > 1
            && let Some(id) = self.run_queue.pop(&mut self.tasks)
        {
            self.until_look -= 1;
            if !self.tasks[id].retries || kernel::io::retry(self, id) {
                return self.switch_to(id);
            }
        }
        self.schedule_after_look()
    }

    /// As `schedule`, when it is time to look around, or nothing is ready.
    #[cold]
    fn schedule_after_look(&mut self) -> Resume {
        let mut has_idled = false;
        let id = loop {
            if self.attention.load(Ordering::Relaxed) != 0 {
                // Attempts that could wait are not made before the signals have been looked after.
                kernel::signal::look_after(self);
            }
            if self.until_look <= 1 || self.has_not_looked_for_long() {
                self.look_around();
            }
            match self.run_queue.pop(&mut self.tasks) {
                Some(id) if !self.tasks[id].retries || kernel::io::retry(self, id) => break id,
                Some(_) => self.until_look -= 1,
                None => {
                    self.idle();
                    has_idled = true;
                }
            }
        };
        if has_idled {
            self.preemption.wakes_up();
        }
        self.switch_to(id)
    }

    #[cold]
    fn watch_switch(&mut self, id: TaskId) {
        if self.cpu_time.is_on {
            kernel::cpu_time::charge_at_switch(self, id);
        }
        if self.observer.is_on() {
            observe::runs(self, id);
        }
        if self.observer.blocking.is_on() {
            self.observer.blocking.switched(self.clock.now());
        }
    }

    #[inline(always)]
    fn switch_to(&mut self, id: TaskId) -> Resume {
        self.stats.switches += 1;
        if self.is_watched {
            self.watch_switch(id);
        }
        let task = &mut self.tasks[id];
        task.state = State::Running;
        self.run_queue.real_time.running = task.priority;
        let (fs_base, resume, float_control) = (task.fs_base, task.resume, task.float_control);
        if fs_base != self.loaded_fs {
            self.loaded_fs = fs_base;
            // SAFETY: from here on only that task's code uses thread-local storage.
            unsafe { self.cpu.set_fs_base(fs_base) };
        }
        self.current = id;
        if let Some(frame) = resume.as_gate() {
            if float_control != self.loaded_float {
                float_control.load();
                self.loaded_float = float_control;
            }
            // SAFETY: the frame lies on the task's stack until it goes on.
            let extended = unsafe { (*frame).extended };
            if extended > 1 {
                // SAFETY: `suspend_extended` made this area below the frame, and the task has not run since.
                unsafe { self.cpu.load_extended(extended as *const u8) };
                // SAFETY: as above.
                unsafe { (*frame).extended = 1 };
            }
        } else if let Some(place) = resume.as_signal() {
            crate::kernel::signal::prepare_return(self, place);
        }
        resume
    }

    /// A signal frame brings its own floating point settings: what is loaded is no longer known.
    pub fn forget_float_control(&mut self) {
        self.loaded_float = FloatControl::current();
    }

    /// Task `id`'s name, without padding.
    pub fn name_of(&self, id: TaskId) -> &[u8] {
        let own = self.tasks[id].extra.as_ref().map(|extra| &extra.name).filter(|name| name[0] != 0);
        let name = own.unwrap_or(&self.name);
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        &name[..end]
    }

    /// Asks for a look at what has happened before any task goes on.
    pub fn want_attention(&self) {
        self.attention.store(1, Ordering::Relaxed);
    }

    /// Whether one task alone is alive. Then it makes its calls itself, and no tick of grivet's may cut one short.
    #[inline(always)]
    pub fn is_alone(&mut self) -> bool {
        if !self.is_single() {
            return false;
        }
        self.preemption.rest();
        self.watchdog.rest();
        self.observer.blocking.rest();
        true
    }

    /// Whether the program has made kernel threads, or processes in this memory, that no task runs on.
    pub fn has_strangers(&self) -> bool {
        self.unfit_for_fast_futex == u64::MAX
    }

    /// Notes whether there may be any.
    pub fn set_strangers(&mut self, are_there: bool) {
        self.unfit_for_fast_futex = if are_there { u64::MAX } else { 3 };
    }

    /// Whether one task alone is alive.
    pub fn is_single(&self) -> bool {
        self.tasks.live == 1
    }
}
