//! The threads: each one that the program makes is a coroutine, known to the program by a number.
//!
//! The numbers count up from 1 and are looked up in a table when the program joins or detaches. libc's own `pthread_t`
//! is an address, so the two can't be mistaken for one another, and what is not in the table is libc's to answer.
//!
//! Left out, because nothing short of libc can give it: attributes, `pthread_self`, `pthread_exit`, cancellation, keys.

use crate::scheduler::is_started;
use libc::{c_int, c_void, pthread_attr_t, pthread_t};
use may::coroutine::JoinHandle;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

/// What a thread is given and what it returns: the program's own pointers, which go from thread to thread unread.
struct Pointer(*mut c_void);

// SAFETY: nothing here looks at what the pointer leads to; the program hands it over as it would with real threads.
unsafe impl Send for Pointer {}

/// The coroutines that have been neither joined nor detached, and the last number given.
struct Table {
    coroutines: BTreeMap<pthread_t, JoinHandle<Pointer>>,
    last: pthread_t,
}

static TABLE: Mutex<Table> = Mutex::new(Table { coroutines: BTreeMap::new(), last: 0 });

/// The table, for a few instructions: no coroutine may switch while it holds this, see act 3.
fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

redhook::hook! {
    unsafe fn pthread_create(
        thread: *mut pthread_t, attributes: *const pthread_attr_t, start: Start, argument: *mut c_void
    ) -> c_int => classic_pthread_create {
        if !is_started() {
            // SAFETY: libc's function, with the arguments of its caller.
            return unsafe { redhook::real!(pthread_create)(thread, attributes, start, argument) };
        }
        let argument = Pointer(argument);
        // SAFETY: not so, and that is what this exhibit is about: the program may do what `may` forbids, such as use
        // thread-local variables across a switch, or more stack than there is.
        let spawned = unsafe { may::coroutine::Builder::new().spawn(move || run(start, argument)) };
        let Ok(coroutine) = spawned else { return libc::EAGAIN };
        let mut table = table();
        table.last += 1;
        let number = table.last;
        table.coroutines.insert(number, coroutine);
        // SAFETY: the caller passes a place for the new thread's pthread_t.
        unsafe { *thread = number };
        0
    }
}

/// The body of a coroutine.
fn run(start: Start, argument: Pointer) -> Pointer {
    Pointer(start(argument.0))
}

redhook::hook! {
    unsafe fn pthread_join(thread: pthread_t, result: *mut *mut c_void) -> c_int => classic_pthread_join {
        // In a statement of its own: the table must be free again while this waits.
        let coroutine = table().coroutines.remove(&thread);
        let Some(coroutine) = coroutine else {
            // SAFETY: libc's function, with the arguments of its caller.
            return unsafe { redhook::real!(pthread_join)(thread, result) };
        };
        // Stops a caller that is a coroutine until the other one has ended, and the thread of one that is not.
        let Ok(Pointer(returned)) = coroutine.join() else { return libc::EINVAL };
        // SAFETY: the caller passes a pointer that is null or a place for the result.
        if let Some(place) = unsafe { result.as_mut() } {
            *place = returned;
        }
        0
    }
}

redhook::hook! {
    unsafe fn pthread_detach(thread: pthread_t) -> c_int => classic_pthread_detach {
        // Without its handle a coroutine runs on, and is freed when it ends.
        if table().coroutines.remove(&thread).is_some() {
            return 0;
        }
        // SAFETY: libc's function, with the arguments of its caller.
        unsafe { redhook::real!(pthread_detach)(thread) }
    }
}
