//! Programs that other people wrote, sequential and unaware of grivet, as Debian ships them: spawn rules make their waits
//! overlap. docs/cookbook.md tells how their functions were found.

use grivet_tests::{End, Program, Run, scratch};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How many items each program is given, and how long each of them takes.
const ITEMS: usize = 12;
const WAIT: Duration = Duration::from_millis(200);

/// Runs PROGRAM natively and with RULES, and expects the latter to be three times as fast at least.
fn overlaps(program: Program, rules: &[(&str, &str)]) -> (Run, Run) {
    let begun = Instant::now();
    let native = program.natively();
    let natively = begun.elapsed();
    assert_eq!(native.end, End::Exited(0), "{native:#?}");
    assert!(natively >= WAIT * ITEMS as u32, "natively one after the other, but it took {natively:?}");

    let program = rules.iter().fold(program, |program, (name, value)| program.env(name, value));
    let begun = Instant::now();
    let green = program.well_under_grivet();
    let spawned = begun.elapsed();
    assert_eq!(green.threads_made(), ITEMS as u64, "{green:#?}");
    assert!(spawned * 3 < natively, "{spawned:?} with {rules:?}, {natively:?} natively");
    (native, green)
}

/// Where the function of the stripped PROGRAM begins that calls CALLEE of a library: the disassembly names the callee, and
/// the unwind tables, which no strip removes, tell the functions apart.
fn function_that_calls(program: &str, callee: &str) -> String {
    let output = |tool: &str, option: &[&str]| {
        let output =
            Command::new(tool).args(option).arg(program).output().unwrap_or_else(|error| panic!("{tool}: {error}"));
        String::from_utf8(output.stdout).expect("a listing")
    };
    let hexadecimal = |digits: &str| u64::from_str_radix(digits.trim(), 16).expect("an address");
    let code = output("objdump", &["-d", "--no-show-raw-insn"]);
    let call = code.lines().find(|line| line.contains("call ") && line.ends_with(&format!("<{callee}@plt>")));
    let call = hexadecimal(call.expect("a call of it").split(':').next().expect("an address"));
    let tables = output("readelf", &["--debug-dump=frames-interp"]);
    let mut ranges = tables.lines().filter_map(|line| line.split_once(" pc=")?.1.split_once(".."));
    let range = ranges.find(|(start, end)| (hexadecimal(start)..hexadecimal(end)).contains(&call));
    format!("{:#x}", hexadecimal(range.expect("a function around the call").0))
}

/// Answers finger(1), natively and under grivet, with one line about each user, after a while.
fn slow_finger_server() {
    let listener = finger_port();
    thread::spawn(move || {
        for connection in listener.incoming().take(2 * ITEMS) {
            thread::spawn(move || answer(connection.expect("a connection")));
        }
    });
}

/// The one port that finger(1) knows. Another run of this test may have it for a moment.
fn finger_port() -> TcpListener {
    let begun = Instant::now();
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, 79)) {
            Ok(listener) => return listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse && begun.elapsed() < Duration::from_secs(60) => {
                thread::sleep(WAIT);
            }
            Err(error) => panic!("port 79, for which this test must be run as root: {error}"),
        }
    }
}

fn answer(mut connection: TcpStream) {
    let mut user = String::new();
    BufReader::new(&connection).read_line(&mut user).expect("a request");
    thread::sleep(WAIT);
    // In one piece, or finger, which prints what has come and waits for the rest, mixes it with other answers. A program
    // that has gone no longer wants it.
    let _ = connection.write_all(format!("{}: no plan\r\n", user.trim()).as_bytes());
}

#[test]
fn finger_asks_many_users_at_once() {
    slow_finger_server();
    const FINGER: &str = "/usr/bin/finger";
    let netfinger = function_that_calls(FINGER, "getservbyname");
    let mut program = Program::command(FINGER).arg("-s");
    for user in 0..ITEMS {
        program = program.arg(format!("user{user}@127.0.0.1"));
    }
    let (native, green) = overlaps(program, &[("GRIVET_SPAWN", &netfinger)]);
    // The empty lines that part the answers are the caller's: they come at once.
    let answers = |run: &Run| {
        let mut lines: Vec<String> = run.stdout.lines().filter(|line| !line.is_empty()).map(str::to_string).collect();
        lines.sort();
        lines
    };
    assert_eq!(answers(&native).len(), ITEMS);
    assert_eq!(answers(&native), answers(&green));
}

#[test]
fn find_runs_commands_side_by_side() {
    const FIND: &str = "/usr/bin/find";
    let directory = scratch("find");
    let (originals, copies) = (directory.join("originals"), directory.join("copies"));
    for place in [&originals, &copies] {
        std::fs::create_dir_all(place).expect("a scratch directory");
    }
    let name = |item: usize| format!("item-{item}");
    for item in 0..ITEMS {
        std::fs::write(originals.join(name(item)), format!("{item}\n")).expect("a file to find");
    }
    let copy = format!("sleep {}; cat \"$0\" >> '{}'/\"${{0##*/}}\"", WAIT.as_secs_f64(), copies.display());
    let program = Program::command(FIND).arg(&originals).args(["-type", "f", "-exec", "sh", "-c", &copy, "{}", ";"]);
    // The function that waits for the command says with 1 that it could be run.
    let launch = format!("{}=1", function_that_calls(FIND, "waitpid"));
    overlaps(program, &[("GRIVET_SPAWN", &launch)]);
    assert_eq!(std::fs::read_dir(&copies).expect("the copies").count(), ITEMS);
    for item in 0..ITEMS {
        let copy = std::fs::read_to_string(copies.join(name(item))).expect("a copy");
        assert_eq!(copy, format!("{item}\n{item}\n"), "each run appends the file once");
    }
    std::fs::remove_dir_all(&directory).expect("removing a scratch directory");
}

#[test]
fn lua_runs_commands_side_by_side() {
    let directory = scratch("lua");
    let script = format!(
        "for n = 1, {ITEMS} do os.execute('sleep {}; echo ' .. n .. ' >> {}/done'); collectgarbage() end",
        WAIT.as_secs_f64(),
        directory.display()
    );
    let program = Program::command("lua5.4").args(["-e", &script]);
    overlaps(program, &[("GRIVET_SPAWN", "libc.so.6:system")]);
    let done = std::fs::read_to_string(directory.join("done")).expect("what the commands wrote");
    let mut done: Vec<usize> = done.lines().map(|line| line.parse().expect("a number")).collect();
    done.sort();
    let mut twice: Vec<usize> = (1..=ITEMS).chain(1..=ITEMS).collect();
    twice.sort();
    assert_eq!(done, twice);
    std::fs::remove_dir_all(&directory).expect("removing a scratch directory");
}
