//! Spawned calls: made at a function's rewritten entry, run as threads of their own, waited for by whom the rules say.
//!
//! All of this runs as part of the program, on green threads, and may use the C library: it makes threads with
//! pthread_create and waits with futexes like any other code. While rules are in force tasks are not interrupted, so
//! nothing here changes between two calls that block.

use super::entry::{self, Registers, STACK_ARGUMENTS};
use super::progress;
use super::rules::{Kind, Rule};
use crate::arch::x86_64::user_memory as user;
use crate::kernel::time;
use crate::observe;
use crate::report::say;
use crate::sched::worker::WORKER;
use crate::symbols::{self, ThreadAttributes};
use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use linux_raw_sys::general::{FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAKE};
use syscalls::Sysno;

/// Counts the calls that one thread, or one spawned call, has spawned and that still run.
pub struct Nursery {
    running: AtomicU32,
    /// Its thread ended without waiting (pthread_exit): the last of the calls ends the call that it belongs to.
    abandoned: AtomicBool,
    /// Where the call that it belongs to is counted; null for a thread's own.
    parent: *const Nursery,
}

impl Nursery {
    const fn new(parent: *const Nursery) -> Nursery {
        Nursery { running: AtomicU32::new(0), abandoned: AtomicBool::new(false), parent }
    }

    /// Waits until none runs.
    fn wait(&self) {
        loop {
            let running = self.running.load(Ordering::Relaxed);
            if running == 0 {
                return;
            }
            futex_wait(&self.running, running);
        }
    }

    fn one_ended(&self) {
        if self.running.fetch_sub(1, Ordering::Relaxed) != 1 {
            return;
        }
        futex_wake(&self.running);
        if self.abandoned.load(Ordering::Relaxed) {
            // SAFETY: a nursery outlives all that it counts.
            unsafe { (*self.parent).one_ended() };
            ALL.one_ended();
        }
    }
}

// SAFETY: the pointer is to a nursery that outlives this one; all else is atomic.
unsafe impl Sync for Nursery {}

/// One spawned call. The assembly knows where its fields are.
#[repr(C)]
pub struct Call {
    pub rule: *const Rule,
    pub registers: Registers,
    pub stack: [u8; STACK_ARGUMENTS],
    /// The calls that it spawns itself; its parent is where this call is counted.
    pub nursery: Nursery,
}

/// What holds for all rules of the process.
pub struct Policy {
    /// How many spawned calls may run at once; 0: any number.
    pub limit: u32,
    pub attributes: ThreadAttributes,
}

struct PolicyCell(UnsafeCell<Policy>);

// SAFETY: written once by `set_policy`, before the first rule is in force.
unsafe impl Sync for PolicyCell {}

static POLICY: PolicyCell = PolicyCell(UnsafeCell::new(Policy { limit: 0, attributes: ThreadAttributes::BLANK }));

/// All spawned calls that run.
static ALL: Nursery = Nursery::new(core::ptr::null());
/// Changes when a call ends while callers wait because of the limit.
static ENDED: AtomicU32 = AtomicU32::new(0);
static AT_LIMIT: AtomicU32 = AtomicU32::new(0);
/// exit(3) has waited for all calls: later ones, of exit handlers, run in their callers.
static EXITING: AtomicBool = AtomicBool::new(false);
static SAID_NO_THREAD: AtomicBool = AtomicBool::new(false);

/// Sets the policy.
pub fn set_policy(policy: Policy) {
    // SAFETY: called once, by the only thread, before any rule is in force.
    unsafe { *POLICY.0.get() = policy };
}

fn policy() -> &'static Policy {
    // SAFETY: not written any more.
    unsafe { &*POLICY.0.get() }
}

/// Room for the upper halves of the vector registers, AVX-512 included.
#[repr(align(64))]
struct ExtendedArea(MaybeUninit<[u8; 4096]>);

/// What to do at a rewritten entry: 0 to go on with the function, 1 to return the rule's value to the caller. Vector
/// registers come back whole: the hook has kept their lower halves, and what the C library does to the upper ones is
/// undone here.
///
/// # Safety
/// Called by the entry hook only, with what it laid on the stack.
pub unsafe extern "C" fn decide(registers: &Registers, rule: &'static Rule, stack: usize) -> u32 {
    // SAFETY: a field that does not change after activation.
    let cpu = unsafe { (*WORKER.get()).cpu };
    if !cpu.uses_upper_halves() || cpu.extended_size() > size_of::<ExtendedArea>() {
        return decide_here(registers, rule, stack);
    }
    let mut area = ExtendedArea(MaybeUninit::uninit());
    let place = area.0.as_mut_ptr().cast::<u8>();
    // SAFETY: the area is aligned and large enough.
    unsafe { cpu.save_extended(place) };
    let spawned = decide_here(registers, rule, stack);
    // SAFETY: it was filled above.
    unsafe { cpu.load_extended(place) };
    spawned
}

