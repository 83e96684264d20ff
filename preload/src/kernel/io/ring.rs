//! The program's own io_urings: io_uring_setup(2) and io_uring_enter(2). What is to be submitted is, once; completions
//! are then waited for on the ring's descriptor. How many there are is read from the ring, whose place is noted when
//! the program maps it.

use super::{Attempt, Call};
use crate::arch::Frame;
use crate::arch::x86_64::user_memory as user;
use crate::kernel::{Outcome, error, time};
use crate::raw;
use crate::sched::descriptors::Direction;
use crate::sched::worker::Worker;
use alloc::vec::Vec;
use linux_raw_sys::general::__kernel_timespec;
use syscalls::{Errno, Sysno};

const ENTER_GETEVENTS: usize = 1;
const ENTER_EXT_ARG: usize = 8;
const ENTER_REGISTERED_RING: usize = 16;
const SETUP_COOP_TASKRUN: u32 = 1 << 8;
const SETUP_DEFER_TASKRUN: u32 = 1 << 13;
/// Where a ring's descriptor is mapped for its completions: with its submissions, or by itself.
const OFF_BOTH: usize = 0;
const OFF_COMPLETIONS: usize = 0x800_0000;
/// Words of struct io_uring_params, and the places of some.
const WORDS: usize = 30;
const FLAGS: usize = 2;
const COMPLETION_HEAD: usize = 20;
const COMPLETION_TAIL: usize = 21;

/// One ring.
#[derive(Clone, Copy)]
struct ProgramRing {
    fd: i32,
    head: u32,
    tail: u32,
    /// Where it is mapped; 0 if that was not seen.
    base: usize,
}

/// The rings that were seen being made.
pub struct ProgramRings {
    rings: Vec<ProgramRing>,
}

impl ProgramRings {
    pub const fn new() -> ProgramRings {
        ProgramRings { rings: Vec::new() }
    }

    /// `fd` is about to be closed.
    pub fn forget(&mut self, fd: i32) {
        self.rings.retain(|ring| ring.fd != fd);
    }

    /// The program has mapped `fd` at `address`.
    #[inline]
    pub fn mapped(&mut self, fd: i32, address: usize, offset: usize) {
        if let Some(ring) = self.rings.iter_mut().find(|ring| ring.fd == fd)
            && (offset == OFF_COMPLETIONS || offset == OFF_BOTH && ring.base == 0)
        {
            ring.base = address;
        }
    }

    /// Completions that the program has not taken yet. None if the ring's place is not known.
    fn available(&self, fd: i32) -> Option<u32> {
        let ring = self.rings.iter().find(|ring| ring.fd == fd && ring.base != 0)?;
        let head = user::load_u32(ring.base + ring.head as usize).ok()?;
        let tail = user::load_u32(ring.base + ring.tail as usize).ok()?;
        Some(tail.wrapping_sub(head))
    }
}

/// io_uring_setup(2). Completions must not be put off until the program enters the kernel to wait
/// (IORING_SETUP_DEFER_TASKRUN), for then the poller is told of none: such a ring is made without that, which the
/// program cannot tell.
pub fn setup(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let [entries, address, ..] = call.arguments();
    // SAFETY: struct io_uring_params is plain integers.
    let Ok(mut parameters) = (unsafe { user::read::<[u32; WORDS]>(address) }) else { return Outcome::Pass };
    let asked = parameters[FLAGS];
    if asked & SETUP_DEFER_TASKRUN != 0 {
        parameters[FLAGS] = asked & !SETUP_DEFER_TASKRUN | SETUP_COOP_TASKRUN;
    }
    let arguments = [entries, parameters.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel reads and writes the copy.
    let answer = unsafe { raw::call(Sysno::io_uring_setup as u32, arguments) };
    parameters[FLAGS] = asked;
    if user::write(address, &parameters).is_err() {
        return Outcome::Done(error(Errno::EFAULT));
    }
    if answer >= 0 && worker.program_rings.rings.try_reserve(1).is_ok() {
        let (fd, head, tail) = (answer as i32, parameters[COMPLETION_HEAD], parameters[COMPLETION_TAIL]);
        worker.program_rings.forget(fd);
        worker.program_rings.rings.push(ProgramRing { fd, head, tail, base: 0 });
        worker.descriptors.forget(fd);
        // What a ring does to pipes is not seen.
        worker.descriptors.share_all();
    }
    Outcome::Done(answer)
}

/// io_uring_enter(2).
#[inline(never)]
pub fn enter(worker: &mut Worker, call: &Call) -> Attempt {
    let [_, submit, wanted, flags, _, _] = call.arguments;
    let (submit, wanted) = (submit as u32, wanted as u32);
    if flags & ENTER_GETEVENTS == 0
        || wanted == 0
        || flags & ENTER_REGISTERED_RING != 0
        || worker.descriptors.is_private(call.fd)
    {
        return Attempt::Pass;
    }
    if call.is_first && worker.tasks[call.id].expected == 0 {
        if limit(call).is_err() {
            return Attempt::Pass;
        }
        if submit > 0 {
            let plain = flags & !(ENTER_GETEVENTS | ENTER_EXT_ARG);
            let arguments = [call.fd as usize, submit as usize, 0, plain, 0, 0];
            // SAFETY: the program's own ring.
            let answer = unsafe { raw::call(Sysno::io_uring_enter as u32, arguments) };
            if answer != submit as isize {
                return Attempt::Done(answer);
            }
            worker.tasks[call.id].expected = submit;
        }
    }
    let submitted = worker.tasks[call.id].expected as isize;
    let now = __kernel_timespec { tv_sec: 0, tv_nsec: 0 };
    // struct io_uring_getevents_arg: mask, its size, padding, time.
    let argument = [0usize, 8, &raw const now as usize];
    let arguments = [
        call.fd as usize,
        0,
        wanted as usize,
        flags | ENTER_GETEVENTS | ENTER_EXT_ARG,
        argument.as_ptr() as usize,
        size_of_val(&argument),
    ];
    // SAFETY: the program's own ring; argument and time live across the call.
    let answer = unsafe { raw::call(Sysno::io_uring_enter as u32, arguments) };
    if answer == error(Errno::EINTR) {
        return Attempt::Again;
    }
    // At the end of its time the kernel answers 0 if there is any completion at all.
    let has_too_few = worker.program_rings.available(call.fd).is_some_and(|there| there < wanted);
    if answer == error(Errno::ETIME) || (answer >= 0 && has_too_few) {
        return Attempt::Block(call.fd, Direction::Read);
    }
    Attempt::Done(if answer >= 0 || submitted > 0 { submitted.max(answer) } else { answer })
}

/// How long an io_uring_enter may take, ns. None: for ever. EINVAL for forms that are the kernel's to judge.
pub fn limit(call: &Call) -> Result<Option<u64>, Errno> {
    let [_, _, _, flags, address, size] = call.arguments;
    if flags & ENTER_EXT_ARG == 0 {
        return if address == 0 { Ok(None) } else { Err(Errno::EINVAL) };
    }
    if size != 3 * size_of::<usize>() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the structure is three plain words.
    let [mask, _, limit] = unsafe { user::read::<[usize; 3]>(address) }?;
    if mask != 0 {
        return Err(Errno::EINVAL);
    }
    if limit == 0 {
        return Ok(None);
    }
    // SAFETY: a timespec is two plain integers.
    time::to_ns(unsafe { user::read::<__kernel_timespec>(limit) }?).map(Some)
}
