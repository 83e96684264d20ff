//! Programs that other people wrote and that know nothing of grivet, as Debian ships them: output compared where it
//! is the same every time, otherwise its shape.

use grivet_tests::{End, Program, scratch};
use std::path::PathBuf;

/// sysbench's report, numbers that vary taken out.
fn sysbench(test: &str, arguments: &[&str]) {
    let mut program = Program::command("sysbench").args([test, "--threads=8", "--events=500", "--time=30"]);
    for argument in arguments {
        program = program.arg(argument);
    }
    let native = program.natively();
    let green = program.well_under_grivet();
    let shape = |text: &str| {
        let words = text.lines().filter(|line| !line.contains("avg/stddev"));
        words.map(|line| line.split(':').next().unwrap_or("").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(shape(&native.stdout), shape(&green.stdout));
    let events = |text: &str| text.lines().find(|line| line.contains("total number of events")).map(str::to_string);
    assert_eq!(events(&native.stdout), events(&green.stdout));
    assert!(events(&green.stdout).is_some_and(|line| line.ends_with(" 500")), "{}", green.stdout);
}

#[test]
fn sysbench_threads() {
    sysbench("threads", &["--thread-yields=50", "--thread-locks=4", "run"]);
}

#[test]
fn sysbench_mutex() {
    let program = Program::command("sysbench").args(["mutex", "--threads=8", "--mutex-num=16"]);
    let run = program.args(["--mutex-locks=2000", "--mutex-loops=100", "run"]).well_under_grivet();
    assert!(run.stdout.contains("Threads started!"), "{}", run.stdout);
    assert!(run.stdout.contains("execution time (avg/stddev)"), "{}", run.stdout);
}

/// stress-ng forks a worker, whose the threads are: its kernel threads are not counted from outside, but its stats
/// lines say who made them. It ends after that many operations or SECONDS, whichever comes first.
fn stress_ng(stressor: &str, operations: u32, seconds: u32) -> Program {
    Program::command("stress-ng")
        .args([&format!("--{stressor}"), "1", &format!("--{stressor}-ops"), &operations.to_string()])
        .args(["--timeout", &seconds.to_string(), "--verify", "--quiet"])
}

#[test]
fn stress_ng_pthread() {
    stress_ng("pthread", 200, 50).same();
}

#[test]
fn stress_ng_mutex() {
    stress_ng("mutex", 2000, 50).same();
}

#[test]
fn stress_ng_sem() {
    // Its count of operations does not end it.
    stress_ng("sem", 1000, 2).same();
}

#[test]
fn stress_ng_futex() {
    // It waits between two processes, with no thread of its own.
    stress_ng("futex", 5000, 50).without_threads().same();
}

#[test]
fn stress_ng_nanosleep() {
    stress_ng("nanosleep", 500, 50).same();
}

/// Four megabytes of text that compresses but not to nothing.
fn text(directory: &std::path::Path) -> PathBuf {
    let path = directory.join("text");
    let mut state = 1u32;
    let mut lines = String::new();
    while lines.len() < 4 << 20 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        lines.push_str(&format!("line {} of {}\n", state >> 12, state >> 24));
    }
    std::fs::write(&path, lines).expect("a text to compress");
    path
}

/// Packs with several threads, natively and under grivet, and unpacks the latter's with threads under grivet.
fn round_trip(tool: &str, pack: &[&str], unpack: &[&str]) {
    let directory = scratch(tool);
    let input = text(&directory);
    let run = |arguments: &[&str], input: &PathBuf, output: &PathBuf, green: bool| {
        let line = format!("{tool} {} < '{}' > '{}'", arguments.join(" "), input.display(), output.display());
        let program = Program::command("sh").args(["-c", &format!("exec {line}")]);
        let run = if green { program.without_threads().well_under_grivet() } else { program.natively() };
        assert_eq!(run.end, End::Exited(0), "{line}: {run:#?}");
        run
    };
    let (native, green, back) = (directory.join("native"), directory.join("green"), directory.join("back"));
    run(pack, &input, &native, false);
    let packing = run(pack, &input, &green, true);
    assert!(packing.threads_made() > 0, "{tool} made no threads: {packing:#?}");
    run(unpack, &green, &back, true);
    let read = |path: &PathBuf| std::fs::read(path).expect("a file just written");
    assert!(read(&native) == read(&green), "{tool} packed to other bytes under grivet");
    assert!(read(&input) == read(&back), "{tool} did not give back what it packed");
    std::fs::remove_dir_all(&directory).expect("removing a scratch directory");
}

#[test]
fn xz() {
    round_trip("xz", &["-1", "-T2", "--block-size=1MiB"], &["-d", "-T2"]);
}

#[test]
fn zstd() {
    round_trip("zstd", &["-3", "-T2", "-q", "-c"], &["-d", "-q", "-c"]);
}

#[test]
fn pigz() {
    round_trip("pigz", &["-p", "4", "-n"], &["-d"]);
}

#[test]
fn sort_in_parallel() {
    let directory = scratch("sort");
    let input = text(&directory);
    Program::command("sort").args(["--parallel=4", "-S", "50M"]).arg(input).env("LC_ALL", "C").same();
    std::fs::remove_dir_all(&directory).expect("removing a scratch directory");
}

#[test]
fn git_repack() {
    let directory = scratch("git");
    let script = "git init -q . && for n in 1 2 3 4; do for f in $(seq 60); do seq $n $((f * 20 + 200)) > $f; done; \
                  git add .; git -c user.name=t -c user.email=t@example.org commit -q -m $n; done && \
                  git repack -q -a -d -f --threads=4 && git gc -q && git fsck --strict && git rev-parse HEAD^{tree} && \
                  git count-objects -v | grep -v size";
    let native = directory.join("native");
    let green = directory.join("green");
    for place in [&native, &green] {
        std::fs::create_dir_all(place).expect("a directory");
    }
    let program = |place: &PathBuf| {
        Program::command("sh").args(["-c", &format!("cd '{}' && {script}", place.display())]).without_threads()
    };
    let expected = program(&native).natively();
    assert_eq!(expected.end, End::Exited(0), "{expected:#?}");
    let run = program(&green).well_under_grivet();
    assert_eq!(run.stdout, expected.stdout);
    assert!(run.threads_made() > 0, "git made no threads: {run:#?}");
    std::fs::remove_dir_all(&directory).expect("removing a scratch directory");
}
