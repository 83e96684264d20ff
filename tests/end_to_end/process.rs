//! fork, vfork, posix_spawn, system, popen, daemon and exec, from main and from threads.

use grivet_tests::{End, Program, same_natively_and_under_grivet};

same_natively_and_under_grivet! {
    c in "process":
        fork_from_main, fork_from_thread, fork_many_and_deep, atfork_handlers, vfork_and_spawn, spawn_attributes,
        daemon, descriptors_and_memory
}

#[test]
fn fork_inherits() {
    Program::c("process/fork_inherits").with_helper_threads().same();
}

#[test]
fn fork_in_handler() {
    Program::c("process/fork_in_handler").with_helper_threads().same();
}

#[test]
fn clone_flags() {
    Program::c("process/clone_flags").with_helper_threads().same();
}

#[test]
fn traces() {
    Program::c("process/traces").with_helper_threads().same();
}

#[test]
fn exec_fails() {
    Program::c("process/exec_fails").with_helper_threads().ends(End::Exited(7)).same();
}

#[test]
fn own_kernel_threads() {
    let program = Program::c("process/own_kernel_threads");
    let (native, green) = (program.natively(), program.under_grivet());
    assert_eq!((native.end, green.end), (End::Exited(0), End::Exited(0)), "{native:#?} {green:#?}");
    assert_eq!(native.stdout, green.stdout);
    assert_eq!(green.reports.len(), 1, "{green:#?}");
    assert!(green.reports[0].contains("made by clone, stays the kernel's"), "{green:#?}");
}

#[test]
fn exec_from_main() {
    Program::c("process/exec").ends(End::Exited(5)).same();
}

#[test]
fn exec_from_thread() {
    Program::c("process/exec").arg("thread").ends(End::Exited(5)).same();
}

#[test]
fn process_without_threads_is_left_alone() {
    Program::c("process/environment_unchanged").without_threads().same();
}
