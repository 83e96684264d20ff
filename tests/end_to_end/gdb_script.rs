//! scripts/gdb/grivet.py: green threads are listed with what they wait for, selected and unwound, in a process and in a core
//! file, and the program goes on as if nobody had looked.

use grivet_tests::{Language, Program, Watched, compile, library, target_directory};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// What gdb with the script says to COMMANDS, on what OPTIONS name. It asks the network for nothing.
fn gdb(options: &[&str], commands: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("scripts/gdb/grivet.py");
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "50", "gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off"]);
    command.args(["-ex", "set startup-with-shell off", "-x"]).arg(script).args(options);
    for one in commands {
        command.args(["-ex", one]);
    }
    let output = command.stdin(Stdio::null()).output().expect("gdb");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Made once: gdb finds no symbols of a running program whose file was made anew. Its variables can all be looked at.
fn program() -> PathBuf {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| compile(Language::C, "process/parked", &["-O0"]));
    PROGRAM.clone()
}

/// The program with all its threads parked, until it gets a line; killed if it is left behind.
struct Parked {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Parked {
    fn start(under_grivet: bool, directory: &Path) -> Parked {
        // The library is for the program, not for the shell.
        let preload = if under_grivet { format!("LD_PRELOAD={}", library().display()) } else { "A=".into() };
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -c unlimited; exec env \"$0\" \"$1\""]).arg(preload).arg(program());
        command.current_dir(directory);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a program");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        assert_eq!(line, "parked\n");
        std::thread::sleep(Duration::from_millis(300));
        Parked { child, output }
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Lets it go on, and checks that it ends as it does when nobody looks.
    fn ends_well(mut self) {
        self.child.stdin.take().expect("its input").write_all(b"go\n").expect("a line");
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("its output");
        assert!(self.child.wait().expect("its status").success());
        assert_eq!(rest, "sum 301\n");
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line of TEXT that says something of the thread NAME.
fn line_of<'text>(text: &'text str, name: &str) -> &'text str {
    let is_its = |line: &&str| line.split_whitespace().any(|word| word == name);
    text.lines().find(is_its).unwrap_or_else(|| panic!("no {name}: {text}"))
}

#[track_caller]
fn contains(text: &str, expected: &[&str]) {
    for one in expected {
        assert!(text.contains(one), "no {one}: {text}");
    }
}

const LOOKS: [&str; 12] = [
    "info grivet threads",
    "grivet apply all bt",
    "echo ::\\n",
    "grivet thread 2",
    "backtrace",
    "frame function takes_lock",
    "info locals",
    "up",
    "info locals",
    "print *$grivet_tls(&of_thread)",
    "grivet apply 3 5 print *$grivet_tls(&of_thread)",
    "grivet thread",
];

/// What LOOKS show of a process or a core file.
fn shows_all(text: &str) {
    let (list, selected) = text.split_once("::\n").expect("the mark");
    contains(line_of(list, "locker"), &[" 2 ", " parked ", " lock 0x", " <held> of ", " takes_lock (parked.c:"]);
    contains(line_of(list, "reader"), &[" 3 ", " parked ", " fd ", " to read ", " reads_pipe (parked.c:"]);
    contains(line_of(list, "waiter"), &[" 4 ", " parked ", " futex 0x", " <told+", " awaits_word (parked.c:"]);
    contains(line_of(list, "sleeper"), &[" 5 ", " parked ", " a sleep", " sleeps (parked.c:"]);
    contains(list, &["fd 0 to read", " awaits_line (parked.c:", "\n5 green threads"]);
    contains(
        list,
        &["Grivet thread 3 (tid ", " in locks (", " in reads (", " in awaits (", " in start_thread ", " in main ("],
    );

    contains(selected, &["[Grivet thread 2 (tid ", "twice = 20", "wanted = 10"]);
    let (own, others) = selected.split_once("\n$1 = 10\n").unwrap_or_else(|| panic!("not its own variable: {text}"));
    let places: Vec<_> = [" takes_lock (", " locks (", "start_thread ("].iter().map(|name| own.find(name)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "not the whole way: {text}");
    assert!(!own.contains("grivet_idle"), "the kernel thread's frames are not the green thread's: {text}");
    contains(others, &["$2 = 20", "$3 = 40", "[Grivet thread 2 (tid "]);
}

#[test]
fn threads_of_a_process() {
    let parked = Parked::start(true, &target_directory());
    let refused = [
        "step",
        "return",
        "grivet thread 77",
        "grivet apply 2",
        "print abs(-5)",
        "grivet thread",
        "grivet thread 0",
        "grivet thread",
    ];
    let text = gdb(&["-p", &parked.pid()], &[&LOOKS[..], &refused].concat());
    shows_all(&text);
    let expected = [
        "grivet: step: thread 2 does not run",
        "grivet: return: thread 2 does not run",
        "grivet: there is no green thread 77",
        "grivet: say for which green threads",
        "$4 = 5\n[Grivet thread 2 (tid ",
        "[The kernel thread of grivet is selected]",
    ];
    contains(&text, &expected);
    parked.ends_well();
}