#[inline(never)]
fn decide_here(registers: &Registers, rule: &'static Rule, stack: usize) -> u32 {
    let base = entry::thread_pointer();
    // SAFETY: the thread-local word of the running thread.
    if unsafe { *crate::arch::x86_64::cpu::current_word(base) } == 0 {
        return 0;
    }
    let errno = symbols::errno();
    // SAFETY: the thread-local words of the running thread.
    let call = unsafe { *entry::call_word(base) };
    let spawned = match rule.kind {
        Kind::Spawn => spawn(registers, rule, stack, base, !call.is_null()),
        Kind::Join => {
            // SAFETY: as above.
            if let Some(nursery) = unsafe { (*entry::nursery_word(base)).as_ref() } {
                nursery.wait();
            }
            false
        }
        Kind::Exit => {
            if call.is_null() {
                ALL.wait();
                EXITING.store(true, Ordering::Relaxed);
                progress::end();
            }
            false
        }
        Kind::Jump => {
            // SAFETY: a call lives until its thread ends.
            if let Some(call) = unsafe { call.as_ref() } {
                forbid_leaving(call, registers.rdi as usize);
            }
            false
        }
    };
    symbols::set_errno(errno);
    u32::from(spawned)
}

/// Makes the call a thread of its own; whether that was possible, and wise: a spawned call that waited at the limit for
/// others to end would keep one of the places that it waits for.
fn spawn(registers: &Registers, rule: &'static Rule, stack: usize, base: u64, in_call: bool) -> bool {
    if EXITING.load(Ordering::Relaxed) {
        return false;
    }
    let limit = policy().limit;
    while limit != 0 && ALL.running.load(Ordering::Relaxed) >= limit {
        if in_call {
            return false;
        }
        AT_LIMIT.fetch_add(1, Ordering::Relaxed);
        let seen = ENDED.load(Ordering::Relaxed);
        futex_wait(&ENDED, seen);
        AT_LIMIT.fetch_sub(1, Ordering::Relaxed);
    }
    let word = entry::nursery_word(base);
    // SAFETY: the thread-local word of the running thread; a nursery outlives all that it counts.
    let parent: *const Nursery = unsafe {
        if (*word).is_null() {
            // A thread's own nursery is never freed: calls that it spawned may outlive it.
            *word = Box::into_raw(Box::new(Nursery::new(core::ptr::null())));
        }
        *word
    };
    let mut call =
        Box::new(Call { rule, registers: *registers, stack: [0; STACK_ARGUMENTS], nursery: Nursery::new(parent) });
    // SAFETY: the copy has room; what cannot be read beyond the end of the caller's stack stays zero.
    let _ = unsafe { user::copy(call.stack.as_mut_ptr() as usize, stack, STACK_ARGUMENTS) };
    // SAFETY: see above.
    let parent = unsafe { &*parent };
    parent.running.fetch_add(1, Ordering::Relaxed);
    ALL.running.fetch_add(1, Ordering::Relaxed);
    let call = Box::into_raw(call);
    // SAFETY: the program runs, so nothing of grivet's holds a reference to the worker.
    observe::spawns(unsafe { &mut *WORKER.get() }, &rule.name);
    let error = make_thread(call.cast());
    if error == 0 {
        progress::changed(ALL.running.load(Ordering::Relaxed), 0);
        // The call begins at once and has the processor until it waits, while what its caller passed is still there.
        symbols::system_call(Sysno::sched_yield, [time::TO_NEWEST, 0, 0, 0]);
        return true;
    }
    parent.running.fetch_sub(1, Ordering::Relaxed);
    ALL.running.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: no thread was made that could use it.
    drop(unsafe { Box::from_raw(call) });
    if !SAID_NO_THREAD.swap(true, Ordering::Relaxed) {
        say!("no thread for a call of {} (error {error}): such calls run in their callers", rule.name);
    }
    false
}

fn make_thread(call: *mut c_void) -> c_int {
    let mut thread = 0usize;
    symbols::create_thread(&raw mut thread, &policy().attributes, entry::start_routine(), call)
}

/// A spawned call has returned: it ends when the calls that it has spawned itself have.
///
/// # Safety
/// Called once, by the assembly in which `call` began.
pub unsafe extern "C" fn finish(call: *mut Call) {
    // SAFETY: `spawn` made it, and nobody else frees it.
    let call = unsafe { Box::from_raw(call) };
    call.nursery.wait();
    // SAFETY: the thread-local words of the running thread: what its destructors may still do is nobody's call.
    unsafe {
        *entry::call_word(entry::thread_pointer()) = core::ptr::null_mut();
        *entry::nursery_word(entry::thread_pointer()) = core::ptr::null_mut();
    }
    ended(&call);
}

