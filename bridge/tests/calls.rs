//! What becomes of one call: its result, its panic, its thread, its future when that is dropped.

use grivet_bridge::{CallError, Caller, block_on, call};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn the_result_of_the_closure_is_the_result_of_the_call() {
    let here = thread::current().id();
    let (there, text) = block_on(call(|| (thread::current().id(), String::from("done")))).unwrap();
    assert_eq!(text, "done");
    assert_ne!(here, there, "it ran on a thread of its own");
}

#[test]
fn calls_block_side_by_side() {
    let begun = Instant::now();
    let nap = |number| {
        call(move || {
            thread::sleep(Duration::from_millis(300));
            number
        })
    };
    let sum: usize = block_on(futures::future::join_all((0..50).map(nap))).into_iter().map(Result::unwrap).sum();
    assert_eq!(sum, 49 * 50 / 2);
    assert!(begun.elapsed() < Duration::from_secs(5), "one after the other they take 15 s: {:?}", begun.elapsed());
}

#[test]
fn it_begins_before_it_is_polled() {
    let (sender, receiver) = mpsc::channel();
    let call = call(move || sender.send(()).unwrap());
    receiver.recv_timeout(Duration::from_secs(10)).expect("begun");
    block_on(call).unwrap();
}

#[test]
fn panics_come_back_with_their_payload() {
    let error = block_on(call(|| -> u32 { panic!("number {}", 7) })).unwrap_err();
    assert_eq!(error.panic_message(), Some("number 7"));
    assert_eq!(error.to_string(), "a blocking call panicked: number 7");

    struct Own(u32);
    let error = block_on(call(|| -> u32 { std::panic::panic_any(Own(8)) })).unwrap_err();
    assert_eq!((error.panic_message(), format!("{error:?}").as_str()), (None, "Panicked(None)"));
    let CallError::Panicked(payload) = error else { panic!("not a panic") };
    assert_eq!(payload.downcast_ref::<Own>().unwrap().0, 8);
}

#[test]
fn a_thread_that_cannot_be_made_is_an_error() {
    // More than any address space has, natively and in grivet's arena.
    let impossible = Caller::new().stack_size(1 << 50);
    let ran = Arc::new(AtomicBool::new(false));
    for caller in [impossible.clone(), impossible.limit(3)] {
        let seen = Arc::clone(&ran);
        let error = block_on(caller.call(move || seen.store(true, Ordering::SeqCst))).unwrap_err();
        assert!(matches!(error, CallError::NoThread(_)), "{error:?}");
        assert!(error.to_string().starts_with("no thread for a blocking call: "), "{error}");
    }
    assert!(!ran.load(Ordering::SeqCst));
}

/// Says when and where it is dropped.
struct Told(mpsc::Sender<thread::ThreadId>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).unwrap();
    }
}

#[test]
fn dropping_the_future_lets_the_call_go_on() {
    let (told, dropped) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let finished = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&finished);
    let mut call = Box::pin(call(move || {
        wait.recv().unwrap();
        seen.store(true, Ordering::SeqCst);
        Told(told)
    }));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(call);
    go_on.send(()).expect("the call still waits");
    let there = dropped.recv_timeout(Duration::from_secs(10)).expect("the result was dropped");
    assert_ne!(there, thread::current().id(), "on the call's own thread");
    assert!(finished.load(Ordering::SeqCst));
}

#[test]
fn dropping_a_finished_future_drops_its_result() {
    let (told, dropped) = mpsc::channel();
    let call = call(|| Told(told));
    while !call.is_finished() {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(dropped.try_recv().is_err());
    drop(call);
    assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    struct Count(AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (go_on, wait) = mpsc::channel::<()>();
    let mut call = pin!(call(move || wait.recv().unwrap()));
    let (first, second) = (Arc::new(Count(AtomicUsize::new(0))), Arc::new(Count(AtomicUsize::new(0))));
    for count in [&first, &second] {
        let waker = Waker::from(Arc::clone(count));
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    go_on.send(()).unwrap();
    while second.0.load(Ordering::SeqCst) == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(matches!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
    assert_eq!((first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst)), (0, 1));
}

#[test]
fn a_limit_holds_and_all_calls_are_made() {
    let caller = Caller::new().limit(4);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let calls = (0..40).map(|number| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        // A clone shares the limit.
        caller.clone().call(move || {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(5));
            now.fetch_sub(1, Ordering::SeqCst);
            assert!(number != 20, "one panics, and its place is kept");
            number
        })
    });
    let results = block_on(futures::future::join_all(calls));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 39);
    assert_eq!(results[39].as_ref().ok(), Some(&39));
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[test]
fn a_call_dropped_in_line_is_not_made() {
    let caller = Caller::new().limit(1);
    let (go_on, wait) = mpsc::channel::<()>();
    let first = caller.call(move || wait.recv().unwrap());
    let made = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&made);
    drop(caller.call(move || seen.store(true, Ordering::SeqCst)));
    let last = caller.call(|| "last");
    go_on.send(()).unwrap();
    block_on(first).unwrap();
    assert_eq!(block_on(last).unwrap(), "last");
    assert!(!made.load(Ordering::SeqCst));
}

#[test]
fn threads_have_the_name_and_the_stack_asked_for() {
    let caller = Caller::new().name("legacy").stack_size(8 << 20);
    let answer = block_on(caller.call(|| {
        // Eight times the default stack.
        let large = std::hint::black_box([1_u8; 1 << 20]);
        (thread::current().name().map(String::from), large.iter().map(|byte| usize::from(*byte)).sum::<usize>())
    }));
    assert_eq!(answer.unwrap(), (Some(String::from("legacy")), 1 << 20));
}
