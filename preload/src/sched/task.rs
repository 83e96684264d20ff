//! A task: one green thread's record, and the table that all of them live in. A record is small (see the test below)
//! because a million may exist; what only few tasks have is in a box behind it.

pub mod foreign;

use crate::arch::Resume;
use crate::arch::x86_64::cpu::FloatControl;
use crate::raw;
use crate::sched::worker::Worker;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};
use linux_raw_sys::general::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use syscalls::Errno;

/// A task's place in the table. The main thread is 0.
pub type TaskId = u32;

/// No task.
pub const NONE: TaskId = u32::MAX;

/// The lowest thread id that a task is given: above PID_MAX_LIMIT (4,194,304), so that no kernel thread can have it.
pub const FIRST_TID: u32 = 4_194_305;

/// How many ids there are: a futex word has 30 bits for its owner, and the clock of a thread 28 (linux/futex.h,
/// linux/posix-timers.h).
const TIDS: u32 = (1 << 28) - FIRST_TID - 1;

/// Ids that are one process's alone. Processes that share locks must not take each other's threads for their own.
const TIDS_OF_PROCESS: u32 = 62;

/// An ended thread's id rests until so many have ended after it, for programs keep ids for a while, and the kernel, too,
/// gives them out in turn.
const RESTING: u32 = 32;

/// Process ids are below this (PID_MAX_LIMIT).
const PIDS: u32 = 1 << 22;
const SPREAD: u32 = 0x9e37_79b1;

/// The first id of process `pid`, less `FIRST_TID`. Neighbours in pid, which are most often those that share locks, lie
/// far apart, so that they meet only if both have very many threads. (Multiplying by an odd number permutes.)
fn offset_of_process(pid: i32) -> u32 {
    ((pid as u32).wrapping_mul(SPREAD) & (PIDS - 1)) * TIDS_OF_PROCESS
}

/// What a task is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// No such task: the record is free.
    Free,
    /// In the run queue.
    Ready,
    Running,
    /// Parked; `Wait` says for what.
    Parked,
    /// No task, but one futex of several that a task waits for (`kernel::several_futexes`).
    Part,
}

/// What a parked task waits for, and so how its call is completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Wait {
    Nothing,
    /// A futex, whose address is `Task::key`.
    Futex,
    /// Several futexes; `Task::key` is the first of their records.
    Several,
    /// The end of a sleep.
    Sleep,
    /// poll(2) or select(2).
    Poll,
    /// That one descriptor is ready: `Task::key` says which, `Task::expected` what was done so far.
    File,
    /// A call that the pool makes.
    Pool,
    /// A child process.
    Child,
    /// A signal: pause, sigsuspend, sigtimedwait.
    Signal,
}

/// One green thread. Two cache lines; the gate and the scheduler need the first one only.
#[repr(C, align(64))]
pub struct Task {
    /// How it goes on, when it is not running.
    pub resume: Resume,
    /// The worker that runs it; the gate takes its stack.
    pub worker: *mut Worker,
    pub fs_base: u64,
    /// Non-zero while a child process may run in this memory with this task's thread-local storage: 1 until the
    /// parent goes on (vfork), 2 for good.
    pub shares_memory: u32,
    pub state: State,
    pub wait: Wait,
    /// It is in the run queue to attempt its call again, which is not over: `wait` still says what it waits for.
    pub retries: bool,
    /// It is the first waiter of its futex address.
    pub is_queue_head: bool,
    /// Its futex may be woken by another process.
    pub is_shared_wait: bool,
    /// Its priority among real-time tasks, 1 to 99; 0 if it is none.
    pub priority: u8,
    /// That is more than its own: it has a lock that one of higher priority waits for.
    pub is_lent: bool,
    /// Others have waited for a priority-inheritance lock of its, and may still do so when it ends.
    pub may_owe_lock: bool,

    /// Next in the run queue, or next in the list of free records.
    pub next: TaskId,
    /// Ring of the waiters of one futex address.
    pub ring_next: TaskId,
    pub ring_previous: TaskId,
    /// Next head of the same futex bucket.
    pub bucket_next: TaskId,
    /// Since when it waits or is ready: `Worker::coarse_time` then.
    pub since: u32,
    /// Address of the futex it waits for.
    pub key: u64,
    /// Futex wake-ups it listens to (FUTEX_WAIT_BITSET).
    pub bitset: u32,
    /// The value the futex had when the wait began.
    pub expected: u32,

