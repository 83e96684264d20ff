//! Servers and tools with a client that has no grivet: the light cases of `scripts/compat`, which plays each natively
//! and under grivet with small loads and compares what was answered. `compat/cases` says what is asked of each.

use grivet_tests::{End, Program, library};
use std::path::Path;

/// Plays the case called NAME; whatever is not the same stands in the script's output.
fn same(name: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("scripts").join("compat");
    let play = Program::command(script).args(["--quick", name]).env("GRIVET_LIB", library().display()).time_limit(200);
    let run = play.natively();
    assert_eq!(run.end, End::Exited(0), "{name}:\n{}{}", run.stderr, run.stdout);
    let columns = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
    let found = run.stdout.lines().map(columns).find(|line| line.first().is_some_and(|first| first == name));
    assert_eq!(found.as_ref().and_then(|line| line.get(2)).map(String::as_str), Some("same"), "{}", run.stdout);
}

/// One test for each case: the test is called as the case is, with underscores.
macro_rules! same {
    ($($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                same(&stringify!($name).replace('_', "-"));
            }
        )+
    };
}

same!(
    memcached,
    redis,
    stunnel,
    python_http,
    hackbench_sockets,
    hackbench_pipes,
    stress_ng_pipe,
    stress_ng_epoll,
    stress_ng_msg,
    stress_ng_flock,
);
