//! How grivet wakes: at load it reads its configuration; at the program's first thread it takes over, or says why it stays
//! out. Everything here runs in the program's own context, before any system call enters the gate.

use crate::arch::x86_64::cpu::{self, Cpu};
use crate::arch::x86_64::gate;
use crate::config::observe::{ObserveConfig, Stats};
use crate::config::{Config, SpawnConfig};
use crate::kernel::signal::calls::adopt;
use crate::kernel::signal::frame::StackT;
use crate::kernel::{cpu_time, early_timers, scheduling};
use crate::observe;
use crate::raw;
use crate::report::say;
use crate::rewrite;
use crate::sched::worker::{WORKER, Worker, coarse};
use crate::symbols::{self, ThreadAttributes, symbols};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};
use linux_raw_sys::auxvec::{AT_HWCAP2, AT_SYSINFO_EHDR};
use linux_raw_sys::general::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};
use linux_raw_sys::prctl::{PR_GET_NAME, PR_GET_TID_ADDRESS};
use syscalls::{Errno, Sysno};

/// Bytes of the worker's stack, on which calls are answered, and of the one for signals, without their guard pages.
const WORKER_STACK: usize = 256 << 10;
const HANDLER_STACK: usize = 64 << 10;
const GUARD: usize = 4096;

const DORMANT: u32 = 0;
const DECIDED: u32 = 1;

static STATE: AtomicU32 = AtomicU32::new(DORMANT);

