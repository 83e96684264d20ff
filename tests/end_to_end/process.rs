//! fork, vfork, posix_spawn, system, popen, daemon and exec, from main and from threads.

use grivet_tests::{End, Program, same_natively_and_under_grivet};

same_natively_and_under_grivet! {
    c in "process":
        fork_from_main, fork_from_thread, atfork_handlers, vfork_and_spawn, daemon, descriptors_and_memory
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