    /// MXCSR and x87 control word while it does not run.
    pub float_control: FloatControl,
    /// Its signal mask, as an index into `signal::Masks`.
    pub mask: u16,
    /// Slices it has run through since it last parked or yielded.
    pub slices: u16,
    /// Signals are pending for it alone; they are in `Extra`.
    pub has_pending: bool,
    /// Where zero is written, and a futex woken, when it ends (CLONE_CHILD_CLEARTID); 0 for nowhere.
    pub clear_tid: u64,
    /// Head of its robust futex list; 0 if none.
    pub robust_list: u64,
    /// Absolute end of its wait, ns of CLOCK_MONOTONIC, or of `sleep_clock` for a sleep.
    pub deadline: u64,
    /// Clock of its sleep.
    pub sleep_clock: u32,
    /// Id that the program knows it by.
    pub tid: u32,
    pub extra: Option<Box<Extra>>,
}

/// What only few tasks have.
#[derive(Default)]
pub struct Extra {
    /// Its name, padded with zeros (prctl(2), PR_SET_NAME); all zeros if it has the process's.
    pub name: [u8; 16],
    /// Alternate signal stack: address, size, flags.
    pub alternate_stack: crate::kernel::signal::AlternateStack,
    /// Signals pending for this task alone.
    pub pending: crate::kernel::signal::Pending,
    /// Signals it waits for with sigwait and its kin.
    pub awaited: u64,
    /// Mask to go back to when sigsuspend, ppoll or pselect is over.
    pub saved_mask: Option<u64>,
    /// When its recvmmsg is over, ns of CLOCK_MONOTONIC.
    pub message_deadline: u64,
    /// Bytes of the message that its sendmmsg is at that are sent already.
    pub part_sent: u32,
    /// Where its registers are put when a signal interrupts it in its own code.
    pub aside: Vec<u8>,
    /// CPUs it asked to run on.
    pub affinity: Option<Box<[u8]>>,
    /// Scheduling policy and priority it asked for, or inherited.
    pub scheduling: Option<(i32, i32)>,
    /// Its nice value, if it is not the process's.
    pub nice: Option<i32>,
    /// How late its sleeps may end, ns, if it has said so (prctl(2), PR_SET_TIMERSLACK); sleeps are not rounded here.
    pub timer_slack: Option<u64>,
    /// CPU time it has had, ns (`kernel::cpu_time`).
    pub cpu_time: u64,
    /// The CPU time at which the first of the timers on its CPU clock expires, ns; 0 if none does (`kernel::cpu_timers`).
    pub cpu_deadline: u64,
}

impl Task {
    /// The box of rarely needed state, made on first use. ENOMEM if there is no memory.
    pub fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }
}

/// All tasks: one reserved range of addresses, so that a record never moves and costs memory only once it is used.
pub struct Tasks {
    base: *mut Task,
    capacity: u32,
    /// Records that were ever used.
    used: u32,
    /// Free records, those that have been free longest first.
    free: TaskId,
    last_free: TaskId,
    free_count: u32,
    /// Where this process's ids begin, less `FIRST_TID`.
    offset: u32,
    /// The process that this one is a copy of (fork); 0 if none.
    copied_from: i32,
    /// Live tasks, main included.
    pub live: u32,
}

impl Tasks {
    /// No room yet: `reserve` comes first.
    pub const fn new() -> Tasks {
        Tasks {
            base: core::ptr::null_mut(),
            capacity: 0,
            used: 0,
            free: NONE,
            last_free: NONE,
            free_count: 0,
            offset: 0,
            copied_from: 0,
            live: 0,
        }
    }

