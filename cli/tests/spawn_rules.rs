//! `grivet run --spawn` and `grivet check --spawn`: rules are looked up before the program starts, and what its callers do is
//! told. What happens to the calls is the library's, and not tested here.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{Workshop, refusal_line, stdout};

/// Functions to name in rules; the program prints GRIVET's variables.
const PROGRAM: &str = r#"
    #include <stdio.h>
    #include <string.h>
    extern char **environ;
    __attribute__((noipa)) void fetch(const char *name) { if (!*name) puts("nameless"); }
    __attribute__((noipa)) void report(void) { fflush(stdout); }
    __attribute__((noipa)) double ratio(double of) { return of / 3; }
    __attribute__((always_inline)) static inline int folded(int number) { return number * 5 + 3; }
    asm(".globl tiny\n.type tiny, @function\n.p2align 4\n"
        "tiny: .cfi_startproc\nret\n.cfi_endproc\n.size tiny, . - tiny\n"
        "behind_tiny: .cfi_startproc\n.rept 300\nnop\n.endr\nret\n.cfi_endproc\n.size behind_tiny, . - behind_tiny\n"
        ".globl kernel\n.type kernel, @function\n"
        "kernel: .cfi_startproc\nmov $35, %eax\nsyscall\nret\n.cfi_endproc\n.size kernel, . - kernel\n");
    int main(int count, char **arguments) {
        fetch(arguments[0]);
        report();
        for (char **entry = environ; *entry; entry++)
            if (!strncmp(*entry, "GRIVET_", 7) && strncmp(*entry, "GRIVET_LIB=", 11))
                puts(*entry);
        return ratio(count) > 1e9 ? folded(count) : 0;
    }"#;

fn program(workshop: &Workshop) -> std::path::PathBuf {
    workshop.compile("program", PROGRAM, &["-g", "-O1"])
}

fn run(workshop: &Workshop, options: &[&str], program: &Path) -> Output {
    workshop.grivet().arg("run").args(options).arg(program).output().expect("grivet runs")
}

fn check(workshop: &Workshop, rule: &str, program: &Path) -> (Option<i32>, String) {
    let output = workshop.grivet().args(["check", "--spawn", rule]).arg(program).output().expect("grivet runs");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), stdout(&output))
}

fn warnings(report: &str) -> Vec<&str> {
    report.lines().filter(|line| line.starts_with("  warning:")).collect()
}

