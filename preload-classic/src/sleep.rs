//! The sleeps: a coroutine that sleeps lets the others run until its time has come.
//!
//! Each hook turns its argument into a `Duration` for the scheduler's sleep. Signals don't interrupt that, so nothing
//! of the time is ever left. Outside of coroutines, and for arguments that libc would refuse, libc's own function answers.

use crate::scheduler::{self, in_coroutine};
use libc::{TIMER_ABSTIME, c_int, c_uint, clockid_t, timespec, useconds_t};
use std::time::Duration;

redhook::hook! {
    unsafe fn sleep(seconds: c_uint) -> c_uint => classic_sleep {
        if in_coroutine() {
            scheduler::sleep(Duration::from_secs(seconds.into()));
            return 0;
        }
        // SAFETY: libc's function, with the arguments of its caller.
        unsafe { redhook::real!(sleep)(seconds) }
    }
}

redhook::hook! {
    unsafe fn usleep(microseconds: useconds_t) -> c_int => classic_usleep {
        if in_coroutine() {
            scheduler::sleep(Duration::from_micros(microseconds.into()));
            return 0;
        }
        // SAFETY: libc's function, with the arguments of its caller.
        unsafe { redhook::real!(usleep)(microseconds) }
    }
}

redhook::hook! {
    unsafe fn nanosleep(wanted: *const timespec, left: *mut timespec) -> c_int => classic_nanosleep {
        // SAFETY: the caller passes a pointer that is null or points to a timespec.
        if in_coroutine() && let Some(time) = unsafe { wanted.as_ref() }.and_then(duration) {
            scheduler::sleep(time);
            return 0;
        }
        // SAFETY: libc's function, with the arguments of its caller.
        unsafe { redhook::real!(nanosleep)(wanted, left) }
    }
}

redhook::hook! {
    unsafe fn clock_nanosleep(
        clock: clockid_t, flags: c_int, wanted: *const timespec, left: *mut timespec
    ) -> c_int => classic_clock_nanosleep {
        // SAFETY: the caller passes a pointer that is null or points to a timespec.
        if in_coroutine() && let Some(mut time) = unsafe { wanted.as_ref() }.and_then(duration) {
            if flags & TIMER_ABSTIME != 0 {
                time = time.saturating_sub(now(clock));
            }
            scheduler::sleep(time);
            return 0;
        }
        // SAFETY: libc's function, with the arguments of its caller.
        unsafe { redhook::real!(clock_nanosleep)(clock, flags, wanted, left) }
    }
}

/// None for what libc refuses: a negative time, or a second and more of nanoseconds.
fn duration(time: &timespec) -> Option<Duration> {
    let (seconds, nanoseconds) = (time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
    (nanoseconds < 1_000_000_000).then(|| Duration::new(seconds, nanoseconds))
}

/// What the clock shows; zero for one that there is not.
fn now(clock: clockid_t) -> Duration {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written to.
    unsafe { libc::clock_gettime(clock, &mut time) };
    duration(&time).unwrap_or_default()
}
