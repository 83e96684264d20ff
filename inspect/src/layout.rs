//! Where libgrivet.so keeps what, for those who look from outside: it exports one [`Layout`] under the name
//! `grivet_layout`. Debuggers' scripts read it as well (`scripts/gdb/grivet.py`), so a change of its fields is a new [`VERSION`].
//!
//! A task that does not run goes on from its `resume` word. If that is even, it is the address of a frame of registers (the
//! gate's), which lies on the task's stack; if it is odd, less one it is the address of a signal frame as the kernel
//! lays it out (struct rt_sigframe). In a gate frame `rip` is where the task goes on; if it equals `site`, the call has not
//! been made yet, and the word sixteen bytes before `site` in memory is the address in the program behind it. The
//! task `current` of an awake worker runs if its state is `running`: its registers are the kernel thread's, whose id
//! is the process's. If they are inside the worker's own stack, the task is in a call: the word at `stack_top` then holds the address of
//! its gate frame.

/// How `Layout::magic` begins.
pub const MAGIC: [u8; 8] = *b"grivet\0\x01";

/// Of the fields below.
pub const VERSION: u32 = 1;

/// Under which name libgrivet.so exports its layout.
pub const SYMBOL: &str = "grivet_layout";

/// Offsets, sizes and values, all in bytes or as they stand in memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub magic: [u8; 8],
    pub version: u32,
    /// Bytes of this structure.
    pub size: u32,
    /// The worker's address in the process.
    pub worker: u64,
    pub in_worker: WorkerFields,
    pub in_task: TaskFields,
    pub in_extra: ExtraFields,
    pub in_frame: FrameFields,
    pub in_signal_frame: SignalFrameFields,
    pub states: States,
    pub waits: Waits,
}

/// Offsets in the worker.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerFields {
    /// u8: grivet is awake. If not, nothing else means anything.
    pub is_awake: u32,
    /// u32: the task that runs, or ran last.
    pub current: u32,
    /// i32
    pub pid: u32,
    /// [u8; 16]: the name of threads without one of their own.
    pub name: u32,
    /// u64: address of the first task's record; the others follow.
    pub tasks: u32,
    /// u32: how many records were ever used.
    pub used: u32,
    /// u64 each: the worker's own stack.
    pub stack_bottom: u32,
    pub stack_top: u32,
    /// u64: switches so far.
    pub switches: u32,
}

/// Offsets in a task's record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskFields {
    /// Bytes of a record.
    pub size: u32,
    /// u64: see above.
    pub resume: u32,
    /// u64: the thread pointer.
    pub fs_base: u32,
    /// u8
    pub state: u32,
    /// u8
    pub wait: u32,
    /// u64: the futex's address; for a file, the descriptor times four plus the direction (1 to read, 2 to write).
    pub key: u32,
    /// u64: when its wait ends by itself, ns of CLOCK_MONOTONIC (for a sleep, of its clock); 0: never.
    pub deadline: u32,
    /// u32: the clock of its sleep (clockid_t).
    pub sleep_clock: u32,
    /// u32: thread id.
    pub tid: u32,
    /// u32: since when it waits or is ready, CLOCK_MONOTONIC in units of 2^20 ns; may be late by the time that grivet
    /// takes between two looks at the clock.
    pub since: u32,
    /// u64: address of what only some tasks have; may be 0.
    pub extra: u32,
}

/// Offsets in what only some tasks have.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtraFields {
    /// [u8; 16]: its name; begins with 0 if it has none of its own.
    pub name: u32,
    /// u64: CPU time, ns, as far as it was charged.
    pub cpu_time: u32,
}

/// Offsets in a gate frame; u64 each.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFields {
    pub r15: u32,
    pub r14: u32,
    pub r13: u32,
    pub r12: u32,
    pub rbp: u32,
    pub rbx: u32,
    pub rdi: u32,
    pub rsi: u32,
    pub rdx: u32,
    pub rip: u32,
    pub rsp: u32,
    pub site: u32,
    /// The system call's number.
    pub number: u32,
}

/// Offsets in a signal frame; u64 each, where struct rt_sigframe has them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalFrameFields {
    pub r12: u32,
    pub r13: u32,
    pub r14: u32,
    pub r15: u32,
    pub rbp: u32,
    pub rbx: u32,
    pub rsp: u32,
    pub rip: u32,
}

/// Values of a task's state.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct States {
    /// No task.
    pub free: u8,
    pub ready: u8,
    pub running: u8,
    pub parked: u8,
    /// No task either.
    pub part: u8,
    pub reserved: [u8; 3],
}

/// Values of what a parked task waits for.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    pub nothing: u8,
    pub futex: u8,
    pub several: u8,
    pub sleep: u8,
    pub poll: u8,
    pub file: u8,
    pub pool: u8,
    pub child: u8,
    pub signal: u8,
    pub reserved: [u8; 7],
}