    /// Reserves addresses for as many records as the process may have (four million; fewer under a memory limit).
    pub fn reserve(&mut self) -> Result<(), Errno> {
        // As much again, thrice, is left to the program.
        const PARTS: usize = 4;
        let mut capacity: usize = 1 << 22;
        loop {
            let size = capacity * size_of::<Task>();
            // SAFETY: a new private mapping.
            match unsafe {
                raw::mmap(0, PARTS * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
            } {
                Ok(base) => {
                    // SAFETY: nobody has seen the rest of the mapping.
                    let _ = unsafe { raw::munmap(base + size, (PARTS - 1) * size) };
                    self.base = base as *mut Task;
                    self.capacity = capacity as u32;
                    return Ok(());
                }
                Err(errno) if capacity <= 1024 => return Err(errno),
                Err(_) => capacity /= 4,
            }
        }
    }

    /// Where those who look from outside find the records (`observe::layout`).
    pub const BASE: usize = core::mem::offset_of!(Tasks, base);
    pub const USED: usize = core::mem::offset_of!(Tasks, used);

    /// Tasks made from now on have ids of process `pid`.
    pub fn number_for(&mut self, pid: i32) {
        self.offset = offset_of_process(pid);
    }

    /// The same in the child of a fork, whose parent is `parent`.
    pub fn number_for_child(&mut self, pid: i32, parent: i32) {
        self.copied_from = parent;
        self.number_for(pid);
    }

    /// A new record, all zero but for its id. EAGAIN if all are in use.
    pub fn allocate(&mut self, worker: *mut Worker) -> Result<TaskId, Errno> {
        let id = if self.free_count > RESTING || (self.used == self.capacity && self.free != NONE) {
            let id = self.free;
            self.free = self[id].next;
            self.free_count -= 1;
            id
        } else if self.used < self.capacity {
            self.used += 1;
            self.used - 1
        } else {
            return Err(Errno::EAGAIN);
        };
        let blank = Task {
            resume: Resume(0),
            worker,
            fs_base: 0,
            shares_memory: 0,
            state: State::Ready,
            wait: Wait::Nothing,
            retries: false,
            is_queue_head: false,
            is_shared_wait: false,
            priority: 0,
            is_lent: false,
            may_owe_lock: false,
            next: NONE,
            ring_next: NONE,
            ring_previous: NONE,
            bucket_next: NONE,
            since: 0,
            key: 0,
            bitset: 0,
            expected: 0,
            float_control: FloatControl::NONE,
            mask: 0,
            slices: 0,
            has_pending: false,
            clear_tid: 0,
            robust_list: 0,
            deadline: 0,
            sleep_clock: 0,
            tid: FIRST_TID + (self.offset + id) % TIDS,
            extra: None,
        };
        // SAFETY: `id` is below the reserved capacity; the record holds nothing that needs dropping (release took it).
        unsafe { self.base.add(id as usize).write(blank) };
        self.live += 1;
        Ok(id)
    }

    /// A record for one futex of several (`State::Part`), which is no task. EAGAIN as for `allocate`.
    pub fn allocate_part(&mut self, worker: *mut Worker) -> Result<TaskId, Errno> {
        let id = self.allocate(worker)?;
        self[id].state = State::Part;
        self.live -= 1;
        Ok(id)
    }

    /// Gives such a record back.
    pub fn release_part(&mut self, id: TaskId) {
        self.live += 1;
        self.release(id);
    }

    /// Gives a record back.
    pub fn release(&mut self, id: TaskId) {
        let task = &mut self[id];
        task.extra = None;
        task.state = State::Free;
        task.next = NONE;
        match self.last_free {
            last if self.free_count > 0 => self[last].next = id,
            _ => self.free = id,
        }
        self.last_free = id;
        self.free_count += 1;
        self.live -= 1;
    }

    /// The task that the program knows as `tid`.
    pub fn by_tid(&self, tid: i32) -> Option<TaskId> {
        if tid <= 0 {
            return None;
        }
        let guess = self.guess(tid as u32);
        if guess < self.used && self.is_task(guess) && self[guess].tid == tid as u32 {
            return Some(guess);
        }
        (self.used > 0 && self.is_task(0) && self[0].tid == tid as u32)
            .then_some(0)
            .or_else(|| self.odd_one(tid as u32))
    }

    /// Whether `tid` was a task's that has ended.
    pub fn had_tid(&self, tid: u32) -> bool {
        let place = self.guess(tid);
        tid >= FIRST_TID && place < self.used && !self.is_task(place) && self[place].tid == tid
    }

    /// The record that has `tid`, if any has.
    fn guess(&self, tid: u32) -> TaskId {
        let place = tid.wrapping_sub(FIRST_TID);
        if place >= self.offset { place - self.offset } else { place.wrapping_add(TIDS - self.offset) }
    }

    /// After a fork from a thread, the task that carries the process's id is not number 0.
    fn odd_one(&self, tid: u32) -> Option<TaskId> {
        if tid >= FIRST_TID { None } else { self.iter().find(|&id| self[id].tid == tid) }
    }

    /// The ids of all live tasks.
    pub fn iter(&self) -> impl Iterator<Item = TaskId> + '_ {
        (0..self.used).filter(|&id| self.is_task(id))
    }

    /// Records lie below this.
    pub fn used(&self) -> TaskId {
        self.used
    }

    /// Whether there is such a task.
    pub fn is_task(&self, id: TaskId) -> bool {
        !matches!(self[id].state, State::Free | State::Part)
    }

    /// The record's address, for the thread-local word that the gate reads.
    pub fn address(&self, id: TaskId) -> *mut Task {
        debug_assert!(id < self.used);
        // SAFETY: within the reserved range.
        unsafe { self.base.add(id as usize) }
    }
}

impl Index<TaskId> for Tasks {
    type Output = Task;

    #[inline(always)]
    fn index(&self, id: TaskId) -> &Task {
        debug_assert!(id < self.used);
        // SAFETY: ids are made only by `allocate`, which initialised the record; records never move.
        unsafe { &*self.base.add(id as usize) }
    }
}

impl IndexMut<TaskId> for Tasks {
    #[inline(always)]
    fn index_mut(&mut self, id: TaskId) -> &mut Task {
        debug_assert!(id < self.used);
        // SAFETY: as for `index`; `&mut self` makes the access exclusive.
        unsafe { &mut *self.base.add(id as usize) }
    }
}

#[cfg(test)]
mod tests;
