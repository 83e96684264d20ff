//! Threads of other languages' run-times: CPython, Ruby, Perl, Rust's std, OpenMP, the JVM, Node.js.

use grivet_tests::Program;
use nix::sys::signal::Signal;

#[test]
fn python_threads_and_locks() {
    Program::python("languages/threads_and_locks.py").same();
}

#[test]
fn python_queues_and_pools() {
    Program::python("languages/queues_and_pools.py").same();
}

#[test]
fn python_five_thousand_sleepers() {
    Program::python("languages/five_thousand_sleepers.py").same();
}

#[test]
fn python_processes_from_threads() {
    Program::python("languages/processes_from_threads.py").same();
}

#[test]
fn python_keyboard_interrupt() {
    Program::python("languages/keyboard_interrupt.py").same();
}

#[test]
fn python_asyncio_to_thread() {
    Program::python("languages/asyncio_to_thread.py").same();
}

#[test]
fn python_multiprocessing_pool() {
    Program::python("languages/processes_from_threads.py").arg("pool").same();
}

#[test]
fn python_pool_of_a_manager() {
    Program::python("languages/pool_of_a_manager.py").same();
}

#[test]
fn ruby_threads() {
    Program::command("ruby").source("languages/threads.rb").same();
}

#[test]
fn perl_threads() {
    Program::command("perl").source("languages/threads.pl").same();
}

#[test]
fn rust_std_primitives() {
    Program::rust("languages/std_primitives").same();
}

#[test]
fn rust_stack_overflow_is_explained_by_rust() {
    let run = Program::rust("languages/stack_overflow").dies_of(Signal::SIGABRT).well_under_grivet();
    assert!(run.stderr.contains("thread 'too deep'") && run.stderr.contains("has overflowed its stack"), "{run:#?}");
}

#[test]
fn openmp() {
    for threads in [2, 8] {
        Program::openmp("languages/openmp").env("OMP_NUM_THREADS", threads).same();
    }
}

#[test]
fn java_threads() {
    // What the disk does not have in its cache, helpers read.
    Program::command("java").source("languages/Threads.java").time_limit(120).with_helper_threads().same();
}

#[test]
fn java_collections_stop_all_threads() {
    for option in ["-Xint", "-XX:+UseSerialGC", "-XX:+UseG1GC"] {
        let java = Program::command("java").args([option, "-Xmx48m", "-XX:ActiveProcessorCount=4"]);
        java.source("languages/Collects.java").time_limit(120).with_helper_threads().same();
    }
}

#[test]
fn node_workers() {
    Program::command("node").source("languages/workers.js").same();
}
