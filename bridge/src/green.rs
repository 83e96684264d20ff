//! Answers the question whether threads of this process are grivet's.
//!
//! Nothing is asked of the library: that it is loaded does not mean that it is in force (`GRIVET=off`, or a process that it
//! stays out of). A thread's number says it for certain. The kernel gives none above PID_MAX_LIMIT, in no namespace, and
//! grivet none below it, so one thread is made and looks at its own.

use std::sync::OnceLock;
use std::thread;

/// The kernel's PID_MAX_LIMIT on 64-bit systems.
const HIGHEST_OF_THE_KERNEL: libc::pid_t = 4 << 20;

/// Whether threads that this process makes are green: coroutines of grivet's in one kernel thread.
///
/// The first call makes a thread to find out; the answer is kept. While no thread can be made it is `false`.
///
/// ```
/// let limit = if grivet_bridge::is_green() { 50_000 } else { 1_000 };
/// let caller = grivet_bridge::Caller::new().limit(limit);
/// ```
pub fn is_green() -> bool {
    static GREEN: OnceLock<bool> = OnceLock::new();
    GREEN.get().copied().unwrap_or_else(|| match made_thread_is_green() {
        Some(green) => *GREEN.get_or_init(|| green),
        None => false,
    })
}

/// Makes a thread and looks at its number; `None` if there is none to be had.
fn made_thread_is_green() -> Option<bool> {
    let probe = thread::Builder::new().name("is_green".into()).stack_size(crate::DEFAULT_STACK);
    // SAFETY: gettid has no arguments and always succeeds.
    let number = probe.spawn(|| unsafe { libc::gettid() }).ok()?.join().ok()?;
    Some(number > HIGHEST_OF_THE_KERNEL)
}
