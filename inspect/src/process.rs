//! A process under grivet, seen through its memory: finds out where libgrivet.so keeps what, and where a thread's registers
//! are.

use alloc::collections::BTreeMap;
use core::cell::RefCell;
use core::mem::size_of;

use crate::layout::{Layout, MAGIC, VERSION};
use crate::memory::{Memory, Part, u32_at, u64_at};
use crate::registers::{R12, R13, R14, R15, RBP, RBX, RIP, RSP, Registers};
use crate::threads::Thread;
use crate::unwind::Start;

/// Why there is nothing to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The memory there cannot be read, or has none of it.
    NoLayout,
    /// This libgrivet.so has another layout; its number.
    OtherVersion(u32),
    /// The program has made no threads yet.
    Asleep,
}

/// What the worker says of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Worker {
    /// Record of the task that runs, or ran last.
    pub current: u32,
    pub pid: i32,
    /// The name of threads without one of their own.
    pub name: [u8; 16],
    /// Address of the first record.
    pub records: u64,
    /// How many there are.
    pub used: u32,
    pub stack_bottom: u64,
    pub stack_top: u64,
    pub switches: u64,
}

/// A process whose green threads can be looked at.
pub struct Process<'a> {
    pub memory: &'a dyn Memory,
    pub layout: Layout,
    pub worker: Worker,
    /// Where the program's own code goes on behind the system calls of stubs, which do not change.
    sites: RefCell<BTreeMap<u64, u64>>,
}

/// Places of system calls that are kept.
const KEPT_SITES: usize = 4096;

/// Where one of several threads is.
pub struct Located<'w> {
    /// Which one.
    pub place: usize,
    pub start: Start,
    /// An address on its stack, and what lies from there on; perhaps nothing.
    pub stack_at: u64,
    pub stack: &'w [u8],
}

/// Bytes of a gate frame and the stack above it that are read at once. Most waiting threads need no more.
const WINDOW: usize = 3072;

impl<'a> Process<'a> {
    /// With the layout at `address`, that of the symbol `grivet_layout`.
    pub fn open(memory: &'a dyn Memory, address: u64) -> Result<Self, Refused> {
        let mut bytes = [0; size_of::<Layout>()];
        // What has another version may be shorter; magic, version and size come first in all of them.
        if !memory.read(address, &mut bytes[..16]) || bytes[..8] != MAGIC {
            return Err(Refused::NoLayout);
        }
        let version = u32_at(&bytes, 8);
        if version != VERSION || u32_at(&bytes, 12) as usize != bytes.len() {
            return Err(Refused::OtherVersion(version));
        }
        if !memory.read(address, &mut bytes) {
            return Err(Refused::NoLayout);
        }
        // SAFETY: a `Layout` is made of integers, which may have any value, and the buffer has its size.
        let layout = unsafe { bytes.as_ptr().cast::<Layout>().read_unaligned() };
        let mut process = Process { memory, layout, worker: Worker::default(), sites: RefCell::default() };
        process.refresh()?;
        Ok(process)
    }

    /// Reads anew what changes as the process runs.
    pub fn refresh(&mut self) -> Result<(), Refused> {
        let (fields, base) = (self.layout.in_worker, self.layout.worker);
        let mut is_awake = [0; 1];
        if !self.memory.read(base + u64::from(fields.is_awake), &mut is_awake) {
            return Err(Refused::NoLayout);
        }
        if is_awake[0] == 0 {
            return Err(Refused::Asleep);
        }
        let mut name = [0; 16];
        self.memory.read(base + u64::from(fields.name), &mut name);
        let word = |offset: u32| self.memory.read_u64(base + u64::from(offset)).unwrap_or(0);
        let half = |offset: u32| {
            let mut bytes = [0; 4];
            self.memory.read(base + u64::from(offset), &mut bytes);
            u32::from_le_bytes(bytes)
        };
        self.worker = Worker {
            current: half(fields.current),
            pid: half(fields.pid) as i32,
            name,
            records: word(fields.tasks),
            used: half(fields.used),
            stack_bottom: word(fields.stack_bottom),
            stack_top: word(fields.stack_top),
            switches: word(fields.switches),
        };
        Ok(())
    }

    /// Whether that stack pointer is on the worker's own stack.
    pub fn is_on_worker_stack(&self, rsp: u64) -> bool {
        (self.worker.stack_bottom..=self.worker.stack_top).contains(&rsp)
    }

