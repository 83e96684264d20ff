//! The exported description of grivet's own memory, for `grivet dump`, `grivet top` and debuggers.

use crate::arch::Frame;
use crate::kernel::signal::frame::{SigContext, SignalFrame, UContext};
use crate::sched::task::{Extra, State, Task, Tasks, Wait};
use crate::sched::worker::{WORKER, Worker, WorkerCell};
use core::mem::offset_of;
use grivet_inspect::layout::{
    ExtraFields, FrameFields, Layout, MAGIC, SignalFrameFields, States, TaskFields, VERSION, Waits, WorkerFields,
};

/// `Layout` with the worker's address as a pointer, which the loader fills in.
#[repr(C)]
pub struct Exported {
    magic: [u8; 8],
    version: u32,
    size: u32,
    worker: &'static WorkerCell,
    in_worker: WorkerFields,
    in_task: TaskFields,
    in_extra: ExtraFields,
    in_frame: FrameFields,
    in_signal_frame: SignalFrameFields,
    states: States,
    waits: Waits,
}

const _: () = assert!(size_of::<Exported>() == size_of::<Layout>());
const _: () = assert!(offset_of!(Exported, waits) == offset_of!(Layout, waits));

macro_rules! offset {
    ($type:ty, $field:ident) => {
        offset_of!($type, $field) as u32
    };
}

macro_rules! register {
    ($register:ident) => {
        (offset_of!(SignalFrame, context) + offset_of!(UContext, registers) + offset_of!(SigContext, $register)) as u32
    };
}

/// What `grivet_inspect` looks for by its name.
#[unsafe(no_mangle)]
pub static grivet_layout: Exported = Exported {
    magic: MAGIC,
    version: VERSION,
    size: size_of::<Layout>() as u32,
    worker: &WORKER,
    in_worker: WorkerFields {
        is_awake: offset!(Worker, is_awake),
        current: offset!(Worker, current),
        pid: offset!(Worker, pid),
        name: offset!(Worker, name),
        tasks: (offset_of!(Worker, tasks) + Tasks::BASE) as u32,
        used: (offset_of!(Worker, tasks) + Tasks::USED) as u32,
        stack_bottom: offset!(Worker, stack_bottom),
        stack_top: offset!(Worker, stack_top),
        switches: (offset_of!(Worker, stats) + offset_of!(crate::report::stats::Stats, switches)) as u32,
    },
    in_task: TaskFields {
        size: size_of::<Task>() as u32,
        resume: offset!(Task, resume),
        fs_base: offset!(Task, fs_base),
        state: offset!(Task, state),
        wait: offset!(Task, wait),
        key: offset!(Task, key),
        deadline: offset!(Task, deadline),
        sleep_clock: offset!(Task, sleep_clock),
        tid: offset!(Task, tid),
        since: offset!(Task, since),
        extra: offset!(Task, extra),
    },
    in_extra: ExtraFields { name: offset!(Extra, name), cpu_time: offset!(Extra, cpu_time) },
    in_frame: FrameFields {
        r15: offset!(Frame, r15),
        r14: offset!(Frame, r14),
        r13: offset!(Frame, r13),
        r12: offset!(Frame, r12),
        rbp: offset!(Frame, rbp),
        rbx: offset!(Frame, rbx),
        rdi: offset!(Frame, rdi),
        rsi: offset!(Frame, rsi),
        rdx: offset!(Frame, rdx),
        rip: offset!(Frame, rip),
        rsp: offset!(Frame, rsp),
        site: offset!(Frame, site),
        number: offset!(Frame, number),
    },
    in_signal_frame: SignalFrameFields {
        r12: register!(r12),
        r13: register!(r13),
        r14: register!(r14),
        r15: register!(r15),
        rbp: register!(rbp),
        rbx: register!(rbx),
        rsp: register!(rsp),
        rip: register!(rip),
    },
    states: States {
        free: State::Free as u8,
        ready: State::Ready as u8,
        running: State::Running as u8,
        parked: State::Parked as u8,
        part: State::Part as u8,
        reserved: [0; 3],
    },
    waits: Waits {
        nothing: Wait::Nothing as u8,
        futex: Wait::Futex as u8,
        several: Wait::Several as u8,
        sleep: Wait::Sleep as u8,
        poll: Wait::Poll as u8,
        file: Wait::File as u8,
        pool: Wait::Pool as u8,
        child: Wait::Child as u8,
        signal: Wait::Signal as u8,
        reserved: [0; 7],
    },
};
