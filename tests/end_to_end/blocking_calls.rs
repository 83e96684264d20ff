//! Blocking calls other than plain input and output (children, locks on files, System V and POSIX queues, the disk,
//! io_uring), and what befalls any blocked thread: signals, cancellation, fork, exec and exit around it. Then what no
//! program should do, but the kernel answers all the same: bad arguments, drawn from a list and at random.

use grivet_tests::{End, Program, programs_directory, same_natively_and_under_grivet};
use std::hash::{BuildHasher, RandomState};

/// As `same_natively_and_under_grivet!`, for programs some of whose calls grivet's helper threads make.
macro_rules! same_with_helper_threads {
    ($($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                Program::c(concat!("blocking/", stringify!($name))).with_helper_threads().same();
            }
        )+
    };
}

// Children.
same_natively_and_under_grivet! {
    c in "blocking": wait_for_own_child, wait_for_any_child, system_and_popen, child_signal_ignored
}

// Locks, queues and files.
same_natively_and_under_grivet! {
    c in "blocking": posix_message_queues
}

same_with_helper_threads! {
    queue_notifications, file_locks, system_v_semaphores, system_v_messages, file_sync, io_uring_wait, large_file_reads
}

// Signals to threads that are blocked.
same_natively_and_under_grivet! {
    c in "blocking": signal_to_process_during_io, alarm_during_read, sigpipe_per_thread
}

#[test]
fn signal_interrupts_calls() {
    with_table_of_calls("blocking/signal_interrupts_calls").same();
}

#[test]
fn cancel_blocking_calls() {
    with_table_of_calls("blocking/cancel_blocking_calls").same();
}

/// The headers are named as options so that a change of theirs is noticed.
fn with_table_of_calls(name: &str) -> Program {
    let headers = ["blocking_situations.h", "queue_situations.h", "calls_that_block.h"]
        .map(|header| programs_directory().join("blocking").join(header).to_string_lossy().into_owned());
    let options: Vec<&str> = headers.iter().flat_map(|header| ["-include", header]).collect();
    Program::c_with(name, &options).with_helper_threads()
}

// Processes, and the descriptors that all threads share.
same_natively_and_under_grivet! {
    c in "blocking": fork_while_others_wait, descriptor_numbers, descriptor_limit
}

same_with_helper_threads! { exit_while_others_wait, close_all_descriptors }

#[test]
fn exec_while_others_wait() {
    let program = || Program::c("blocking/exec_while_others_wait").ends(End::Exited(5)).with_helper_threads();
    program().same();
    program().arg("thread").same();
}

// Bad input.
#[test]
fn bad_arguments() {
    let values = programs_directory().join("blocking/bad_argument_values.h");
    let options = ["-include", values.to_str().expect("UTF-8")];
    // Alone: all eventfds and epoll sets of the machine are one file to flock, and another program may hold its lock.
    let program = || Program::c_with("blocking/bad_arguments", &options).with_helper_threads().alone();
    program().same();
    program().arg("blocking").same();
}

#[test]
fn random_calls() {
    for seed in 1..=8 {
        random_calls_from(seed);
    }
}

#[test]
fn random_calls_from_fresh_seeds() {
    for number in 0..4 {
        let seed = RandomState::new().hash_one(number) % 1_000_000_000;
        println!("seed {seed}");
        random_calls_from(seed);
    }
}

fn random_calls_from(seed: u64) {
    Program::c("blocking/random_calls").arg(seed.to_string()).with_helper_threads().time_limit(20).same();
}
