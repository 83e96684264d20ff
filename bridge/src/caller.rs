//! Makes calls: each on a thread of its own, with the stack, the name and the limit that were asked for.
//!
//! There is no pool. A thread ends with its call, unless others stand in line behind a limit: then it makes these first.

use crate::call::{Call, CallError};
use crate::ceiling::Counted;
use crate::line::{Job, Line};
use std::io;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;

/// Bytes of stack of a call's thread if nothing else is said: 128 KiB. Only what a call touches is memory.
pub const DEFAULT_STACK: usize = 128 << 10;

/// Runs `closure` on a thread of its own, green under grivet, and gives a future of its result.
///
/// The call begins now. What becomes of panics, of failures and of a future that is dropped is told in the
/// [crate's documentation](crate#what-a-call-is). The thread has [`DEFAULT_STACK`] bytes of stack; [`Caller`] has settings.
///
/// ```
/// use std::{thread, time::Duration};
///
/// let nap = |number: u32| grivet_bridge::call(move || {
///     thread::sleep(Duration::from_millis(50));
///     number
/// });
/// let both = futures::future::join(nap(1), nap(2)); // 50 ms, not 100
/// let (one, two) = grivet_bridge::block_on(both);
/// assert_eq!(one.unwrap() + two.unwrap(), 3);
/// ```
pub fn call<T, F>(closure: F) -> Call<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Caller::new().call(closure)
}

/// Makes calls with settings of its own. Clones share the limit.
///
/// ```
/// let driver = grivet_bridge::Caller::new().name("driver").stack_size(512 << 10).limit(100);
/// let call = driver.call(|| std::thread::current().name().map(String::from));
/// assert_eq!(grivet_bridge::block_on(call).unwrap().as_deref(), Some("driver"));
/// ```
#[derive(Clone, Debug)]
pub struct Caller {
    stack_size: usize,
    name: Option<String>,
    line: Option<Arc<Line>>,
}

impl Default for Caller {
    fn default() -> Caller {
        Caller { stack_size: DEFAULT_STACK, name: None, line: None }
    }
}

impl Caller {
    /// Calls as [`call`] makes them.
    pub fn new() -> Caller {
        Caller::default()
    }

    /// Bytes of stack for each call's thread, at least the system's minimum. How much it takes is up to the C code: a function
    /// with a buffer of 1 MiB among its variables overflows the default.
    pub fn stack_size(self, bytes: usize) -> Caller {
        Caller { stack_size: bytes, ..self }
    }

    /// The name of the threads, as debuggers, panics and `/proc` show it. Panics if it contains a zero byte.
    pub fn name(self, name: impl Into<String>) -> Caller {
        let name = name.into();
        assert!(!name.contains('\0'), "a thread's name contains a zero byte");
        Caller { name: Some(name), ..self }
    }

    /// At most `calls` at once; further ones begin, in their order, as others end. Panics if `calls` is 0.
    ///
    /// Without it there is no bound but the system's. It is for what lies behind the calls (a server that takes 100
    /// connections), and for programs that shall run natively too.
    pub fn limit(self, calls: usize) -> Caller {
        let places = NonZeroUsize::new(calls).expect("a limit of 0 calls would let none begin");
        Caller { line: Some(Arc::new(Line::new(places))), ..self }
    }

    /// Runs `closure` on a thread of its own, as the function [`call`] does, with these settings.
    pub fn call<T, F>(&self, closure: F) -> Call<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (call, place) = Call::new();
        let Some(line) = &self.line else {
            let filled = Arc::clone(&place);
            if let Err(error) = self.spawn(move || filled.fill_by(closure)) {
                place.fill(Err(CallError::NoThread(error)));
            }
            return call;
        };
        let filled = Arc::clone(&place);
        let job: Job = Box::new(move |thread| match thread {
            // Its future may have been dropped while it stood in line.
            Ok(()) if filled.is_abandoned() => {}
            Ok(()) => filled.fill_by(closure),
            Err(error) => filled.fill(Err(CallError::NoThread(error))),
        });
        if let Some(first) = line.enter(job)
            && let Err(error) = self.spawn_for(line, first)
        {
            for stranded in line.leave_without_thread() {
                stranded(Err(io::Error::from(error.kind())));
            }
            place.fill(Err(CallError::NoThread(error)));
        }
        call
    }

    /// Makes a thread that does the `first` job, and then all that it finds in line.
    fn spawn_for(&self, line: &Arc<Line>, first: Job) -> io::Result<()> {
        let line = Arc::clone(line);
        self.spawn(move || {
            let mut job = Some(first);
            while let Some(present) = job {
                // Only the drop of a result that nobody wants can panic here. The place must outlive it.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| present(Ok(()))));
                job = line.next();
            }
        })
    }

    /// Makes a thread, detached, that runs `body`.
    fn spawn(&self, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let builder = thread::Builder::new().stack_size(self.stack_size);
        let builder = if let Some(name) = &self.name { builder.name(name.clone()) } else { builder };
        let counted = Counted::new()?;
        let thread = builder.spawn(move || {
            body();
            drop(counted);
        });
        thread.map(drop)
    }
}
