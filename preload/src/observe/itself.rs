//! The process looks at its own green threads, with the same eyes as `grivet dump` looks from outside: for the dump
//! signal, and for the backtraces of reports. All threads stand still meanwhile, because grivet is at work on their one core.

use crate::arch::x86_64::user_memory as user;
use crate::kernel::proc_text;
use crate::mapped_file::MappedFile;
use crate::raw;
use crate::report::fixed_text::FixedText;
use crate::report::say;
use crate::sched::task::{State, TaskId};
use crate::sched::worker::Worker;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use grivet_inspect::backtraces::Backtraces;
use grivet_inspect::group::Group;
use grivet_inspect::images::Images;
use grivet_inspect::locks::Holders;
use grivet_inspect::maps::Mapping;
use grivet_inspect::memory::{Files, Mapped, Memory, Now};
use grivet_inspect::process::Process;
use grivet_inspect::registers::{RSP, Registers};
use grivet_inspect::report::Report;
use grivet_inspect::symbols::{Detail, Symbols};
use grivet_inspect::text;
use grivet_inspect::threads::{Thread, name_files};
use grivet_inspect::unwind::{Start, Unwinder};
use linux_raw_sys::general::{AT_FDCWD, CLOCK_REALTIME, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use syscalls::Sysno;

/// Memory that must be there before so much is looked up, and so much more for each thread: there is nobody to tell of a failed
/// allocation.
const ROOM: usize = 64 << 20;
const ROOM_FOR_THREAD: usize = 1 << 10;

/// The process's own memory; bad addresses are errors.
struct OwnMemory;

impl Memory for OwnMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        // SAFETY: the destination is the caller's.
        unsafe { user::copy(into.as_mut_ptr() as usize, address as usize, into.len()) }.is_ok()
    }
}

/// The files that the process has mapped and open.
struct OwnFiles;

impl Files for OwnFiles {
    fn open(&self, mapping: &Mapping<'_>) -> Option<Mapped> {
        let is_it = |file: &MappedFile| file.inode == mapping.inode;
        // The file at that path may be another by now: then the program's is still known by its link, and those of all mappings
        // by theirs, to the privileged.
        let link = FixedText::<64>::of(format_args!("/proc/self/map_files/{:x}-{:x}", mapping.start, mapping.end));
        let places = [mapping.path, b"/proc/self/exe", link.bytes()];
        let file = places.into_iter().find_map(|place| MappedFile::open(place).filter(is_it))?;
        Some(Box::new(file))
    }

    fn descriptor(&self, descriptor: u32) -> Option<Vec<u8>> {
        let path = FixedText::<40>::of(format_args!("/proc/self/fd/{descriptor}\0"));
        let mut link = alloc::vec![0; 4096];
        let (from, to) = (path.bytes().as_ptr() as usize, link.as_mut_ptr() as usize);
        // SAFETY: the path is a C string, and the buffer has room for what is written.
        let length =
            unsafe { raw::call(Sysno::readlinkat as u32, [AT_FDCWD as isize as usize, from, to, link.len(), 0, 0]) };
        link.truncate(usize::try_from(length).ok()?);
        Some(link)
    }
}

/// Whether there is memory to look at `threads` threads with.
fn has_room(threads: u32) -> bool {
    let size = ROOM + threads as usize * ROOM_FOR_THREAD;
    // SAFETY: a new mapping, which nobody has seen when it is taken away again.
    unsafe {
        raw::mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            .is_ok_and(|base| raw::munmap(base, size).is_ok())
    }
}

/// Standard error, written a few lines at a time.
struct Output {
    fd: i32,
    text: Vec<u8>,
}

impl Output {
    const FULL: usize = 16 << 10;

    fn flush(&mut self) {
        let mut rest = &self.text[..];
        while let Ok(written @ 1..) = raw::write(self.fd, rest) {
            rest = &rest[written.min(rest.len())..];
        }
        self.text.clear();
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.extend_from_slice(text.as_bytes());
        if self.text.len() >= Self::FULL {
            self.flush();
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Describes all green threads on standard error.
pub fn dump(worker: &mut Worker) {
    say!("threads of {} (process {}), as asked by signal:", worker.name_of(0).escape_ascii(), worker.pid);
    describe(worker, None);
}

/// Prints the backtraces of `chosen`.
pub fn backtraces(worker: &mut Worker, chosen: &[TaskId]) {
    describe(worker, Some(chosen));
}

fn describe(worker: &mut Worker, chosen: Option<&[TaskId]>) {
    if !has_room(worker.tasks.live) {
        return say!("no memory to look at the threads with");
    }
    let (memory, files) = (OwnMemory, OwnFiles);
    let layout = &raw const super::layout::grivet_layout as u64;
    let Ok(process) = Process::open(&memory, layout) else { return };
    let now = Now { monotonic: worker.clock.now(), real: worker.clock.read(CLOCK_REALTIME as i32).unwrap_or(0) };
    let mut all = process.threads(now);
    let holders = Holders::new(&all);
    process.look_closer(&mut all, &holders);
    name_files(&mut all, &files);
    let is_chosen = |thread: &&Thread| chosen.is_none_or(|chosen| chosen.contains(&thread.record));
    let threads: Vec<Thread> = all.iter().filter(is_chosen).cloned().collect();
    let maps = proc_text::read(c"/proc/self/maps").unwrap_or_default();
    let images = Images::new(&maps, &memory, &files);
    let mut unwinder = Unwinder::new(&images, &memory);
    let running = registers(worker, &process);
    let backtraces = Backtraces::collect(&process, &threads, &all, running.as_ref(), &mut unwinder);
    let mut symbols = Symbols::new(&images, Detail::Names);
    let name = worker.name_of(0);
    let report = Report {
        program: core::str::from_utf8(name).unwrap_or("program"),
        pid: worker.pid as u32,
        switches: worker.stats.switches,
        threads: &threads,
        backtraces: &backtraces,
        all: &all,
        holders: &holders,
    };
    let mut output = Output { fd: worker.stats.outlet.fd(), text: Vec::new() };
    // Writing to memory does not fail.
    let _ = if chosen.is_some() {
        let groups = Group::single(&report, &mut symbols);
        text::write_groups(&mut output, &report, &groups, &mut symbols)
    } else {
        let groups = Group::all(&report, &mut symbols);
        text::write(&mut output, &report, &groups, &mut symbols)
    };
}

/// The registers of the running task: those it goes on with.
fn registers(worker: &Worker, process: &Process<'_>) -> Option<Registers> {
    let current = worker.current;
    if worker.tasks[current].state != State::Running {
        return None;
    }
    let Start { mut registers, .. } = process.start(worker.tasks[current].resume.0 as u64)?;
    if worker.tasks[current].resume.as_gate().is_some() {
        // As the kernel thread's own would be now: then its frame is looked for where the gate keeps its address.
        registers.set(RSP, Some(process.worker.stack_top));
    }
    Some(registers)
}
