//! The same calls awaited from each executor, and futures of each executor awaited by blocking code.

use futures::executor::{LocalPool, ThreadPool};
use futures::task::{LocalSpawnExt, SpawnExt};
use grivet_bridge::{block_on, call, is_green};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// More than the threads of any executor here.
const CALLS: u64 = 200;
const NAP: Duration = Duration::from_millis(200);

/// Blocks, then gives its number back.
fn legacy(number: u64) -> u64 {
    thread::sleep(NAP);
    number
}

/// `CALLS` at once, in far less than one after the other would take.
async fn many_calls() {
    let begun = Instant::now();
    let calls = (0..CALLS).map(|number| call(move || legacy(number)));
    let results = futures::future::join_all(calls).await;
    let numbers: Vec<u64> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers, (0..CALLS).collect::<Vec<_>>());
    assert!(begun.elapsed() < NAP * 25, "{:?}", begun.elapsed());
}

#[test]
fn detection_agrees_with_the_environment() {
    let preloaded = std::env::var("LD_PRELOAD").is_ok_and(|libraries| libraries.contains("libgrivet.so"));
    let switched_off = std::env::var("GRIVET").is_ok_and(|switch| switch == "off");
    assert_eq!(is_green(), preloaded && !switched_off);
    assert_eq!(is_green(), is_green());
}

#[test]
fn tokio_with_many_threads() {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(async {
        many_calls().await;
        tokio::spawn(many_calls()).await.unwrap();
    });
}

#[test]
fn tokio_with_one_thread_goes_on_meanwhile() {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
        let ticks = tokio::spawn(async {
            let mut ticks = 0;
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                ticks += 1;
                if ticks == 20 {
                    break Instant::now();
                }
            }
        });
        call(|| legacy(1)).await.unwrap();
        assert!(ticks.await.unwrap() < Instant::now(), "the executor ran its other task");
        many_calls().await;
    });
}

#[test]
fn tokio_gives_up_waiting_and_the_call_goes_on() {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&over);
        let call = call(move || {
            thread::sleep(NAP);
            *told.0.lock().unwrap() = true;
            told.1.notify_all();
        });
        tokio::time::timeout(NAP / 10, call).await.expect_err("a timeout");
        assert!(!*over.0.lock().unwrap());
        let end = over.1.wait_timeout_while(over.0.lock().unwrap(), NAP * 50, |over| !*over).unwrap();
        assert!(*end.0);
    });
}

#[test]
fn smol() {
    smol::block_on(many_calls());
    // The global executor of smol and one of async-executor's own.
    smol::block_on(smol::spawn(many_calls()));
    let executor = smol::Executor::new();
    smol::block_on(executor.run(executor.spawn(many_calls())));
}

#[test]
fn executors_of_futures() {
    futures::executor::block_on(many_calls());
    let mut local = LocalPool::new();
    let handle = local.spawner().spawn_local_with_handle(many_calls()).unwrap();
    local.run_until(handle);
    let pool = ThreadPool::builder().pool_size(2).create().unwrap();
    block_on(pool.spawn_with_handle(many_calls()).unwrap());
}

#[test]
fn no_executor_but_block_on() {
    block_on(many_calls());
}

#[test]
fn blocking_code_awaits_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let handle = runtime.handle().clone();
    // Legacy code on many threads; each asks the async side, and waits.
    let legacy = (0..CALLS).map(|number| {
        let handle = handle.clone();
        call(move || {
            let task = handle.spawn(async move {
                tokio::time::sleep(NAP).await;
                number
            });
            block_on(task).unwrap()
        })
    });
    let begun = Instant::now();
    let numbers: u64 = block_on(futures::future::join_all(legacy)).into_iter().map(Result::unwrap).sum();
    assert_eq!(numbers, CALLS * (CALLS - 1) / 2);
    assert!(begun.elapsed() < NAP * 25, "{:?}", begun.elapsed());
}

#[test]
fn blocking_code_awaits_a_timer_in_tokios_context() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let handle = runtime.handle().clone();
    let legacy = thread::spawn(move || {
        let _context = handle.enter();
        block_on(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            "awake"
        })
    });
    assert_eq!(legacy.join().unwrap(), "awake");
}

#[test]
fn block_on_within_a_call_within_block_on() {
    let answer = block_on(call(|| block_on(call(|| block_on(async { 1 }) + 1)).unwrap() + 1));
    assert_eq!(answer.unwrap(), 3);
}

#[test]
fn block_on_keeps_a_wake_that_a_park_inside_used_up() {
    let mut polls = 0;
    block_on(futures::future::poll_fn(|context| {
        polls += 1;
        if polls == 3 {
            return std::task::Poll::Ready(());
        }
        // The token that this wake leaves is taken here, not by block_on.
        context.waker().wake_by_ref();
        thread::park();
        std::task::Poll::Pending
    }));
    assert_eq!(polls, 3);
}
