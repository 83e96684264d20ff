//! Timers that the program made while it had one thread, before grivet woke, and that are for that thread alone (SIGEV_THREAD_ID)
//! or on its CPU clock. The kernel lists them in /proc/self/timers, if it is built to (CONFIG_CHECKPOINT_RESTORE).

use super::{cpu_time, cpu_timers, timer};
use crate::kernel::proc_text;
use crate::kernel::timer::SigEvent;
use crate::raw;
use crate::sched::idle::timespec;
use crate::sched::worker::Worker;
use linux_raw_sys::general::{__kernel_itimerspec, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID};
use syscalls::Sysno;

/// Takes over those that the kernel would from now on send, or count, for all tasks.
pub fn adopt(worker: &mut Worker) {
    let Ok(list) = proc_text::read(c"/proc/self/timers") else { return };
    let Ok(list) = core::str::from_utf8(&list) else { return };
    let mut number = 0;
    let mut event = SigEvent { value: 0, signal: 0, notify: 0, thread: worker.pid, padding: [0; 44] };
    for line in list.lines() {
        let Some((key, value)) = line.split_once(": ") else { continue };
        match key {
            "ID" => number = value.parse().unwrap_or_default(),
            "signal" => {
                let (signal, word) = value.split_once('/').unwrap_or_default();
                event.signal = signal.parse().unwrap_or_default();
                event.value = u64::from_str_radix(word, 16).unwrap_or_default();
            }
            "notify" => {
                let kind = match value.split('/').next() {
                    Some("none") => SIGEV_NONE,
                    Some("thread") => SIGEV_THREAD,
                    _ => SIGEV_SIGNAL,
                };
                let whom = if value.contains("/tid.") { SIGEV_THREAD_ID } else { 0 };
                event.notify = (kind | whom) as i32;
            }
            // The last line of each.
            "ClockID" => {
                let is_on_cpu_time = value.parse().is_ok_and(|clock| cpu_time::task_of(worker, clock).is_some());
                if is_on_cpu_time {
                    take_over(worker, number, event);
                } else if event.notify as u32 & SIGEV_THREAD_ID != 0 {
                    timer::direct(worker, number, &event);
                }
            }
            _ => {}
        }
    }
}

/// The first thread's CPU time is not the kernel thread's any more: the kernel stops counting, and grivet goes on.
fn take_over(worker: &mut Worker, number: i32, event: SigEvent) {
    let never = __kernel_itimerspec { it_interval: timespec(0), it_value: timespec(0) };
    let mut time = never;
    let arguments = [number as usize, 0, &raw const never as usize, &raw mut time as usize, 0, 0];
    // SAFETY: the kernel reads one itimerspec and writes the other.
    if unsafe { raw::call(Sysno::timer_settime as u32, arguments) } == 0 {
        cpu_timers::adopt(worker, number, event, &time);
    }
}
