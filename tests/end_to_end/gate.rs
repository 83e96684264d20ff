//! The gate: what a system call leaves as it was, and calls that are passed on to the kernel.

use grivet_tests::same_natively_and_under_grivet;

same_natively_and_under_grivet! {
    c in "gate": registers_across_syscalls, red_zone, rounding_modes, calls_passed_on, passed_wait_not_interrupted
}
