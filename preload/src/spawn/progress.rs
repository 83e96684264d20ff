//! GRIVET_PROGRESS: a line on the terminal that tells how many spawned calls run and are done. It is drawn at most ten
//! times a second, over itself, and removed before the program ends.

use crate::raw;
use crate::report::fixed_text::FixedText;
use crate::report::message::STDERR;
use crate::sched::clock::NS_PER_S;
use crate::sched::worker::WORKER;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use syscalls::Sysno;

const EVERY: u64 = NS_PER_S / 10;

static SHOWN: AtomicBool = AtomicBool::new(false);
static DONE: AtomicU64 = AtomicU64::new(0);
static BEGAN: AtomicU64 = AtomicU64::new(0);
static DRAWN: AtomicU64 = AtomicU64::new(0);

/// Shows the line from now on, if stderr is a terminal.
pub fn begin() {
    const TCGETS: usize = 0x5401;
    let mut settings = [0u8; 64];
    // SAFETY: TCGETS writes a struct termios of the kernel's, 36 bytes.
    let answer =
        unsafe { raw::call(Sysno::ioctl as u32, [STDERR as usize, TCGETS, settings.as_mut_ptr() as usize, 0, 0, 0]) };
    SHOWN.store(answer == 0, Ordering::Relaxed);
    BEGAN.store(now(), Ordering::Relaxed);
}

fn now() -> u64 {
    // SAFETY: reading the clock changes nothing.
    unsafe { (*WORKER.get()).clock.now() }
}

/// `running` calls run now; `ended` more have ended.
pub fn changed(running: u32, ended: u64) {
    let done = DONE.fetch_add(ended, Ordering::Relaxed) + ended;
    if !SHOWN.load(Ordering::Relaxed) {
        return;
    }
    let now = now();
    if now.wrapping_sub(DRAWN.load(Ordering::Relaxed)) >= EVERY {
        DRAWN.store(now, Ordering::Relaxed);
        draw(running, done, now);
    }
}

fn draw(running: u32, done: u64, now: u64) {
    let elapsed = now.saturating_sub(BEGAN.load(Ordering::Relaxed)).max(1);
    let rate = done.saturating_mul(NS_PER_S) / elapsed;
    let calls = if running == 1 { "call" } else { "calls" };
    let line =
        FixedText::<96>::of(format_args!("\r\x1b[Kgrivet: {running} {calls} running, {done} done, {rate} per second"));
    let _ = raw::write(STDERR, line.bytes());
}

/// Removes the line.
pub fn end() {
    if SHOWN.swap(false, Ordering::Relaxed) && DRAWN.load(Ordering::Relaxed) != 0 {
        let _ = raw::write(STDERR, b"\r\x1b[K");
    }
}
