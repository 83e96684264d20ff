//! What a thread has to itself besides its stack and its signals: CPU time, priority, nice value, files in `/proc`, ids;
//! and what becomes of it when tasks may not be interrupted.

use grivet_tests::{End, Program, same_natively_and_under_grivet};

same_natively_and_under_grivet! {
    c in "identity":
        cpu_time_per_thread, cpu_time_asked_late, nice_per_thread, real_time_order, real_time_locks,
        real_time_inheritance, real_time_rights, real_time_storm, real_time_forks, proc_task_list,
        proc_task_files, main_ends_first, ids_change_everywhere
}

#[test]
fn a_flag_is_waited_for_without_a_call() {
    Program::c("identity/spins_for_flag").same();
}

#[test]
fn without_interruptions_a_yield_is_enough() {
    Program::c("identity/spins_for_flag").arg("yield").env("GRIVET_PREEMPT", "off").same();
}

#[test]
fn without_interruptions_a_loop_keeps_the_others_waiting() {
    let program = Program::c("identity/spins_for_flag").env("GRIVET_PREEMPT", "off").time_limit(2);
    let run = program.under_grivet();
    assert_eq!(run.end, End::TimedOut, "{run:#?}");
    assert_eq!(run.stdout, "waits\n", "{run:#?}");
}
