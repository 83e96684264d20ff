//! Stops all kernel threads of a process for as long as a value lives, so that its memory keeps still and the registers of
//! the thread that runs can be read; then all goes on as if nothing had been (ptrace(2), PTRACE_SEIZE and PTRACE_INTERRUPT).
//! If this command dies meanwhile, the kernel lets the process go.

use std::collections::HashSet;
use std::fs;
use std::ops::Range;

use grivet_inspect::process::Process;
use grivet_inspect::registers::{R12, R13, R14, R15, RBP, RBX, RIP, RSP, Registers};
use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace;
use nix::unistd::Pid;
use syscalls::Sysno;

/// Instructions from where the gate begins to its first call, and from its last return to the program: fewer than that.
const GATE_STEPS: u32 = 200;

const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// How the kernel says that an interrupted call is to be made again unless a handler runs (linux/errno.h).
const ERESTARTNOHAND: u64 = 514;

/// Calls that fail if they are interrupted by a stop, handler or not (signal(7)).
const NOT_RESTARTED: [Sysno; 7] = [
    Sysno::epoll_wait,
    Sysno::epoll_pwait,
    Sysno::epoll_pwait2,
    Sysno::semop,
    Sysno::semtimedop,
    Sysno::rt_sigtimedwait,
    Sysno::io_getevents,
];

/// A process at a stop.
pub struct Stopped {
    /// The kernel thread whose id is the process's, which runs the green threads.
    worker: Pid,
    threads: Vec<Thread>,
}

struct Thread {
    id: Pid,
    /// A signal that was about to be delivered; 0 if none.
    signal: i32,
}

impl Stopped {
    /// Stops process `pid`. ESRCH if it has ended, EPERM if it may not be stopped.
    pub fn new(pid: Pid) -> Result<Self, Errno> {
        let mut stopped = Stopped { worker: pid, threads: Vec::new() };
        let mut known = HashSet::new();
        loop {
            let new: Vec<Pid> = kernel_threads(pid)?.into_iter().filter(|id| known.insert(*id)).collect();
            if new.is_empty() {
                break;
            }
            for id in new {
                match ptrace::seize(id, ptrace::Options::empty()) {
                    Ok(()) => {}
                    // It has ended in the meantime.
                    Err(Errno::ESRCH) if id != pid => continue,
                    Err(error) => return Err(error),
                }
                stopped.threads.push(Thread { id, signal: 0 });
                ptrace::interrupt(id)?;
                match wait(id) {
                    Some(signal) => stopped.threads.last_mut().expect("just pushed").signal = signal,
                    None => drop(stopped.threads.pop()),
                }
            }
        }
        stopped.threads.iter().any(|thread| thread.id == pid).then_some(()).ok_or(Errno::ESRCH)?;
        Ok(stopped)
    }

    /// The registers of the thread that runs the green threads. `library`: where libgrivet.so is.
    pub fn registers(&mut self, process: &Process<'_>, library: &Range<u64>) -> Option<Registers> {
        let registers = self.leave_gate(process, library)?;
        Some(Registers::of(&[
            (RBX, registers.rbx),
            (RBP, registers.rbp),
            (RSP, registers.rsp),
            (R12, registers.r12),
            (R13, registers.r13),
            (R14, registers.r14),
            (R15, registers.r15),
            (RIP, registers.rip),
        ]))
    }

    /// In the few instructions of the gate, some of the program's registers are on its stack already and some are not:
    /// those instructions are run to their end, one by one. They wait for nothing.
    fn leave_gate(&mut self, process: &Process<'_>, library: &Range<u64>) -> Option<user_regs_struct> {
        let mut registers = ptrace::getregs(self.worker).ok()?;
        for _ in 0..GATE_STEPS {
            // Further down that stack is what the gate calls.
            let is_below_gate = process.is_on_worker_stack(registers.rsp) && registers.rsp != process.worker.stack_top;
            let is_in_gate = library.contains(&registers.rip) && !is_below_gate;
            let is_in_call = registers.orig_rax as i64 >= 0;
            let mut next = [0; 2];
            let is_call = !process.memory.read(registers.rip, &mut next) || next == SYSCALL;
            let worker = self.threads.iter_mut().find(|thread| thread.id == self.worker)?;
            if !is_in_gate || is_in_call || is_call || worker.signal != 0 || ptrace::step(self.worker, None).is_err() {
                break;
            }
            match wait(self.worker)? {
                0 | libc::SIGTRAP => {}
                signal => worker.signal = signal,
            }
            registers = ptrace::getregs(self.worker).ok()?;
        }
        Some(registers)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for thread in &self.threads {
            restart_call(thread.id);
            // SAFETY: these requests of ptrace(2) take numbers only. nix knows no real-time signals.
            unsafe { libc::ptrace(libc::PTRACE_DETACH, thread.id.as_raw(), 0, thread.signal) };
        }
    }
}

/// Sees to it that a call which the stop has made fail is made again.
fn restart_call(id: Pid) {
    let Ok(mut registers) = ptrace::getregs(id) else { return };
    let is_interrupted = registers.rax as i64 == -i64::from(libc::EINTR);
    if is_interrupted && NOT_RESTARTED.iter().any(|call| *call as u64 == registers.orig_rax) {
        registers.rax = ERESTARTNOHAND.wrapping_neg();
        // If it cannot be set, the call fails as it would at any debugger's stop.
        let _ = ptrace::setregs(id, registers);
    }
}

/// Waits for the stop of a kernel thread: the signal that it was about to take, 0 if it stopped for another reason. None if
/// it has ended.
fn wait(id: Pid) -> Option<i32> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is an int for waitpid(2) to write to. nix knows no real-time signals.
        let waited = unsafe { libc::waitpid(id.as_raw(), &raw mut status, libc::__WALL) };
        match waited {
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => return None,
            _ if !libc::WIFSTOPPED(status) => return None,
            // An event of ptrace's own: a stop that was asked for, or one of the whole process.
            _ if status >> 16 != 0 => return Some(0),
            _ => return Some(libc::WSTOPSIG(status)),
        }
    }
}

fn kernel_threads(pid: Pid) -> Result<Vec<Pid>, Errno> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).map_err(|_| Errno::ESRCH)?;
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(ids.map(Pid::from_raw).collect())
}