#[test]
fn threads_of_a_core_file() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").expect("a pattern");
    assert!(
        !pattern.contains(['/', '|']),
        "core files go to {pattern}, not to the working directory, where this test looks"
    );
    let directory = target_directory().join("tests-programs/core");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory");
    let mut parked = Parked::start(true, &directory);
    let signal = nix::sys::signal::Signal::SIGQUIT;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(parked.child.id() as i32), signal).expect("a signal");
    parked.child.wait().expect("its status");
    let core = directory.read_dir().expect("a directory").next().expect("a core file").expect("its name").path();
    let text = gdb(&[&program().to_string_lossy(), &core.to_string_lossy()], &LOOKS);
    std::fs::remove_dir_all(&directory).expect("removing it");
    shows_all(&text);
    contains(&text, &["times end when the last wait began"]);
}

#[test]
fn the_program_goes_on_with_its_own_registers() {
    let parked = Parked::start(true, &target_directory());
    // Selected and left so.
    let text = gdb(&["-p", &parked.pid()], &["grivet thread 5", "grivet thread 4", "detach"]);
    contains(&text, &["[Grivet thread 4 (tid ", "detached"]);
    parked.ends_well();

    let program = compile(Language::C, "process/debugged", &[]);
    let preload = format!("set environment LD_PRELOAD={}", library().display());
    let commands = [
        &preload,
        "break works",
        "run",
        "continue",
        "info grivet threads",
        "delete",
        "grivet thread 2",
        "frame function body",
        "finish",
        "grivet thread",
        "grivet thread 1",
        "continue",
    ];
    let text = gdb(&[&program.to_string_lossy()], &commands.map(|command| command));
    contains(line_of(&text, "running"), &["* 3 ", " works (debugged.c:"]);
    let (_, finished) = text.split_once(" body (argument=").unwrap_or_else(|| panic!("not finished: {text}"));
    contains(
        finished,
        &[" start_thread (", "Value returned is $1 = (void *) 0x3", "[The kernel thread of grivet is selected]"],
    );
    contains(finished, &["sum 108", "exited normally"]);
}

#[test]
fn threads_that_were_interrupted_while_computing() {
    let program = compile(Language::C, "process/computing", &[]);
    let preload = format!("set environment LD_PRELOAD={}", library().display());
    let commands = [&preload, "break seen", "run", "info grivet threads", "grivet apply all bt", "continue"];
    let text = gdb(&[&program.to_string_lossy()], &commands.map(|command| command));
    let (_, threads) = text.split_once("4 green threads").unwrap_or_else(|| panic!("not listed: {text}"));
    for number in 2..5 {
        let own = threads.split("Grivet thread ").find(|own| own.starts_with(&number.to_string())).expect("a thread");
        contains(own, &[" computes (", " in body (", "start_thread ("]);
    }
    contains(&text, &[" ready ", "* 1 ", "exited normally"]);
}

#[test]
fn where_there_are_no_green_threads() {
    contains(&gdb(&[], &["info grivet threads"]), &["grivet: there is neither a process nor a core file"]);
    let parked = Parked::start(false, &target_directory());
    let text = gdb(&["-p", &parked.pid()], &["info grivet threads"]);
    contains(&text, &["grivet: this program does not run under grivet"]);
    parked.ends_well();
    let preload = format!("set environment LD_PRELOAD={}", library().display());
    let commands = [&preload, "break main", "run", "info grivet threads"];
    let text = gdb(&[&program().to_string_lossy()], &commands.map(|command| command));
    contains(&text, &["grivet: there are no green threads yet"]);
}

#[test]
fn threads_of_an_interpreter() {
    let python = Program::python("observe/fifty_threads.py").path().to_path_buf();
    let source = grivet_tests::programs_directory().join("observe/fifty_threads.py");
    let program = Watched::start(&python, &[source]);
    std::thread::sleep(Duration::from_millis(200));
    let text =
        gdb(&["-p", &program.pid.to_string()], &["info grivet threads", "echo ::\\n", "grivet thread 20", "backtrace"]);
    let (list, selected) = text.split_once("::\n").unwrap_or_else(|| panic!("no mark: {text}"));
    contains(list, &["51 green threads"]);
    contains(selected, &["[Grivet thread 20 (tid ", "PyThread_acquire_lock", "_PyEval_EvalFrameDefault"]);
    program.ends_saying("unharmed\n");
}
