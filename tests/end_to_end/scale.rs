//! Numbers of threads that the kernel does not give: 100,000 and a million in one process, all alive at once. Each has
//! the machine to itself.

use grivet_tests::{End, Program};

#[test]
fn ten_thousand_threads_natively_and_under_grivet() {
    Program::c("scale/many_threads").args(["10000", "65536"]).alone().same();
}

#[test]
fn hundred_thousand_threads() {
    let run = Program::c("scale/many_threads").args(["100000"]).alone().well_under_grivet();
    assert_eq!(run.stdout, "100000 threads at once, sum 4999950000\n");
    assert_eq!(run.stats[0].get("peak"), 100_000);
    assert_eq!(run.most_kernel_threads, 1);
}

#[test]
fn a_million_threads() {
    let program = Program::c("scale/many_threads").args(["1000000", "65536"]).alone();
    let run = program.time_limit(120).env("GRIVET_STATS", 1).under_grivet();
    assert_eq!(run.end, End::Exited(0));
    // On a slow machine main makes threads for more than ten seconds without a blocking call, which is worth a line.
    assert!(run.reports.iter().all(|line| line.contains("without a call that blocks")), "{:?}", run.reports);
    assert_eq!(run.stdout, "1000000 threads at once, sum 499999500000\n");
    assert_eq!(run.stats[0].get("peak"), 1_000_000);
    assert_eq!(run.most_kernel_threads, 1);
    print!("{}", run.stderr);
}
