//! Every kind of lock that ends in a futex, the futex call itself, and locks shared with another process.

use grivet_tests::{Program, same_natively_and_under_grivet};

same_natively_and_under_grivet! {
    c in "locks":
        mutex_types, timed_mutex, robust_mutex, priority_inheritance, condition_variable, reader_writer, semaphores,
        barrier_and_once, spinlock_held_by_sleeper, futex_operations, process_shared,
        process_shared_kinds, process_shared_robust, futex_waitv, futex_requeue_pi, waits_and_signals,
        owner_of_pi_lock_ends
}

same_natively_and_under_grivet! {
    cpp in "locks": cpp20_primitives
}

#[test]
fn process_shared_with_a_native_process() {
    Program::c("locks/process_shared_kinds").arg("beside").same();
}
