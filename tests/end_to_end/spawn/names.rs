//! Which function a rule means, and which rules are refused.

use crate::{assert_mentions, side_by_side};
use grivet_tests::{Language, Program, compile, target_directory};
use std::path::{Path, PathBuf};
use std::process::Command;

fn tool(name: &str, arguments: &[&Path]) {
    let status = Command::new(name).args(arguments).status().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(status.success(), "{name} {arguments:?}: {status}");
}

/// A copy of the file at `path`, without symbols, in a directory of the test's own.
fn stripped(path: &Path, test: &str) -> PathBuf {
    let directory = target_directory().join("tests-programs").join(test);
    std::fs::create_dir_all(&directory).expect("a directory for copies");
    let copy = directory.join("stripped");
    tool("strip", &[Path::new("-o"), &copy, path]);
    copy
}

/// The address of the function `name` in the file at `path`, by nm.
fn address(path: &Path, name: &str) -> String {
    let output = Command::new("nm").arg(path).output().expect("nm");
    let output = String::from_utf8(output.stdout).expect("nm's output");
    let line = output.lines().find(|line| line.split_whitespace().nth(2) == Some(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {}", path.display()));
    format!("0x{}", line.split_whitespace().next().expect("an address").trim_start_matches('0'))
}

#[test]
fn static_function() {
    side_by_side(Program::c("spawn/two_tasks"), "blocking_task", 2);
    let run = Program::c("spawn/two_tasks").env("GRIVET_SPAWN", "blocking_task").well_under_grivet();
    assert_eq!(run.stdout, "A starts\nB starts\nA finishes\nB finishes\n");
}

#[test]
fn address_in_a_stripped_program() {
    let original = Program::c("spawn/two_tasks");
    let copy = stripped(original.path(), "spawn-address");
    let address = address(original.path(), "blocking_task");
    side_by_side(Program::command(&copy), &address, 2);
    let report = refused(Program::command(&copy), "GRIVET_SPAWN", "blocking_task");
    assert_mentions(&report, &["GRIVET_SPAWN=blocking_task: ", "stripped", "address"]);
    let inside = format!("{:#x}", i64::from_str_radix(&address[2..], 16).expect("hexadecimal digits") + 4);
    assert_mentions(&refused(Program::command(&copy), "GRIVET_SPAWN", &inside), &["inside", &address]);
    assert_mentions(&refused(Program::command(&copy), "GRIVET_SPAWN", "0x10"), &["not in the code"]);
}

#[test]
fn separate_debug_file() {
    let original = Program::c("spawn/two_tasks");
    let copy = stripped(original.path(), "spawn-debug-file");
    let debug = copy.with_file_name("symbols.debug");
    tool("objcopy", &[Path::new("--only-keep-debug"), original.path(), &debug]);
    let link = format!("--add-gnu-debuglink={}", debug.display());
    tool("objcopy", &[Path::new(&link), &copy]);
    side_by_side(Program::command(&copy), "blocking_task", 2);
}

/// A debug file below /usr/lib/debug, as a distribution installs it; taken away again at the end.
struct Installed(PathBuf);

impl Installed {
    fn by_build_id(build_id: &str) -> Installed {
        let (first, rest) = build_id.split_at(2);
        let path = PathBuf::from(format!("/usr/lib/debug/.build-id/{first}/{rest}.debug"));
        let directory = path.parent().expect("a directory");
        std::fs::create_dir_all(directory)
            .unwrap_or_else(|error| panic!("{}: {error}; this test must be run as root", directory.display()));
        Installed(path)
    }

    /// Installs the symbols of the program at `original`.
    fn symbols_of(&self, original: &Path) {
        tool("objcopy", &[Path::new("--only-keep-debug"), original, &self.0]);
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        // Goes only if it is empty.
        let _ = std::fs::remove_dir(self.0.parent().expect("a directory"));
    }
}

#[test]
fn debug_file_known_by_its_build_id() {
    const BUILD_ID: &str = "6772697665742773207465737473";
    let with_id = |id: &str| Program::c_with("spawn/two_tasks", &[&format!("-Wl,--build-id=0x{id}")]);
    let original = with_id(BUILD_ID);
    let copy = stripped(original.path(), "spawn-build-id");
    let installed = Installed::by_build_id(BUILD_ID);
    let unknown = || refused(Program::command(&copy), "GRIVET_SPAWN", "blocking_task");
    assert_mentions(&unknown(), &["stripped"]);
    installed.symbols_of(original.path());
    side_by_side(Program::command(&copy), "blocking_task", 2);
    // A file under the right name with another build's symbols is not believed.
    installed.symbols_of(with_id("6772697665742773206f74686572").path());
    assert_mentions(&unknown(), &["stripped"]);
}

#[test]
fn clone_with_a_constant_argument() {
    let program = Program::c("spawn/constant_argument");
    address(program.path(), "fetch.constprop.0");
    side_by_side(program, "fetch", 3);
    side_by_side(Program::c("spawn/constant_argument"), "fetch.constprop.0", 3);
}

#[test]
fn names_of_cpp() {
    const OF_STRING: &str =
        "app::fetch(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&)";
    for (rule, called) in [
        ("app::fetch(int)", "fetch(int)"),
        ("fetch(int)", "fetch(int)"),
        ("_ZN3app5fetchEi", "fetch(int)"),
        (OF_STRING, "fetch(string)"),
        ("Client::load", "load"),
        ("app::Client::load(int) const", "load"),
        ("convert", "convert"),
        ("app::convert<long>", "convert"),
        ("other::store", "other::store"),
        ("store", "store"),
    ] {
        side_by_side(Program::cpp("spawn/names").arg(called), rule, 2);
    }
    let report = refused(Program::cpp("spawn/names").arg("fetch(int)"), "GRIVET_SPAWN", "app::fetch");
    assert_mentions(&report, &["GRIVET_SPAWN=app::fetch: ", "2 functions", "app::fetch(int)", OF_STRING]);
}

#[test]
fn names_of_rust() {
    // The crate's own name, which comes first, is that of the compiled file, with a number in it.
    for (rule, called) in
        [("app::fetch", "fetch"), ("fetch", "fetch"), ("Client::load", "load"), ("Client::store", "store")]
    {
        side_by_side(Program::rust("spawn/names").arg(called), rule, 2);
    }
}

#[test]
fn function_of_a_library() {
    let library = compile(Language::CLibrary, "spawn/fetch_library", &[]);
    let object = library.file_name().expect("a file").to_string_lossy().into_owned();
    let program = || Program::c_with("spawn/library_call", &[library.to_str().expect("UTF-8")]);
    side_by_side(program(), &format!("{object}:fetch"), 5);
    side_by_side(program(), "fetch", 5);
    let report = refused(program(), "GRIVET_SPAWN", "libnone.so:fetch");
    assert_mentions(&report, &["libnone.so", &object, "libc.so.6"]);
}

#[test]
fn function_of_the_c_library() {
    let run = Program::c("spawn/result_used_at_once").env("GRIVET_SPAWN", "libc.so.6:nanosleep").well_under_grivet();
    assert_eq!((run.stdout.as_str(), run.threads_made()), ("total 60\n", 3), "{run:#?}");
}

/// Runs PROGRAM, which makes no threads, with a VARIABLE that is refused: it runs as natively, after one line, which is
/// returned.
fn refused(program: Program, variable: &str, value: &str) -> String {
    let program = program.env(variable, value);
    let (native, green) = (program.natively(), program.under_grivet());
    assert_eq!((green.end, &green.stdout), (native.end, &native.stdout), "{variable}={value}: {green:#?}");
    let [report] = &green.reports[..] else { panic!("{variable}={value}: one line expected: {green:#?}") };
    assert!(report.ends_with("; running natively"), "{report}");
    report.clone()
}

#[test]
fn rules_that_mean_nothing_are_refused() {
    let same_names = || {
        let second = grivet_tests::programs_directory().join("spawn/same_name_2.c");
        Program::c_with("spawn/same_name_1", &[second.to_str().expect("UTF-8")])
    };
    for (rule, words) in [
        ("taks", &["GRIVET_SPAWN=taks: no function `taks`"][..]),
        ("second_fil", &["no function", "nearest: ", "second_file"]),
        ("task", &["GRIVET_SPAWN=task: ", "2 functions", "same_name_1.c", "same_name_2.c"]),
        ("inlined_task", &["inlined", "calls it"]),
        ("second_file,taks", &["GRIVET_SPAWN=taks: "]),
        ("task=many", &["many", "allowed: "]),
        ("task=99999999999999999999", &["not a value"]),
        ("=1", &["names no function"]),
    ] {
        assert_mentions(&refused(same_names(), "GRIVET_SPAWN", rule), words);
    }
    let lone_return = Program::c("spawn/entries").arg("lone_return");
    assert_mentions(&refused(lone_return, "GRIVET_SPAWN", "lone_return"), &["lone_return: ", "too short"]);
    assert_mentions(&refused(same_names(), "GRIVET_JOIN", "second_file"), &["GRIVET_SPAWN"]);
    for (variable, value) in
        [("GRIVET_LIMIT", "0"), ("GRIVET_LIMIT", "few"), ("GRIVET_SPAWN_STACK", "1"), ("GRIVET_PROGRESS", "yes")]
    {
        let report = refused(same_names().env("GRIVET_SPAWN", "second_file"), variable, value);
        assert_mentions(&report, &[&format!("grivet: {variable}={value}: "), "allowed: "]);
    }
    let report = refused(same_names().env("GRIVET_SPAWN", "second_file"), "GRIVET_JOIN", "taks");
    assert_mentions(&report, &["GRIVET_JOIN=taks: "]);
}

#[test]
fn names_of_grivet_are_nobodys() {
    let report = refused(Program::c("spawn/two_tasks"), "GRIVET_SPAWN", "named_task");
    assert!(!report.contains("grivet::"), "{report}");
    let report = refused(Program::c("spawn/two_tasks"), "GRIVET_SPAWN", "overflow::report");
    assert_mentions(&report, &["no function"]);
}
