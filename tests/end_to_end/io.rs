//! Blocking input and output: a thread that waits for a pipe, a socket, a terminal or a descriptor that counts events
//! stops only itself, and every call gives what its man page says. What the programs share is in `io/waiting.h`.

use grivet_tests::{Program, same_natively_and_under_grivet};

// Pipes and FIFOs.
same_natively_and_under_grivet! {
    c in "io":
        alone_after_threads, pipe_read_blocks_one_thread, pipe_large_write, pipe_atomic_writes, pipe_broken, pipe_nonblocking,
        pipe_ping_pong, pipe_shared_with_child, splice_and_tee
}

// Sockets.
same_natively_and_under_grivet! {
    c in "io":
        stream_socket, message_flags, datagram_socket, socket_timeouts, descriptor_passing, many_messages,
        shutdown_wakes_reader, accept_by_many_threads, connect_refused_and_many, echo_server_thread_per_connection,
        receive_low_water, accept_shared_with_children, many_sockets_ready_at_once
}

// Waiting for many things at once, and for what is not a stream of bytes.
same_natively_and_under_grivet! {
    c in "io": poll_and_select, epoll_basic, epoll_inside_poll, event_descriptors, terminal
}

// What libc builds on them.
same_natively_and_under_grivet! {
    c in "io": stdio_between_threads, resolver
}

// Numbers that change hands, several waiters of one, many waiters, what waiting costs, and calls that should not
// wait at all.
same_natively_and_under_grivet! {
    c in "io":
        closed_under_waiter, descriptor_churn, both_directions, thousand_readers, ready_io_is_seen, idle_costs_nothing,
        invalid_calls_fail_at_once
}

// What no readiness tells of: when a FIFO is opened at its other end, a backlog has room, a terminal's time is over, a
// file lock is free.

#[test]
fn fifo_open() {
    Program::c("io/fifo_open").with_helper_threads().same();
}

#[test]
fn connect_waits_for_backlog() {
    Program::c("io/connect_waits_for_backlog").with_helper_threads().same();
}

#[test]
fn terminal_timing() {
    Program::c("io/terminal_timing").with_helper_threads().same();
}

#[test]
fn sync_under_file_lock() {
    Program::c("io/sync_under_file_lock").with_helper_threads().same();
}

#[test]
fn main_alone_pays_for_no_call_twice() {
    let run = Program::c("io/main_alone_makes_its_own_calls").well_under_grivet();
    let [stats] = &run.stats[..] else { panic!("one stats line expected: {run:#?}") };
    assert!(stats.get("passed") >= 2000, "{stats:?}");
    assert!(stats.get("answered") < 100, "{stats:?}");
    assert_eq!(stats.get("parks_io"), 0, "{stats:?}");
}

#[test]
fn what_is_ready_at_once_is_received_together() {
    let run = Program::c("io/many_sockets_ready_at_once").well_under_grivet();
    let [stats] = &run.stats[..] else { panic!("one stats line expected: {run:#?}") };
    // At least half of 960 sockets; those with calls of other kinds are read by themselves.
    assert!(stats.get("received_together") >= 480, "{stats:?}");
}
