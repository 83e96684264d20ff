//! The rows as coroutines of the `may` crate: stackful, like grivet's, and with blocking calls of may's own.
//! The number of workers is may's default, one a core it may run on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use may::coroutine::{self, JoinHandle};
use may::sync::{Condvar, Mutex, Semphore};

use crate::measure::{bytes_each, memory_held, nanoseconds_each, warm_up};

/// Spawns a coroutine.
fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: the bodies in this file use no thread-local storage and little stack, which is what may's `spawn` asks of its caller.
    unsafe { coroutine::spawn(body) }
}

/// Two coroutines, two semaphores; nanoseconds a round.
pub fn semaphore_ping_pong(rounds: u64) -> f64 {
    let (ping, pong) = (Arc::new(Semphore::new(0)), Arc::new(Semphore::new(0)));
    let (their_ping, their_pong) = (ping.clone(), pong.clone());
    let answerer = spawn(move || {
        for _ in 0..warm_up(rounds) + rounds {
            their_ping.wait();
            their_pong.post();
        }
    });
    let server = spawn(move || {
        let mut start = Instant::now();
        for round in 0..warm_up(rounds) + rounds {
            if round == warm_up(rounds) {
                start = Instant::now();
            }
            ping.post();
            pong.wait();
        }
        nanoseconds_each(start, rounds)
    });
    let figure = server.join().expect("the server ends");
    answerer.join().expect("the answerer ends");
    figure
}

/// A turn under a mutex and a condition variable each way.
struct Turn {
    whose: Mutex<usize>,
    changed: [Condvar; 2],
}

impl Turn {
    fn take_and_pass(&self, mine: usize) {
        let mut whose = self.whose.lock().expect("nobody panics with the lock");
        while *whose != mine {
            whose = self.changed[mine]
                .wait(whose)
                .expect("nobody panics with the lock");
        }
        *whose = 1 - mine;
        self.changed[1 - mine].notify_one();
    }
}

/// Two coroutines, a mutex and two condition variables; nanoseconds a round.
pub fn condvar_ping_pong(rounds: u64) -> f64 {
    let turn = Arc::new(Turn {
        whose: Mutex::new(0),
        changed: [Condvar::new(), Condvar::new()],
    });
    let theirs = turn.clone();
    let answerer = spawn(move || {
        for _ in 0..warm_up(rounds) + rounds {
            theirs.take_and_pass(1);
        }
    });
    let server = spawn(move || {
        let mut start = Instant::now();
        for round in 0..warm_up(rounds) + rounds {
            if round == warm_up(rounds) {
                start = Instant::now();
            }
            turn.take_and_pass(0);
        }
        nanoseconds_each(start, rounds)
    });
    let figure = server.join().expect("the server ends");
    answerer.join().expect("the answerer ends");
    figure
}

/// One coroutine after another is made and joined, by a coroutine; nanoseconds each.
pub fn create_join(coroutines: u64) -> f64 {
    let maker = spawn(move || {
        let mut start = Instant::now();
        for made in 0..warm_up(coroutines) + coroutines {
            if made == warm_up(coroutines) {
                start = Instant::now();
            }
            spawn(|| ()).join().expect("the coroutine ends");
        }
        nanoseconds_each(start, coroutines)
    });
    maker.join().expect("the maker ends")
}

/// So many coroutines asleep at once, with stacks of `stack` bytes; bytes a coroutine.
pub fn sleepers(coroutines: u64, stack: usize) -> f64 {
    may::config().set_stack_size(stack / size_of::<usize>());
    let begun = Arc::new(AtomicU64::new(0));
    let before = memory_held();
    for _ in 0..coroutines {
        let begun = begun.clone();
        spawn(move || {
            begun.fetch_add(1, Ordering::Relaxed);
            coroutine::sleep(Duration::from_secs(3600));
        });
    }
    while begun.load(Ordering::Relaxed) < coroutines {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(100));
    bytes_each(before, coroutines)
}
