//! The rows as tokio tasks on the current-thread runtime, which like grivet has one kernel thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, Notify, Semaphore};

use crate::measure::{bytes_each, memory_held, nanoseconds_each, warm_up};

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a current-thread runtime starts")
}

/// Two tasks, two semaphores; nanoseconds a round.
pub fn semaphore_ping_pong(rounds: u64) -> f64 {
    async fn wait(semaphore: &Semaphore) {
        semaphore
            .acquire()
            .await
            .expect("nobody closes the semaphore")
            .forget();
    }
    runtime().block_on(async move {
        let (ping, pong) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (their_ping, their_pong) = (ping.clone(), pong.clone());
        let answerer = tokio::spawn(async move {
            for _ in 0..warm_up(rounds) + rounds {
                wait(&their_ping).await;
                their_pong.add_permits(1);
            }
        });
        let server = tokio::spawn(async move {
            let mut start = Instant::now();
            for round in 0..warm_up(rounds) + rounds {
                if round == warm_up(rounds) {
                    start = Instant::now();
                }
                ping.add_permits(1);
                wait(&pong).await;
            }
            nanoseconds_each(start, rounds)
        });
        let figure = server.await.expect("the server ends");
        answerer.await.expect("the answerer ends");
        figure
    })
}

/// A turn under a mutex, and a `Notify` each way: tokio has no condition variable, and this is what its documentation offers instead.
struct Turn {
    whose: Mutex<usize>,
    changed: [Notify; 2],
}

impl Turn {
    async fn take_and_pass(&self, mine: usize) {
        loop {
            let mut whose = self.whose.lock().await;
            if *whose == mine {
                *whose = 1 - mine;
                self.changed[1 - mine].notify_one();
                return;
            }
            drop(whose);
            self.changed[mine].notified().await;
        }
    }
}

/// Two tasks, a mutex and two `Notify`; nanoseconds a round.
pub fn condvar_ping_pong(rounds: u64) -> f64 {
    runtime().block_on(async move {
        let turn = Arc::new(Turn {
            whose: Mutex::new(0),
            changed: [Notify::new(), Notify::new()],
        });
        let theirs = turn.clone();
        let answerer = tokio::spawn(async move {
            for _ in 0..warm_up(rounds) + rounds {
                theirs.take_and_pass(1).await;
            }
        });
        let server = tokio::spawn(async move {
            let mut start = Instant::now();
            for round in 0..warm_up(rounds) + rounds {
                if round == warm_up(rounds) {
                    start = Instant::now();
                }
                turn.take_and_pass(0).await;
            }
            nanoseconds_each(start, rounds)
        });
        let figure = server.await.expect("the server ends");
        answerer.await.expect("the answerer ends");
        figure
    })
}

/// One task after another is spawned and awaited; nanoseconds each.
pub fn create_join(tasks: u64) -> f64 {
    runtime().block_on(async move {
        let mut start = Instant::now();
        for made in 0..warm_up(tasks) + tasks {
            if made == warm_up(tasks) {
                start = Instant::now();
            }
            tokio::spawn(async {}).await.expect("the task ends");
        }
        nanoseconds_each(start, tasks)
    })
}

/// So many tasks asleep at once; bytes a task.
pub fn sleepers(tasks: u64) -> f64 {
    let begun = Arc::new(AtomicU64::new(0));
    let runtime = runtime();
    let before = memory_held();
    let figure = runtime.block_on(async move {
        for _ in 0..tasks {
            let begun = begun.clone();
            tokio::spawn(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(3600)).await;
            });
        }
        while begun.load(Ordering::Relaxed) < tasks {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        bytes_each(before, tasks)
    });
    runtime.shutdown_background();
    figure
}