    /// Where the running thread is, given the registers of the kernel thread; `threads` are all.
    pub fn running(&self, registers: &Registers, threads: &[Thread]) -> Option<Start> {
        if !self.is_on_worker_stack(registers.rsp()) {
            return Some(Start { registers: *registers, is_behind_call: false });
        }
        // In a call. But a switch may be under way: then that frame is of the thread that waits now, and the one
        // that runs has not gone on yet.
        let frame = self.memory.read_u64(self.worker.stack_top)?;
        let current = threads.iter().find(|thread| thread.record == self.worker.current)?;
        let is_others = threads.iter().any(|thread| thread.resume == frame && thread.record != current.record);
        self.start(if is_others { current.resume } else { frame })
    }

    /// Where a thread goes on, given its `resume` word.
    pub fn start(&self, resume: u64) -> Option<Start> {
        let mut window = [0; WINDOW];
        let length = self.needed(resume);
        let address = resume & !1;
        self.memory.read(address, &mut window[..length]).then_some(())?;
        self.start_in(resume, &window)
    }

    /// Calls `visit` for each of `threads` that has saved registers. The stacks are read many at a time.
    pub fn each_start(&self, threads: &[Thread], visit: &mut dyn FnMut(Located<'_>)) {
        const AT_ONCE: usize = 64;
        let mut windows = alloc::vec![0; AT_ONCE * WINDOW];
        for (nth, some) in threads.chunks(AT_ONCE).enumerate() {
            let mut parts = alloc::vec::Vec::with_capacity(AT_ONCE);
            for (thread, window) in some.iter().zip(windows.chunks_mut(WINDOW)) {
                parts.push(Part::new(thread.resume & !1, window));
            }
            self.memory.read_parts(&mut parts);
            let whole: alloc::vec::Vec<bool> = parts.iter().map(|part| part.is_read).collect();
            for (place, thread) in some.iter().enumerate() {
                let window = &windows[place * WINDOW..(place + 1) * WINDOW];
                let start = if whole[place] { self.start_in(thread.resume, window) } else { self.start(thread.resume) };
                if let Some(start) = start {
                    let known = if whole[place] { window } else { &[] };
                    visit(Located { place: nth * AT_ONCE + place, start, stack_at: thread.resume & !1, stack: known });
                }
            }
        }
    }

    /// Bytes of the frame that `resume` names.
    fn needed(&self, resume: u64) -> usize {
        let (gate, signal) = (&self.layout.in_frame, &self.layout.in_signal_frame);
        let last = if resume & 1 == 0 { gate.rsp.max(gate.number).max(gate.site) } else { signal.rip.max(signal.rsp) };
        (last as usize + 8).min(WINDOW)
    }

    fn start_in(&self, resume: u64, bytes: &[u8]) -> Option<Start> {
        let word = |offset: u32| u64_at(bytes, offset as usize);
        let saved = |offsets: [u32; 7], rip| {
            let mut registers = Registers::of(&[(RIP, rip)]);
            for (register, offset) in [RBX, RBP, R12, R13, R14, R15, RSP].into_iter().zip(offsets) {
                registers.set(register, Some(word(offset)));
            }
            registers
        };
        if resume == 0 {
            return None;
        }
        if resume & 1 == 1 {
            let fields = &self.layout.in_signal_frame;
            let registers = saved(
                [fields.rbx, fields.rbp, fields.r12, fields.r13, fields.r14, fields.r15, fields.rsp],
                word(fields.rip),
            );
            return Some(Start { registers, is_behind_call: false });
        }
        // Two words before the stub's system call stands where in the program's own code that was.
        const BEHIND_CALL: u64 = 16;
        let fields = &self.layout.in_frame;
        let site = word(fields.site);
        let known = self.sites.borrow().get(&site).copied();
        let rip = match known {
            Some(rip) => rip,
            None => {
                let rip = self.memory.read_u64(site.wrapping_sub(BEHIND_CALL))?;
                let mut sites = self.sites.borrow_mut();
                if sites.len() < KEPT_SITES {
                    sites.insert(site, rip);
                }
                rip
            }
        };
        let registers =
            saved([fields.rbx, fields.rbp, fields.r12, fields.r13, fields.r14, fields.r15, fields.rsp], rip);
        Some(Start { registers, is_behind_call: true })
    }
}