fn ended(call: &Call) {
    // SAFETY: a nursery outlives all that it counts.
    unsafe { (*call.nursery.parent).one_ended() };
    ALL.one_ended();
    if AT_LIMIT.load(Ordering::Relaxed) != 0 {
        ENDED.fetch_add(1, Ordering::Relaxed);
        futex_wake(&ENDED);
    }
    progress::changed(ALL.running.load(Ordering::Relaxed), 1);
}

/// The thread with thread pointer `fs_base` ends although its call has not returned (pthread_exit): the call is over,
/// once those that it has spawned are. The futexes whose waiters are to be woken.
pub fn abandon(fs_base: u64) -> [u64; 3] {
    // SAFETY: the thread-local word of a task that is about to end, and the call that its thread runs.
    let Some(call) = (unsafe { (*entry::call_word(fs_base)).as_ref() }) else { return [0; 3] };
    // The call is leaked: those that it has spawned may still run.
    if call.nursery.running.load(Ordering::Relaxed) != 0 {
        call.nursery.abandoned.store(true, Ordering::Relaxed);
        return [0; 3];
    }
    // SAFETY: a nursery outlives all that it counts.
    let parent = unsafe { &*call.nursery.parent };
    parent.running.fetch_sub(1, Ordering::Relaxed);
    ALL.running.fetch_sub(1, Ordering::Relaxed);
    ENDED.fetch_add(1, Ordering::Relaxed);
    [&parent.running, &ALL.running, &ENDED].map(|word| word.as_ptr() as u64)
}

/// In the child of a fork: of all calls only the one that forked, in the thread with thread pointer `fs_base`, is left.
pub fn become_child(fs_base: u64) {
    // SAFETY: the thread-local words of the only thread.
    unsafe {
        let in_call = !(*entry::call_word(fs_base)).is_null();
        ALL.running.store(u32::from(in_call), Ordering::Relaxed);
        if let Some(nursery) = (*entry::nursery_word(fs_base)).as_ref() {
            nursery.running.store(0, Ordering::Relaxed);
        }
    }
    AT_LIMIT.store(0, Ordering::Relaxed);
}

/// The function whose spawned call runs in the thread with thread pointer `fs_base`.
pub fn running_in(fs_base: u64) -> Option<&'static str> {
    // SAFETY: the thread-local word of a task, and the call that its thread runs.
    unsafe { (*entry::call_word(fs_base)).as_ref().map(|call| (*call.rule).name.as_str()) }
}

/// longjmp(3) within a spawned call: the target must be on this thread's stack. glibc keeps the stack pointer in word 6
/// of the jump buffer, rotated and mixed with the word at fs:0x30 (sysdeps/unix/sysv/linux/x86_64/pointer_guard.h).
fn forbid_leaving(call: &Call, buffer: usize) {
    const STACK_POINTER: usize = 6 * 8;
    const POINTER_GUARD: usize = 0x30;
    // SAFETY: plain words; a bad buffer is the program's error, which longjmp will meet itself.
    let (Ok(mixed), Ok(guard)) = (unsafe {
        (user::read::<u64>(buffer + STACK_POINTER), user::read::<u64>(entry::thread_pointer() as usize + POINTER_GUARD))
    }) else {
        return;
    };
    let target = mixed.rotate_right(17) ^ guard;
    // SAFETY: the arena is read only, between two calls that could change it.
    let own = unsafe { (*WORKER.get()).arena.slot_of(&raw const mixed as usize) };
    if own.is_some_and(|slot| !(slot.start..=slot.start + slot.len).contains(&(target as usize))) {
        // SAFETY: a call lives until its thread ends.
        let name = unsafe { (*call.rule).name.as_str() };
        say!(
            "a spawned call of {name} was left by longjmp to its caller, which has gone on long since: ending the program (SIGABRT)"
        );
        symbols::abort();
    }
}

fn futex_wait(word: &AtomicU32, value: u32) {
    symbols::system_call(
        Sysno::futex,
        [word.as_ptr() as usize, (FUTEX_WAIT | FUTEX_PRIVATE_FLAG) as usize, value as usize, 0],
    );
}

fn futex_wake(word: &AtomicU32) {
    symbols::system_call(
        Sysno::futex,
        [word.as_ptr() as usize, (FUTEX_WAKE | FUTEX_PRIVATE_FLAG) as usize, i32::MAX as usize, 0],
    );
}
