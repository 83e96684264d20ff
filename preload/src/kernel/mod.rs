//! What grivet answers in the kernel's place, one file for each family of system calls. A call is answered at once, is
//! left to the kernel (`Outcome::Pass`), or parks its task; a parked task's call is completed by whoever wakes it.

pub mod child;
pub mod cpu_time;
pub mod cpu_timers;
pub mod descriptors;
pub mod early_timers;
pub mod elsewhere;
pub mod futex;
pub mod identity;
pub mod io;
pub mod memory;
pub mod nice;
pub mod poll;
pub mod pool;
pub mod preempt;
pub mod priority_inheritance;
pub mod proc_files;
pub mod proc_text;
pub mod process;
pub mod scheduling;
pub mod several_futexes;
pub mod shared_futex;
pub mod signal;
pub mod thread;
pub mod time;
pub mod timer;
pub mod unseen;
pub mod watched;

use crate::arch::{Frame, Resume};
use crate::sched::task::{TaskId, Wait};
use crate::sched::worker::Worker;
use syscalls::{Errno, Sysno};

/// What became of a call.
pub enum Outcome {
    /// Answered: the result as it goes into rax.
    Done(isize),
    /// Not ours: the stub makes the call itself.
    Pass,
    /// The task's frame is complete, or will be by whoever wakes it; another task may go on.
    Switch,
    /// The calling task goes on in this way.
    Resume(Resume),
}

impl From<Result<usize, Errno>> for Outcome {
    fn from(result: Result<usize, Errno>) -> Outcome {
        Outcome::Done(match result {
            Ok(value) => value as isize,
            Err(errno) => error(errno),
        })
    }
}

/// An errno as it stands in rax.
pub fn error(errno: Errno) -> isize {
    -(errno.into_raw() as isize)
}

/// Called by the gate on the worker's stack with the frame of the current task; how a task goes on.
pub extern "C" fn enter(frame: *mut Frame, worker: *mut Worker) -> Resume {
    // SAFETY: the gate passes the worker of the task that called, which runs on this kernel thread only; no other
    // reference to it is live, because tasks run only while grivet does not.
    let worker = unsafe { &mut *worker };
    // SAFETY: the gate has just written the frame on the calling task's stack.
    let call = unsafe { &mut *frame };
    if call.number() == Sysno::futex as u32
        && let Some(resume) = futex::fast(worker, call)
    {
        return resume;
    }
    general(worker, frame)
}

/// Any call that is not one of the two most frequent.
#[inline(never)]
fn general(worker: &mut Worker, frame: *mut Frame) -> Resume {
    // SAFETY: as for `enter`, which passes its own argument.
    let call = unsafe { &mut *frame };
    match answer(worker, call) {
        Outcome::Done(result) => {
            worker.stats.answered += 1;
            call.answer(result);
            Resume::gate(frame)
        }
        Outcome::Pass => {
            worker.stats.passed += 1;
            Resume::gate(frame)
        }
        Outcome::Switch => {
            worker.stats.answered += 1;
            worker.schedule()
        }
        Outcome::Resume(resume) => resume,
    }
}

/// Called by the gate instead of going on with `resume`, the current task's, when signals were noted.
pub extern "C" fn attend(resume: Resume, worker: *mut Worker) -> Resume {
    // SAFETY: as for `enter`.
    let worker = unsafe { &mut *worker };
    signal::attend(worker, resume)
}

