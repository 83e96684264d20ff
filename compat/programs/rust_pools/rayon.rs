//! Rayon: workers that steal from each other and spin before they sleep; iterators, `join`, a sort, a scope, a pool of its own, and
//! crossbeam's channels.

use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn fibonacci(n: u64) -> u64 {
    if n < 12 {
        return if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) };
    }
    let (left, right) = rayon::join(|| fibonacci(n - 1), || fibonacci(n - 2));
    left + right
}

fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().expect("a pool");
    pool.install(|| {
        println!("sum {}", (0..1_000_000u64).into_par_iter().map(|n| n * n % 1009).sum::<u64>());
        println!("fibonacci {}", fibonacci(27));
        let mut numbers: Vec<u32> = (0..200_000u32).map(|n| n.wrapping_mul(2_654_435_761)).collect();
        numbers.par_sort_unstable();
        println!("sorted {}", numbers.windows(2).all(|pair| pair[0] <= pair[1]));
        let slept: usize = (0..64usize)
            .into_par_iter()
            .with_max_len(1)
            .map(|n| {
                std::thread::sleep(Duration::from_millis(1));
                n
            })
            .sum();
        println!("slept {slept}");
    });
    let count = AtomicUsize::new(0);
    pool.scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|scope| {
                count.fetch_add(1, Ordering::Relaxed);
                scope.spawn(|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            });
        }
    });
    println!("scope {}", count.into_inner());
    let failed =
        pool.install(|| std::panic::catch_unwind(|| rayon::join(|| 1, || std::panic::resume_unwind(Box::new("no")))));
    println!("panic {}", failed.is_err());

    let (send, receive) = crossbeam_channel::bounded(3);
    let total: u64 = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..4).map(|_| scope.spawn(|| receive.iter().sum::<u64>())).collect();
        (0..1000u64).for_each(|n| send.send(n).expect("a taker"));
        drop(send);
        takers.into_iter().map(|taker| taker.join().expect("a sum")).sum()
    });
    println!("channel {total}");
}