struct ConfigCell(UnsafeCell<(Config, ObserveConfig<'static>)>);

// SAFETY: written by the constructor, before the program has threads; read afterwards.
unsafe impl Sync for ConfigCell {}

static CONFIG: ConfigCell = ConfigCell(UnsafeCell::new((Config::DEFAULT, ObserveConfig::DEFAULT)));

/// Runs when the library is loaded.
#[cfg(not(test))]
#[ctor::ctor(unsafe)]
fn read_configuration() {
    let config = Config::read(symbols::environment());
    let observe = ObserveConfig::read(symbols::environment());
    let spawn = SpawnConfig::read(symbols::environment());
    match config.and_then(|config| Ok((config, spawn?, observe?))) {
        Ok((config, spawn, observe)) => {
            // SAFETY: the loader runs constructors one after the other, before main.
            unsafe { *CONFIG.0.get() = (config, kept(observe)) };
            if config.enabled && (spawn.spawn.is_some() || spawn.join.is_some()) {
                begin_rules(&spawn);
            }
        }
        Err(complaint) => {
            say!("{complaint}");
            STATE.store(DECIDED, Ordering::Relaxed);
        }
    }
}

/// The names of files in memory of grivet's own: programs write over their environment to change their title.
#[cfg(not(test))]
fn kept(mut observe: ObserveConfig<'static>) -> ObserveConfig<'static> {
    fn keep(name: &mut &'static [u8]) {
        *name = alloc::boxed::Box::leak(alloc::boxed::Box::from(*name));
    }
    if let Some((file, _)) = &mut observe.trace {
        keep(file);
    }
    if let Stats::Json(file) = &mut observe.stats {
        keep(file);
    }
    observe
}

/// Wakes grivet at once and puts the rules in force.
#[cfg(not(test))]
fn begin_rules(spawn: &SpawnConfig<'_>) {
    wake_once();
    // SAFETY: one thread runs, the program's first, and nothing of grivet's is at work.
    let worker = unsafe { &mut *WORKER.get() };
    if !worker.is_awake {
        return;
    }
    match crate::spawn::begin(spawn) {
        Ok(()) => {
            worker.preemption.obey_rules();
            // The rules are this program's, not its children's.
            for name in
                [&b"GRIVET_SPAWN"[..], b"GRIVET_JOIN", b"GRIVET_LIMIT", b"GRIVET_SPAWN_STACK", b"GRIVET_PROGRESS"]
            {
                symbols::remove_from_environment(name);
            }
        }
        Err(refused) => say!("{refused}; running natively"),
    }
}

/// Wakes grivet on the first call. Later calls, and calls of a process that it stays out of, do nothing.
#[inline]
pub fn wake_once() {
    if STATE.load(Ordering::Relaxed) == DECIDED {
        return;
    }
    STATE.store(DECIDED, Ordering::Relaxed);
    // SAFETY: written by the constructor only.
    let (config, observe) = unsafe { *CONFIG.0.get() };
    if config.enabled
        && let Err(reason) = wake(config, &observe)
    {
        match reason {
            StayOut::Library => say!("the C library is not glibc: staying out, threads are the kernel's"),
            StayOut::Threads(count) => {
                say!("the process has {count} kernel threads already: staying out, threads are the kernel's")
            }
            StayOut::Rewriting(refused) => {
                say!("system calls cannot be rewritten ({refused}): staying out, threads are the kernel's")
            }
            StayOut::Memory(errno) => say!("no memory to start with ({errno}): staying out, threads are the kernel's"),
            StayOut::Go => {
                say!("the program, or a library of it, is written in Go, which schedules for itself: staying out")
            }
        }
    }
}

/// Why grivet leaves a process alone.
enum StayOut {
    Library,
    Threads(usize),
    Rewriting(rewrite::Refused),
    Memory(Errno),
    Go,
}

fn wake(config: Config, observe: &ObserveConfig<'static>) -> Result<(), StayOut> {
    if symbols().gnu_get_libc_version.is_none() {
        return Err(StayOut::Library);
    }
    have_room().map_err(StayOut::Memory)?;
    if rewrite::has_go() {
        return Err(StayOut::Go);
    }
    let threads = kernel_threads();
    if threads != 1 {
        return Err(StayOut::Threads(threads));
    }
    // SAFETY: the process has one thread, this one, and no call enters grivet before its thread-local word is set below.
    let worker = unsafe { &mut *WORKER.get() };
    prepare(worker, config).map_err(StayOut::Memory)?;
    rewrite::activate().map(drop).map_err(StayOut::Rewriting)?;
    observe::begin(worker, observe);
    // Where the kernel lets nobody change its vDSO, CLOCK_THREAD_CPUTIME_ID counts all tasks together (docs/limits.md).
    let _ = rewrite::activate_vdso();
    adopt(worker);
    early_timers::adopt(worker);
    if let Some(size) = config.stack {
        set_default_stack(size);
    }
    let current = worker.current;
    let word = cpu::current_word(worker.tasks[current].fs_base);
    // SAFETY: it is this thread's own thread-local word.
    unsafe { *word = worker.tasks.address(current) as usize };
    worker.is_awake = true;
    raw::count_anew();
    Ok(())
}

/// Fills in the worker.
fn prepare(worker: &mut Worker, config: Config) -> Result<(), Errno> {
    worker.config = config;
    if !config.preempt {
        worker.preemption.forbid();
    }
    let auxiliary = |kind: u32| {
        symbols().getauxval.map_or(0, |getauxval| {
            // SAFETY: getauxval(3) takes any number.
            unsafe { getauxval(u64::from(kind)) }
        })
    };
    worker.cpu = Cpu::detect(auxiliary(AT_HWCAP2));
    let vdso = auxiliary(AT_SYSINFO_EHDR);
    if vdso != 0 {
        worker.clock.use_vdso(vdso as usize);
    }
    worker.coarse_time = coarse(worker.clock.now());
    worker.stack_bottom = map_stack(WORKER_STACK)?;
    // Room for the address of the frame that the gate answers.
    worker.stack_top = worker.stack_bottom + WORKER_STACK - 16;
    let handler_stack = map_stack(HANDLER_STACK)?;
    worker.signals.handler_stack = StackT::new(handler_stack as u64, HANDLER_STACK as u64, 0);
    let own = rewrite::own_span();
    worker.signals.own_text = own.start as u64..own.end as u64;
    worker.parking.prepare();
    worker.tasks.reserve()?;
    worker.pid = raw::getpid();
    worker.tasks.number_for(worker.pid);
    gate::set_kernel_thread(raw::gettid());
    worker.adopt_main(worker.cpu.fs_base(), raw::gettid())?;
    let current = worker.current;
    let main = &mut worker.tasks[current];
    let (mut list, mut length) = (0u64, 0usize);
    // SAFETY: each call writes what its last argument points to: 16 bytes of name, a word, two words.
    unsafe {
        raw::call(Sysno::prctl as u32, [PR_GET_NAME as usize, worker.name.as_mut_ptr() as usize, 0, 0, 0, 0]);
        raw::call(Sysno::prctl as u32, [PR_GET_TID_ADDRESS as usize, &raw mut main.clear_tid as usize, 0, 0, 0, 0]);
        raw::call(Sysno::get_robust_list as u32, [0, &raw mut list as usize, &raw mut length as usize, 0, 0, 0]);
    }
    main.robust_list = list;
    cpu_time::begin(worker);
    scheduling::begin(worker);
    Ok(())
}

/// A stack with a guard page below it; its lowest usable address.
fn map_stack(size: usize) -> Result<usize, Errno> {
    // SAFETY: a new mapping, of which the lowest page is made inaccessible.
    unsafe {
        let base =
            raw::mmap(0, GUARD + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)?;
        raw::mprotect(base, GUARD, PROT_NONE)?;
        Ok(base + GUARD)
    }
}

/// Whether there is memory to wake with: what allocates on the way cannot give up half-way. Waking takes a good megabyte.
fn have_room() -> Result<(), Errno> {
    const ROOM: usize = 4 << 20;
    // SAFETY: a new mapping, which nobody has seen when it is taken away again.
    unsafe { raw::munmap(raw::mmap(0, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)?, ROOM) }
}

/// How many kernel threads the process has: the links of /proc/self/task, less those of an empty directory. 1 if
/// /proc is not there to tell.
fn kernel_threads() -> usize {
    const EMPTY: usize = 2;
    const LINKS: usize = 2;
    const AT_FDCWD: usize = -100isize as usize;
    let mut stat = [0u64; 18];
    // SAFETY: struct stat is 144 bytes; its third word is st_nlink.
    let answer = unsafe {
        raw::call(
            Sysno::newfstatat as u32,
            [AT_FDCWD, c"/proc/self/task".as_ptr() as usize, stat.as_mut_ptr() as usize, 0, 0, 0],
        )
    };
    if answer == 0 { (stat[LINKS] as usize).saturating_sub(EMPTY).max(1) } else { 1 }
}

/// GRIVET_STACK: the default that pthread_create takes when the program asks for no size.
fn set_default_stack(size: usize) {
    let table = symbols();
    let (Some(get), Some(set), Some(set_size)) =
        (table.pthread_getattr_default_np, table.pthread_setattr_default_np, table.pthread_attr_setstacksize)
    else {
        say!("GRIVET_STACK: this C library has no default stack size to set; it stays as it is");
        return;
    };
    let mut attributes = ThreadAttributes::BLANK;
    // SAFETY: the three functions take a pthread_attr_t, for which there is room.
    let done = unsafe {
        get(&raw mut attributes) == 0 && set_size(&raw mut attributes, size) == 0 && set(&raw const attributes) == 0
    };
    if !done {
        say!("GRIVET_STACK: the C library refuses a default stack of {size} bytes; it stays as it is");
    }
}