#[inline(always)]
fn answer(worker: &mut Worker, call: &mut Frame) -> Outcome {
    let Some(number) = Sysno::new(call.number() as usize) else { return Outcome::Pass };
    match number {
        Sysno::futex => futex::answer(worker, call),
        Sysno::futex_waitv => several_futexes::wait(worker, call),
        Sysno::clock_nanosleep => time::clock_nanosleep(worker, call),
        Sysno::nanosleep => time::nanosleep(worker, call),
        Sysno::sched_yield => time::sched_yield(worker, call),
        Sysno::rt_sigprocmask => signal::calls::rt_sigprocmask(worker, call),
        Sysno::clone3 => thread::clone3(worker, call),
        Sysno::clone => thread::clone(worker, call),
        Sysno::exit => thread::exit(worker, call),
        Sysno::madvise => memory::madvise(worker, call),
        Sysno::mmap => memory::mmap(worker, call),
        Sysno::mprotect => memory::mprotect(worker, call),
        Sysno::munmap => memory::munmap(worker, call),
        Sysno::set_robust_list => thread::set_robust_list(worker, call),
        Sysno::get_robust_list => thread::get_robust_list(worker, call),
        Sysno::set_tid_address => thread::set_tid_address(worker, call),
        Sysno::rseq => thread::rseq(worker, call),
        Sysno::gettid => Outcome::Done(worker.tasks[worker.current].tid as isize),
        Sysno::rt_sigaction => signal::calls::rt_sigaction(worker, call),
        Sysno::rt_sigreturn => signal::calls::rt_sigreturn(worker, call),
        Sysno::sigaltstack => signal::calls::sigaltstack(worker, call),
        Sysno::tgkill | Sysno::tkill => signal::sending::thread_kill(worker, call, number),
        Sysno::rt_tgsigqueueinfo => signal::sending::thread_queue(worker, call),
        Sysno::kill | Sysno::rt_sigqueueinfo => signal::sending::process_kill(worker, call),
        Sysno::rt_sigsuspend => signal::calls::rt_sigsuspend(worker, call),
        Sysno::rt_sigtimedwait => signal::calls::rt_sigtimedwait(worker, call),
        Sysno::rt_sigpending => signal::calls::rt_sigpending(worker, call),
        Sysno::pause => signal::calls::pause(worker, call),
        Sysno::poll | Sysno::ppoll | Sysno::select | Sysno::pselect6 => poll::answer(worker, call, number),
        Sysno::timer_create => timer::create(worker, call),
        Sysno::timer_settime => cpu_timers::set(worker, call),
        Sysno::timer_gettime => cpu_timers::get(worker, call),
        Sysno::timer_delete => timer::delete(worker, call),
        Sysno::timer_getoverrun => timer::overrun(worker, call),
        Sysno::prctl => identity::prctl(worker, call),
        Sysno::seccomp => identity::seccomp(worker, call),
        Sysno::clock_gettime => cpu_time::clock_gettime(worker, call),
        Sysno::clock_getres => cpu_time::clock_getres(worker, call),
        Sysno::getrusage => cpu_time::getrusage(worker, call),
        Sysno::sched_setaffinity => scheduling::sched_setaffinity(worker, call),
        Sysno::sched_getaffinity => scheduling::sched_getaffinity(worker, call),
        Sysno::sched_setscheduler | Sysno::sched_setparam => scheduling::set_policy(worker, call, number),
        Sysno::sched_getscheduler | Sysno::sched_getparam => scheduling::get_policy(worker, call, number),
        Sysno::sched_setattr => scheduling::set_attributes(worker, call),
        Sysno::sched_getattr => scheduling::get_attributes(worker, call),
        Sysno::setpriority => nice::set(worker, call),
        Sysno::getpriority => nice::get(worker, call),
        Sysno::sched_rr_get_interval => scheduling::turn(worker, call),
        Sysno::prlimit64
        | Sysno::process_vm_readv
        | Sysno::process_vm_writev
        | Sysno::migrate_pages
        | Sysno::move_pages => scheduling::about_worker(worker, call, number, 0),
        Sysno::ioprio_get | Sysno::ioprio_set => scheduling::about_worker(worker, call, number, 1),
        Sysno::read
        | Sysno::write
        | Sysno::readv
        | Sysno::writev
        | Sysno::pread64
        | Sysno::pwrite64
        | Sysno::preadv
        | Sysno::pwritev
        | Sysno::preadv2
        | Sysno::pwritev2
        | Sysno::recvfrom
        | Sysno::recvmsg
        | Sysno::recvmmsg
        | Sysno::sendto
        | Sysno::sendmsg
        | Sysno::sendmmsg
        | Sysno::accept
        | Sysno::accept4
        | Sysno::connect
        | Sysno::epoll_wait
        | Sysno::epoll_pwait
        | Sysno::epoll_pwait2
        | Sysno::io_uring_enter
        | Sysno::mq_timedsend
        | Sysno::mq_timedreceive
        | Sysno::splice
        | Sysno::tee
        | Sysno::vmsplice
        | Sysno::sendfile
        | Sysno::creat
        | Sysno::openat2 => io::begin(worker, call, number),
        Sysno::mq_notify => io::queue::notify(worker, call),
        Sysno::open | Sysno::openat => match proc_files::open(worker, call, number) {
            Outcome::Pass => io::begin(worker, call, number),
            answered => answered,
        },
        Sysno::stat | Sysno::lstat | Sysno::access | Sysno::readlink => {
            proc_files::look_at(worker, call, number, false)
        }
        Sysno::newfstatat | Sysno::faccessat | Sysno::faccessat2 | Sysno::readlinkat | Sysno::statx => {
            proc_files::look_at(worker, call, number, true)
        }
        Sysno::getdents64 => proc_files::list(worker, call),
        Sysno::io_uring_setup => io::ring::setup(worker, call),
        Sysno::getrandom => Outcome::Done(io::disk::random(call.arguments())),
        Sysno::wait4 | Sysno::waitid => child::wait(worker, call, number),
        Sysno::close => descriptors::close(worker, call),
        Sysno::dup2 | Sysno::dup3 => descriptors::duplicate_to(worker, call),
        Sysno::dup => descriptors::duplicate_any(worker, call),
        Sysno::shutdown => descriptors::shutdown(worker, call),
        Sysno::close_range => descriptors::close_range(worker, call),
        Sysno::pipe | Sysno::pipe2 | Sysno::socketpair => descriptors::make_pair(worker, call, number),
        Sysno::signalfd | Sysno::signalfd4 => signal::descriptor::make(worker, call),
        Sysno::fcntl => descriptors::fcntl(worker, call),
        Sysno::ioctl => descriptors::ioctl(worker, call),
        Sysno::setsockopt => descriptors::setsockopt(worker, call),
        Sysno::flock => elsewhere::flock(worker, call),
        Sysno::semop | Sysno::semtimedop => elsewhere::semaphores(worker, call, number),
        Sysno::msgsnd | Sysno::msgrcv => elsewhere::messages(worker, call, number),
        Sysno::fsync | Sysno::fdatasync | Sysno::sync | Sysno::syncfs | Sysno::sync_file_range | Sysno::msync => {
            elsewhere::synchronise(worker, call, number)
        }
        Sysno::copy_file_range | Sysno::io_getevents | Sysno::io_pgetevents => elsewhere::any(worker, call, number),
        Sysno::setuid
        | Sysno::setgid
        | Sysno::setreuid
        | Sysno::setregid
        | Sysno::setgroups
        | Sysno::setresuid
        | Sysno::setresgid
        | Sysno::setfsuid
        | Sysno::setfsgid
        | Sysno::capset => identity::change_ids(worker, call, number),
        Sysno::unshare | Sysno::setns => identity::change_namespaces(worker, call, number),
        Sysno::fork | Sysno::vfork => process::fork(worker, call, number),
        Sysno::execve | Sysno::execveat => process::exec(worker, call),
        Sysno::exit_group => process::exit_group(worker),
        _ => Outcome::Pass,
    }
}

