//! A thread's life: making, joining, detaching, ending; its attributes, names and ids; what is its own (thread-local
//! words, errno, keys, stack) and what its stack does when it is too small or memory is out.

use grivet_tests::{End, Program, same_natively_and_under_grivet};
use nix::sys::signal::Signal;

same_natively_and_under_grivet! {
    c in "threads":
        join_values, detached_threads, pthread_exit_from_main, key_destructors, thread_attributes, stack_attributes,
        default_stack_size, stack_overflow_handled, out_of_memory, thread_names, affinity, scheduling_parameters,
        thread_ids, ids_rest, kernel_thread_state, c11_threads, c11_first, errno_per_thread, churn, created_by_threads, creators_try_again, cancel, stdio_many_threads,
        malloc_many_threads
}

same_natively_and_under_grivet! {
    cpp in "threads": thread_local_destructors, exceptions_cross_switches
}

#[test]
fn exit_from_thread() {
    Program::c("threads/exit_from_thread").ends(End::Exited(7)).same();
}

#[test]
fn stack_overflow_is_a_segmentation_fault_that_is_explained() {
    let program = Program::c("threads/stack_overflow").dies_of(Signal::SIGSEGV);
    let native = program.natively();
    assert_eq!(native.end, End::Killed(Signal::SIGSEGV));
    let green = program.under_grivet();
    assert_eq!(green.end, End::Killed(Signal::SIGSEGV), "{green:#?}");
    assert_eq!(green.stdout, native.stdout);
    let [report] = &green.reports[..] else { panic!("one line expected: {green:#?}") };
    assert!(report.contains("deep one"), "the thread's name is missing: {report}");
    assert!(report.contains("256"), "the stack's size is missing: {report}");
}
