//! Lets tests that need the machine to themselves (a million threads, the order of sleepers) have it: ordinary runs
//! share a lock file in the target directory, such a run takes it alone. It works between the processes that test
//! runners start as well as between the threads of one.

use std::fs::File;

/// Held while a program runs; released when dropped.
pub struct Machine(#[allow(dead_code, reason = "closing the file releases the lock")] File);

/// Waits for a share of the machine, or for all of it.
pub fn machine(alone: bool) -> Machine {
    let directory = crate::target_directory().join("tests-programs");
    std::fs::create_dir_all(&directory).expect("a directory for test programs");
    let file = File::create(directory.join("machine.lock")).expect("a lock file");
    let locked = if alone { file.lock() } else { file.lock_shared() };
    locked.expect("locking the lock file");
    Machine(file)
}
