//! A real IPython kernel, driven by jupyter-client: what gevent's patch does to it, and cells with blocking threads,
//! natively and under grivet. Only the kernel is under grivet; `demo-bin/jupyter_cells.py`, which drives it, is not.

use grivet_tests::{End, Program, Run, library, programs_directory, target_directory};
use std::path::PathBuf;
use std::process::Command;

const TASKS: u32 = 200; // each blocks for half a second
const HELPERS: usize = 4; // of grivet's, for what only a disk can answer

fn repository() -> PathBuf {
    let tests = programs_directory();
    tests.ancestors().nth(2).expect("the repository's folder").to_path_buf()
}

/// A Python with Jupyter and gevent, from PyPI.
fn python_with_jupyter() -> PathBuf {
    let output = Command::new("python3")
        .arg(repository().join("scripts/lib/venvs.py"))
        .arg(target_directory().join("demo/jupyter"))
        .arg(repository().join("demo-bin/jupyter-requirements.txt"))
        .output()
        .expect("python3");
    assert!(output.status.success(), "no Jupyter to test: {}", String::from_utf8_lossy(&output.stderr).trim());
    PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
}

/// The driver with its arguments, and grivet preloaded into the kernel.
fn cells(preloaded: bool, arguments: &[&str]) -> Run {
    let mut program = Program::command(python_with_jupyter()).arg(repository().join("demo-bin/jupyter_cells.py"));
    if preloaded {
        program = program.arg("--preload").arg(library());
    }
    let program = arguments.iter().fold(program, |program, argument| program.arg(*argument));
    let run = program.time_limit(180).natively();
    assert_eq!(run.end, End::Exited(0), "{run:#?}");
    assert!(run.stdout.contains("it listens at 127.0.0.1 alone\n"), "{run:#?}");
    run
}

/// What stands between `before` and `after` on the line that has both.
fn between<'a>(run: &'a Run, before: &str, after: &str) -> &'a str {
    let found = run.stdout.lines().find_map(|line| Some(line.split_once(before)?.1.split_once(after)?.0));
    found.unwrap_or_else(|| panic!("no “{before}…{after}”: {run:#?}"))
}

/// The lines that the cells printed.
fn printed(run: &Run) -> Vec<&str> {
    run.stdout.lines().filter_map(|line| line.strip_prefix("  | ")).collect()
}

fn most_kernel_threads(run: &Run) -> usize {
    let most = between(run, "the kernel had ", " kernel thread");
    most.parse().expect("a number of kernel threads")
}

/// gevent's fault, not the kernel's threads': it is the same natively and under grivet.
#[test]
fn a_kernel_is_lost_to_gevents_patch() {
    for preloaded in [false, true] {
        let run = cells(preloaded, &["gevent"]);
        let lines = printed(&run);
        assert_eq!(lines[..4], ["A starts", "B starts", "A finishes", "B finishes"], "{run:#?}");
        assert!(lines[4].starts_with("the kernel's thread 'Shell channel' is now 'Dummy-"), "{run:#?}");
        assert_eq!(lines.len(), 5, "the cell after it is not run: {run:#?}");
        // The reply to the first cell cannot be sent, the second is not taken.
        let errors: Vec<&str> =
            run.stdout.lines().filter_map(|line| line.strip_prefix("  ! AssertionError: ")).collect();
        assert!(errors[0].starts_with("assert current_thread().name == SHELL_CHANNEL_THREAD_NAME ("), "{run:#?}");
        assert!(errors[1].starts_with("assert threading.current_thread() == self.shell_channel_thread ("), "{run:#?}");
        assert_eq!(run.stdout.matches("no reply; the process is alive").count(), 2, "{run:#?}");
    }
}

#[test]
fn cells_with_blocking_threads_overlap_and_the_kernel_stays() {
    for preloaded in [false, true] {
        let run = cells(preloaded, &["threads", &TASKS.to_string()]);
        let mut two_tasks = printed(&run)[..4].to_vec();
        two_tasks.sort_unstable(); // natively A and B come in any order
        assert_eq!(two_tasks, ["A finishes", "A starts", "B finishes", "B starts"], "{run:#?}");
        assert!(printed(&run)[..2].iter().all(|line| line.ends_with("starts")), "{run:#?}");

        let took: f64 = between(&run, "  | 200 tasks in ", " s").parse().expect("seconds");
        assert!((0.5..f64::from(TASKS) * 0.5 / 4.0).contains(&took), "preloaded: {preloaded}, {took} s");

        // It is interrupted, answers a further cell, and ends by itself when asked to.
        assert_eq!(printed(&run)[5..], ["interrupt me", "KeyboardInterrupt", "42"], "{run:#?}");
        let replies: Vec<&str> =
            run.stdout.lines().filter_map(|line| line.split_once(" replied ")).map(|(_, one)| one).collect();
        assert_eq!(replies, ["'ok'", "'ok'", "'error'", "'ok'"], "{run:#?}");
        assert!(between(&run, "asked to shut down: ended after ", "tatus 0").ends_with(" s, exit s"), "{run:#?}");

        let lasting: usize =
            between(&run, "(kernel threads that last while these block: ", ")").parse().expect("a number");
        if preloaded {
            assert_eq!(lasting, 1, "{run:#?}");
            assert!(most_kernel_threads(&run) <= 1 + HELPERS, "{run:#?}");
            // The kernel's own and libzmq's are green as well.
            let peak: u32 = between(&run, " peak=", " ").parse().expect("a number");
            assert!(peak >= TASKS + 10, "{run:#?}");
        } else {
            assert!(lasting > TASKS as usize && most_kernel_threads(&run) > TASKS as usize, "{run:#?}");
        }
    }
}
