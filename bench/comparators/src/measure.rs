//! What the rows share: rounds with a warm-up, time for each, and the memory this process holds.
//! `Instant` is CLOCK_MONOTONIC, as in the C programs.

use std::fs;
use std::time::Instant;

/// Rounds made before the clock starts when `rounds` are measured.
pub fn warm_up(rounds: u64) -> u64 {
    rounds / 10 + 1
}

/// Nanoseconds for each of `count` since `start`.
pub fn nanoseconds_each(start: Instant, count: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / count as f64
}

/// Bytes held now: VmRSS + VmPTE of `/proc/self/status` (proc_pid_status(5)).
pub fn memory_held() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status is readable");
    status
        .lines()
        .filter_map(|line| {
            line.strip_prefix("VmRSS:")
                .or_else(|| line.strip_prefix("VmPTE:"))
        })
        .filter_map(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .sum::<u64>()
        * 1024
}

/// Bytes for each of `count` since `before` bytes were held.
pub fn bytes_each(before: u64, count: u64) -> f64 {
    memory_held().saturating_sub(before) as f64 / count as f64
}
