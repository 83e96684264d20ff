//! `libgrivet_classic.so`: the textbook trick. **This is the exhibit, not the product**: that is `libgrivet.so`, in
//! `preload/`. It is here to be read, to work where such libraries work, and to break where they break.
//!
//! The trick is monkey patching for native programs. LD_PRELOAD puts this library before libc, so that the program's
//! calls of `pthread_create` and `sleep` arrive here ([`threads`], [`sleep`]). They are sent to an ordinary coroutine
//! scheduler, the crate `may`, which has one worker thread ([`scheduler`]): a thread becomes a coroutine, a sleep lets
//! the next coroutine run. For a program that makes threads which sleep and print, that is all it takes.
//!
//! Where it breaks (`scripts/demo --act 3` shows it), and why that is not for want of more hooks:
//!
//! - **Identity.** All coroutines are one thread to libc: one `pthread_self`, one name, one `errno`, one copy of each
//!   thread-local variable, on which C++, Rust, Python and every TLS library rely.
//! - **Every wait that has no hook** stops the worker and with it all coroutines: a mutex, a condition variable,
//!   `read`, `epoll_wait`. If what is waited for is another coroutine's to give, that is a deadlock.
//! - **libc calls itself** without its exported symbols: no hook sees the locks of stdio and malloc, or what
//!   `getaddrinfo` waits for.
//! - **pthreads are more than their names.** What `pthread_create` hands out here is a number, not libc's thread:
//!   libc's functions that take one and have no hook (`pthread_getname_np`, `pthread_kill`) crash on it.

mod scheduler;
mod sleep;
mod threads;

/// Runs when the library is loaded, before the program's `main`.
#[ctor::ctor(unsafe)]
fn start() {
    scheduler::start();
}
