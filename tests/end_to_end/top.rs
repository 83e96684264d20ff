//! `grivet top` in a terminal, which tmux stands in for: what is on the screen, what the keys do, and how it leaves the terminal.

use grivet_tests::{Language, Watched, command, compile};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const NONE: [&str; 0] = [];

/// A terminal, 140 by 30, with a shell in it, on a tmux server of its own.
struct Terminal(String);

impl Terminal {
    fn with(name: &str, shell_command: &str) -> Terminal {
        let terminal = Terminal(format!("grivet-{}-{name}", std::process::id()));
        // The shell stays afterwards, so that the screen does.
        let shell_command = format!("{shell_command}; exec sh");
        terminal.tmux(&["new-session", "-d", "-x", "140", "-y", "30", &shell_command]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("timeout");
        tmux.args(["-s", "KILL", "20", "tmux", "-f", "/dev/null", "-L", &self.0]).args(arguments);
        let output = tmux.stdin(Stdio::null()).output().expect("tmux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// The screen, once IS_DRAWN holds for it.
    fn screen(&self, is_drawn: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if is_drawn(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < Duration::from_secs(15), "not as expected: {screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn top(pid: u32) -> String {
    format!("{} top --interval 0.2 {pid}; echo ended with $?; stty -a", command().display())
}

/// The first words of the table's rows.
fn ids(screen: &str) -> Vec<u32> {
    let rows = screen.lines().skip_while(|line| !line.starts_with("ID ")).skip(1);
    rows.filter_map(|row| row.split_whitespace().next()?.parse().ok()).collect()
}

#[test]
fn threads_are_on_the_screen_and_keys_work() {
    let program = Watched::start(&compile(Language::C, "observe/parked_kinds", &[]), &NONE);
    let terminal = Terminal::with("keys", &top(program.pid));
    let names = ["on mutex", "on rwlock", "on condition", "on join", "on pipe", "asleep", "by CPU time"];
    let screen = terminal.screen(|screen| names.iter().all(|name| screen.contains(name)));
    for expected in ["15 threads", "parked_kinds", "switches/s", "% CPU", "wants_mutex", "for a mutex at 0x"] {
        assert!(screen.contains(expected), "no {expected}: {screen}");
    }
    terminal.press(&["i"]);
    let by_id = ids(&terminal.screen(|screen| screen.contains("by id")));
    assert!(by_id.len() == 15 && by_id.is_sorted(), "{by_id:?}");
    terminal.press(&["w"]);
    let by_time = terminal.screen(|screen| screen.contains("by time waited"));
    let holder = by_time.lines().find(|line| line.contains(" holder ")).expect("the first to wait");
    assert!(ids(&by_time).first().is_some_and(|id| holder.starts_with(&id.to_string())), "{by_time}");

    terminal.press(&["/"]);
    terminal.press(&["-l", "on pipe"]);
    terminal.press(&["Enter"]);
    let filtered = terminal.screen(|screen| screen.contains("only \"on pipe\""));
    assert_eq!(ids(&filtered).len(), 1, "{filtered}");
    terminal.press(&["Enter"]);
    let backtrace = terminal.screen(|screen| screen.contains("start_thread"));
    assert!(
        backtrace.contains("reads_pipe")
            && backtrace.contains("waiting to read from fd ")
            && backtrace.contains(" (pipe)"),
        "{backtrace}"
    );
    terminal.press(&["q"]);
    terminal.screen(|screen| screen.contains("only \"on pipe\""));

    terminal.press(&["q"]);
    let after = terminal.screen(|screen| screen.contains("ended with 0") && screen.contains("icanon"));
    assert!(!after.contains("-icanon") && !after.contains("-echo "), "the terminal is not as it was: {after}");
    assert!(!after.contains("on mutex"), "the screen is not as it was: {after}");
    program.ends_saying("all ended\n");
}

#[test]
fn the_end_of_the_program_ends_it() {
    let program = Watched::start(&compile(Language::C, "observe/busy", &[]), &["switches"]);
    let terminal = Terminal::with("end", &top(program.pid));
    // It has a speed now.
    terminal.screen(|screen| screen.contains(" switches/s") && !screen.contains(" 0 switches/s"));
    program.ends_saying("unharmed\n");
    let after = terminal.screen(|screen| screen.contains("ended with 3") && screen.contains("icanon"));
    assert!(after.contains("grivet: ") && after.contains("has ended"), "{after}");
    assert!(!after.contains("-icanon"), "the terminal is not as it was: {after}");
}

#[test]
fn once_is_for_scripts() {
    let program = Watched::start(&compile(Language::C, "observe/alike", &[]), &["50"]);
    let output = program.look(&["top", "--once"]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(ids(&table).len(), 51, "{table}");
    assert_eq!(table.matches("waits_like_all_others").count(), 50, "{table}");
    let output = program.look(&["top"]);
    assert_eq!(output.status.code(), Some(2), "without a terminal: {output:?}");
    program.ends_saying("50 ended\n");
}