/// A parked task's time is over: its call ends, or goes on waiting if its clock says otherwise.
pub fn time_out(worker: &mut Worker, id: TaskId, now: u64) {
    match worker.tasks[id].wait {
        Wait::Futex => futex::time_out(worker, id),
        Wait::Several => several_futexes::time_out(worker, id),
        Wait::Sleep => time::wake_sleeper(worker, id, now),
        Wait::Poll => poll::time_out(worker, id),
        Wait::File => io::time_out(worker, id),
        Wait::Signal => {
            signal::delivery::end_await(worker, id);
            worker.wake(id, error(Errno::EAGAIN));
        }
        Wait::Nothing | Wait::Pool | Wait::Child => {}
    }
}

/// Takes a parked task out of everything it waits in, so that its call can end otherwise.
pub fn withdraw(worker: &mut Worker, id: TaskId) {
    worker.timers.remove(id);
    match worker.tasks[id].wait {
        Wait::Futex => futex::withdraw(worker, id),
        Wait::Several => several_futexes::withdraw(worker, id),
        Wait::Poll => poll::withdraw(worker, id),
        Wait::File => {
            io::withdraw(worker, id);
            worker.tasks[id].deadline = 0;
        }
        Wait::Child => child::withdraw(worker, id),
        Wait::Sleep | Wait::Signal | Wait::Pool | Wait::Nothing => {}
    }
}