#[test]
fn options_set_the_librarys_variables() {
    let workshop = Workshop::new();
    let options = ["--spawn=fetch=-1", "--spawn", "ratio=1.5", "--join=report", "--join=fflush", "--limit=100"];
    let options = [&options[..], &["--spawn-stack", "128K", "--progress"]].concat();
    let output = run(&workshop, &options, &program(&workshop));
    let printed = stdout(&output);
    let mut variables: Vec<&str> = printed.lines().collect();
    variables.sort_unstable();
    assert_eq!(
        variables,
        [
            "GRIVET_JOIN=report,fflush",
            "GRIVET_LIMIT=100",
            "GRIVET_PROGRESS=1",
            "GRIVET_SPAWN=fetch=-1,ratio=1.5",
            "GRIVET_SPAWN_STACK=128K",
        ]
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_rule_that_cannot_be_put_in_force_is_refused_and_the_program_not_started() {
    let workshop = Workshop::new();
    let program = program(&workshop);
    for (options, words) in [
        (&["--spawn", "fetsh"][..], &["--spawn fetsh: ", "no function", "fetch"][..]),
        (&["--spawn", "fetch,reprot"], &["--spawn reprot: ", "nearest: report"]),
        (&["--spawn", "fetch", "--join", "reprot"], &["--join reprot: ", "nearest: report"]),
        (&["--spawn", "folded"], &["inlined"]),
        (&["--spawn", "tiny"], &["tiny cannot be rewritten", "too short"]),
        (&["--spawn", "kernel"], &["kernel cannot be rewritten", "system call"]),
        (&["--spawn", "0x1"], &["0x1"]),
        (&["--spawn", "environ"], &["is a variable"]),
        (&["--spawn", "libnone.so:fetch"], &["libnone.so", "libc.so.6"]),
        (&["--spawn", "fetch", "--join", "fetch"], &["--join fetch: ", "--spawn fetch"]),
    ] {
        let line = refusal_line(&run(&workshop, options, &program), 118);
        assert!(line.contains(program.to_str().expect("UTF-8")), "{line}");
        for word in words {
            assert!(line.contains(word), "{word} is not in: {line}");
        }
    }
}

#[test]
fn go_code_is_left_alone() {
    // The note by which Go's toolchain marks its programs, here with an identifier of four bytes.
    const NOTE: &str =
        r#"asm(".section .note.go.buildid, \"a\", @note\n.long 4, 4, 4\n.ascii \"Go\\0\\0abcd\"\n.text");"#;
    let workshop = Workshop::new();
    let program = workshop.compile("gopher", &format!("{NOTE}{PROGRAM}"), &["-O1"]);
    let line = refusal_line(&run(&workshop, &["--spawn", "fetch"], &program), 118);
    assert!(line.contains("gopher is Go code"), "{line}");
    assert_eq!(check(&workshop, "fetch", &program).0, Some(2));
}

#[test]
fn several_functions_of_a_name_are_refused_until_one_is_meant() {
    let workshop = Workshop::new();
    let source = |first: &str, last: &str| {
        format!(
            "int {first}(void) asm(\"_ZN1a5fetchEv\"); int {first}(void) {{ return 1; }}\n\
             int {last}(void) asm(\"_ZN1b5fetchEv\"); int {last}(void) {{ return 2; }}\n\
             int main(void) {{ return {first}() + {last}() == 3 ? 0 : 1; }}"
        )
    };
    let program = workshop.compile("two", &source("one", "other"), &["-O0"]);
    let line = refusal_line(&run(&workshop, &["--spawn", "fetch"], &program), 118);
    assert!(line.contains("2 functions") && line.contains("a::fetch()") && line.contains("b::fetch()"), "{line}");
    assert_eq!(run(&workshop, &["--spawn", "b::fetch"], &program).status.code(), Some(0));
    let (status, report) = check(&workshop, "b::fetch", &program);
    assert_eq!(status, Some(0), "{report}");
    assert!(report.contains("function:  b::fetch(), "), "{report}");
}

#[test]
fn a_scripts_interpreter_is_searched() {
    let workshop = Workshop::new();
    let program = program(&workshop);
    let script = workshop.file("script", format!("#!{}\n", program.display()).as_bytes(), 0o755);
    assert_eq!(stdout(&run(&workshop, &["--spawn", "fetch"], &script)), "GRIVET_SPAWN=fetch\n");
    let line = refusal_line(&run(&workshop, &["--spawn", "fetsh"], &script), 118);
    assert!(line.contains(program.to_str().expect("UTF-8")), "{line}");
}

#[test]
fn a_stripped_program_is_searched_with_its_debug_file_or_by_address() {
    let workshop = Workshop::new();
    let program = program(&workshop);
    let (_, report) = check(&workshop, "fetch", &program);
    let address = report.lines().find_map(|line| line.split_once(" at ")?.1.split_once(" of ")).expect("an address").0;

    let tool = |arguments: &[&str]| {
        let done = Command::new(arguments[0]).args(&arguments[1..]).current_dir(workshop.path("")).status();
        assert!(done.expect("binutils are installed").success(), "{arguments:?}");
    };
    tool(&["objcopy", "--only-keep-debug", "program", "program.debug"]);
    tool(&["objcopy", "--strip-all", "--add-gnu-debuglink=program.debug", "program", "linked"]);
    let linked = workshop.path("linked");
    assert_eq!(stdout(&run(&workshop, &["--spawn", "fetch"], &linked)), "GRIVET_SPAWN=fetch\n");

    std::fs::remove_file(workshop.path("program.debug")).expect("removed");
    let line = refusal_line(&run(&workshop, &["--spawn", "fetch"], &linked), 118);
    assert!(line.contains("stripped"), "{line}");
    assert_eq!(run(&workshop, &["--spawn", address], &linked).status.code(), Some(0));
}

#[test]
fn functions_that_cannot_be_caught_are_reported_so() {
    let workshop = Workshop::new();
    let program = program(&workshop);
    for (rule, words) in [("fetsh", "no function `fetsh`; nearest: fetch"), ("tiny", "too short")] {
        let (status, report) = check(&workshop, rule, &program);
        assert_eq!(status, Some(2), "{report}");
        assert!(report.contains(words) && report.contains("exit status 118"), "{report}");
    }
    let output = workshop.grivet().args(["check", "--spawn", "f"]).arg(workshop.library()).output();
    assert_eq!(output.expect("grivet runs").status.code(), Some(2));
}

/// A library's function, and a program that calls it in ways that warnings are about.
fn callers(workshop: &Workshop, linking: &[&str]) -> std::path::PathBuf {
    let library = "int fetch(const char *name, char *into) { into[0] = name[0]; return 1; }\n\
                   int again(const char *name, char *into) { fetch(name, into); return 0; }";
    let library = workshop.compile("libfetch.so", library, &["-O1", "-shared", "-fPIC", "-Wl,-soname,libfetch.so"]);
    let source = r#"
        int fetch(const char *, char *);
        static char kept[64];
        static int sum;
        void ignores(void) { fetch("a", kept); sum = 0; }
        void uses(void) { sum += fetch("b", kept); }
        void lends(void) { char here[64]; fetch("c", here); sum = here[0]; }
        int main(void) { ignores(); uses(); lends(); return 0; }"#;
    let path = format!("-Wl,-rpath,{}", workshop.path("").display());
    let options = [&["-O1", "-fno-inline", library.to_str().expect("UTF-8"), &path], linking].concat();
    workshop.compile("callers", source, &options)
}

#[test]
fn callers_in_other_objects_are_warned_of() {
    let workshop = Workshop::new();
    for linking in [&[][..], &["-fno-plt"], &["-no-pie", "-Wl,-z,lazy"], &["-fcf-protection"]] {
        let program = callers(&workshop, linking);
        let (status, report) = check(&workshop, "libfetch.so:fetch", &program);
        assert_eq!(status, Some(0), "{report}");
        assert!(report.contains("libfetch.so\n") && report.contains("can be rewritten"), "{report}");
        let [uses, lends] = warnings(&report)[..] else { panic!("two warnings expected: {report}") };
        assert!(uses.contains("(uses+0x") && uses.contains("result is used"), "{linking:?}: {report}");
        assert!(lends.contains("(lends+0x") && lends.contains("second argument"), "{linking:?}: {report}");
        assert_eq!(run(&workshop, &["--spawn", "libfetch.so:fetch"], &program).status.code(), Some(0));
    }
}

#[test]
fn the_value_of_the_rule_is_in_the_warning() {
    let workshop = Workshop::new();
    let program = callers(&workshop, &[]);
    for (rule, value) in [("fetch", "give 0"), ("fetch=-1", "give -1"), ("fetch=2.0", "give 2.0")] {
        let (_, report) = check(&workshop, rule, &program);
        assert!(warnings(&report)[0].ends_with(value), "{report}");
    }
}

#[test]
fn calls_without_dangers_are_not_warned_of_and_many_warnings_are_counted() {
    let workshop = Workshop::new();
    let (status, report) = check(&workshop, "report", &program(&workshop));
    assert_eq!(status, Some(0), "{report}");
    assert!(warnings(&report).is_empty() && report.contains("works: "), "{report}");

    let calls = "sum += fetch(sum);".repeat(25);
    let source = format!(
        "static volatile int sum; __attribute__((noipa)) int fetch(int number) {{ return number * 3; }}\n\
         int main(void) {{ {calls} return 0; }}"
    );
    let (_, report) = check(&workshop, "fetch", &workshop.compile("many", &source, &["-O1"]));
    assert_eq!(warnings(&report).len(), 10, "{report}");
    assert!(report.contains("and 15 more warnings"), "{report}");
}

#[test]
fn that_no_call_was_seen_is_said() {
    let workshop = Workshop::new();
    let source = "__attribute__((noipa)) int fetch(int number) { return number * 3 + (number ^ 5) / 7; }\n\
                  int (*volatile pointer)(int) = fetch; int main(void) { return pointer(0); }";
    let (status, report) = check(&workshop, "fetch", &workshop.compile("pointer", source, &["-O1"]));
    assert_eq!(status, Some(0), "{report}");
    assert!(report.contains("no direct call was seen"), "{report}");
    let (_, report) = check(&workshop, "report", &program(&workshop));
    assert!(!report.contains("no direct call was seen"), "{report}");
}
