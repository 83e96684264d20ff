//! Rust's std: mpsc and sync_channel, Mutex with poisoning, RwLock, Condvar with timeouts, Barrier, Once and OnceLock,
//! park and unpark, scoped threads, a joined panic, thread_local with Drop, Builder with name and stack size, and
//! Command from threads.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

const MILLISECOND: Duration = Duration::from_millis(1);

fn channels() {
    let (sender, receiver) = mpsc::channel();
    let producers: Vec<_> = (0..10)
        .map(|n| {
            let sender = sender.clone();
            thread::spawn(move || {
                for item in 0..100 {
                    sender.send(n * 100 + item).unwrap();
                    if item % 25 == 0 {
                        thread::sleep(MILLISECOND / 10);
                    }
                }
            })
        })
        .collect();
    drop(sender);
    let received: BTreeSet<i32> = receiver.iter().collect();
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    println!("channel: {}", received.len());

    let (sender, receiver) = mpsc::sync_channel(0);
    let rendezvous = thread::spawn(move || (0..50).for_each(|n| sender.send(n).unwrap()));
    println!("rendezvous: {}", receiver.iter().sum::<i32>());
    rendezvous.join().unwrap();
    let (_sender, receiver) = mpsc::channel::<()>();
    let begun = Instant::now();
    assert_eq!(receiver.recv_timeout(10 * MILLISECOND), Err(RecvTimeoutError::Timeout));
    assert!(begun.elapsed() >= 10 * MILLISECOND);
}

fn locks() {
    let shared = Arc::new((Mutex::new(0), Condvar::new()));
    let threads: Vec<_> = (0..5)
        .map(|me| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for _ in 0..20 {
                    let turn = shared.0.lock().unwrap();
                    let mut turn = shared.1.wait_while(turn, |turn| *turn % 5 != me).unwrap();
                    *turn += 1;
                    shared.1.notify_all();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let turn = shared.0.lock().unwrap();
    let (turn, result) = shared.1.wait_timeout(turn, 10 * MILLISECOND).unwrap();
    assert!(result.timed_out());
    println!("turns: {turn}");

    let readers_writer = RwLock::new(0);
    let readers = AtomicUsize::new(0);
    thread::scope(|scope| {
        for n in 0..10 {
            let (readers_writer, readers) = (&readers_writer, &readers);
            scope.spawn(move || {
                for _ in 0..10 {
                    if n < 8 {
                        let _hold = readers_writer.read().unwrap();
                        readers.fetch_add(1, Ordering::SeqCst);
                        thread::sleep(MILLISECOND / 10);
                        readers.fetch_sub(1, Ordering::SeqCst);
                    } else {
                        let mut hold = readers_writer.write().unwrap();
                        assert_eq!(readers.load(Ordering::SeqCst), 0);
                        *hold += 1;
                    }
                }
            });
        }
    });
    println!("written: {}", readers_writer.into_inner().unwrap());
}

fn once_and_barrier() {
    static ONCE: Once = Once::new();
    static CELL: OnceLock<usize> = OnceLock::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let barrier = Barrier::new(10);
    let leaders = AtomicUsize::new(0);
    thread::scope(|scope| {
        for n in 0..10 {
            let (barrier, leaders) = (&barrier, &leaders);
            scope.spawn(move || {
                ONCE.call_once(|| {
                    thread::sleep(5 * MILLISECOND);
                    CALLS.fetch_add(1, Ordering::SeqCst);
                });
                assert_eq!(CALLS.load(Ordering::SeqCst), 1);
                CELL.get_or_init(|| {
                    thread::sleep(MILLISECOND);
                    n + 1
                });
                for _ in 0..10 {
                    if barrier.wait().is_leader() {
                        leaders.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    println!("leaders: {}", leaders.load(Ordering::SeqCst));
}

fn parking() {
    let released = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&released);
    let parked = thread::spawn(move || {
        while !flag.load(Ordering::SeqCst) {
            thread::park();
        }
        let begun = Instant::now();
        while begun.elapsed() < 10 * MILLISECOND {
            thread::park_timeout(10 * MILLISECOND - begun.elapsed().min(10 * MILLISECOND));
        }
    });
    thread::sleep(10 * MILLISECOND);
    released.store(true, Ordering::SeqCst);
    parked.thread().unpark();
    parked.join().unwrap();
    println!("parked and unparked");
}

struct Counted;
static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Counted {
    fn drop(&mut self) {
        thread::sleep(MILLISECOND / 10);
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! {
    static COUNTED: Counted = const { Counted };
    static NUMBERS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

fn thread_locals_and_panics() {
    let threads: Vec<_> = (0..20)
        .map(|n| {
            thread::Builder::new()
                .name(format!("worker {n}"))
                .stack_size(128 * 1024)
                .spawn(move || {
                    COUNTED.with(|_| ());
                    for step in 0..10 {
                        NUMBERS.with_borrow_mut(|numbers| numbers.push(n * 10 + step));
                        thread::yield_now();
                    }
                    assert_eq!(thread::current().name(), Some(format!("worker {n}").as_str()));
                    if n % 5 == 4 {
                        panic!("panic {n}");
                    }
                    NUMBERS.with_borrow(|numbers| numbers.iter().sum::<usize>())
                })
                .unwrap()
        })
        .collect();
    let (mut sum, mut panics) = (0, Vec::new());
    for thread in threads {
        match thread.join() {
            Ok(value) => sum += value,
            Err(cause) => panics.push(*cause.downcast::<String>().unwrap()),
        }
    }
    println!("sum: {sum}, panics: {panics:?}, dropped: {}", DROPPED.load(Ordering::SeqCst));

    let poisoned = Arc::new(Mutex::new(1));
    let holder = Arc::clone(&poisoned);
    let result = thread::spawn(move || {
        let _hold = holder.lock().unwrap();
        panic!("while holding");
    })
    .join();
    assert!(result.is_err());
    println!("poisoned: {}", poisoned.is_poisoned());
}

fn commands() {
    let outputs: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..5).map(|n| scope.spawn(move || Command::new("echo").arg(format!("child {n}")).output().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for output in outputs {
        print!("{}", String::from_utf8(output.stdout).unwrap());
    }
}

fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    channels();
    locks();
    once_and_barrier();
    parking();
    thread_locals_and_panics();
    commands();
}
