//! `grivet check`, the man pages and the completions.

mod common;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Output;

use common::{Workshop, stdout};
use nix::libc;

const THREADS: &str = r#"
    #include <pthread.h>
    static void *nothing(void *argument) { return argument; }
    int main(void) { pthread_t thread; return pthread_create(&thread, 0, nothing, 0); }"#;

fn check(workshop: &Workshop, arguments: &[&str]) -> Output {
    workshop.grivet().arg("check").args(arguments).output().expect("grivet runs")
}

fn check_file(workshop: &Workshop, path: &Path) -> (Option<i32>, String) {
    let output = check(workshop, &[path.to_str().expect("UTF-8")]);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), stdout(&output))
}

#[test]
fn a_program_with_threads_will_work() {
    let workshop = Workshop::new();
    let (status, report) = check_file(&workshop, &workshop.compile("threads", THREADS, &[]));
    assert_eq!(status, Some(0), "{report}");
    assert!(report.contains("pthread_create or thrd_create is imported by threads"), "{report}");
    assert!(report.contains("glibc 2."), "{report}");
}

#[test]
fn threads_made_by_a_library_count() {
    let workshop = Workshop::new();
    let library = workshop.compile(
        "libmaker.so",
        &THREADS.replace("main", "make"),
        &["-shared", "-fPIC", "-Wl,-soname,libmaker.so"],
    );
    let directory = format!("-Wl,-rpath,{}", workshop.path("").display());
    let program = workshop.compile(
        "user",
        "int make(void); int main(void) { return make(); }",
        &[library.to_str().expect("UTF-8"), &directory],
    );
    let (status, report) = check_file(&workshop, &program);
    assert_eq!(status, Some(0), "{report}");
    assert!(report.contains("imported by libmaker.so"), "{report}");

    std::fs::remove_file(library).expect("removed");
    let (status, report) = check_file(&workshop, &program);
    assert_eq!(status, Some(2), "{report}");
    assert!(report.contains("libmaker.so") && report.contains("exit status 127"), "{report}");
}

#[test]
fn a_program_without_threads_is_told_so() {
    let (status, report) = check_file(&Workshop::new(), Path::new("/bin/true"));
    assert_eq!(status, Some(1), "{report}");
    assert!(report.contains("no effect: it makes no threads"), "{report}");
}

#[test]
fn a_program_that_can_load_libraries_may_make_threads_later() {
    let workshop = Workshop::new();
    let loader = workshop.compile(
        "loader",
        "#include <dlfcn.h>\nint main(int n, char **a) { return !dlopen(a[n - 1], RTLD_NOW); }",
        &[],
    );
    let (status, report) = check_file(&workshop, &loader);
    assert_eq!(status, Some(0), "{report}");
    assert!(report.contains("may load more libraries at run time"), "{report}");
}

#[test]
fn go_code_is_left_alone() {
    // The note by which Go's toolchain marks its programs, here with an identifier of four bytes.
    const NOTE: &str =
        r#"asm(".section .note.go.buildid, \"a\", @note\n.long 4, 4, 4\n.ascii \"Go\\0\\0abcd\"\n.text");"#;
    let workshop = Workshop::new();
    let program = workshop.compile("gopher", &format!("{NOTE}{BARE_CALLS}"), &[]);
    let (status, report) = check_file(&workshop, &program);
    assert_eq!(status, Some(1), "{report}");
    assert!(report.contains("no effect: a Go program"), "{report}");
    let table = stdout(&check(&workshop, &["--sites=all", program.to_str().expect("UTF-8")]));
    assert!(!table.contains("bare_"), "{table}");
}

#[test]
fn a_host_that_forbids_rewriting_is_noticed() {
    /// prctl(2): refuse from now on to make memory executable that was not; inherited through execve.
    const PR_SET_MDWE: libc::c_int = 65;
    const PR_MDWE_REFUSE_EXEC_GAIN: libc::c_ulong = 1;
    let workshop = Workshop::new();
    let program = workshop.compile("threads", THREADS, &[]);
    let mut command = workshop.grivet();
    command.arg("check").arg(&program);
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| match libc::prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0_u64, 0_u64, 0_u64) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    match command.output() {
        Ok(output) => {
            let report = stdout(&output);
            assert_eq!(output.status.code(), Some(1), "{report}");
            assert!(report.contains("cannot be made executable"), "{report}");
        }
        // Linux before 6.3 has no such prctl.
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EINVAL)),
    }
}

#[test]
fn what_run_refuses_check_refuses() {
    let workshop = Workshop::new();
    let fixed = workshop.compile("static", THREADS, &["-static"]);
    let (status, report) = check_file(&workshop, &fixed);
    assert_eq!(status, Some(2));
    assert!(report.contains("exit status 120"), "{report}");
    let (status, report) = check_file(&workshop, Path::new("no-such-program"));
    assert_eq!(status, Some(2));
    assert!(report.contains("exit status 127"), "{report}");
}

#[test]
fn scripts_are_followed() {
    let workshop = Workshop::new();
    let program = workshop.compile("threads", THREADS, &[]);
    let script = workshop.file("script", format!("#!{}\n", program.display()).as_bytes(), 0o755);
    let (status, report) = check_file(&workshop, &script);
    assert_eq!(status, Some(0), "{report}");
    assert!(report.contains(program.to_str().expect("UTF-8")), "{report}");
}

#[test]
fn neither_the_program_nor_its_libraries_are_executed() {
    let workshop = Workshop::new();
    let mark = workshop.path("mark");
    let define = format!("-DMARK=\"{}\"", mark.display());
    let start =
        "#include <fcntl.h>\n__attribute__((constructor)) static void start(void) { open(MARK, O_CREAT, 0600); }\n";
    let library = workshop.compile("libstart.so", &format!("{start} int number;"), &["-shared", "-fPIC", &define]);
    let program = workshop.compile(
        "program",
        &format!("{start} extern int number; int main(void) {{ return number; }}"),
        &[&define, library.to_str().expect("UTF-8")],
    );
    check_file(&workshop, &program);
    check_file(&workshop, &library);
    assert!(!mark.exists());
    assert!(workshop.grivet().arg("run").arg(&program).status().expect("it runs").success());
    assert!(mark.exists(), "running it leaves the mark");
}

/// Functions in assembly without unwind entries, whose system calls cannot be rewritten safely.
const BARE_CALLS: &str = r#"
    asm(".globl bare_futex\n.type bare_futex, @function\nbare_futex: mov $202, %eax\nsyscall\nret\n.size bare_futex, . - bare_futex\n"
        ".globl bare_getpid\n.type bare_getpid, @function\nbare_getpid: mov $39, %eax\nsyscall\nret\n.size bare_getpid, . - bare_getpid\n");
    int main(void) { return 0; }"#;

#[test]
fn sites_that_cannot_be_rewritten_are_listed_with_reason_and_function() {
    let workshop = Workshop::new();
    let program = workshop.compile("bare", BARE_CALLS, &[]);
    let table = stdout(&check(&workshop, &["--sites", program.to_str().expect("UTF-8")]));
    let row = table.lines().find(|line| line.contains("bare_futex+0x5")).unwrap_or_else(|| panic!("{table}"));
    assert!(row.contains("202") && row.contains("futex") && row.contains("refused: "), "{row}");
    assert!(!table.contains("bare_getpid"), "{table}");
    assert!(table.contains("sites: 2 found, 0 rewritten, 1 left to the kernel, 1 refused"), "{table}");
}

#[test]
fn all_sites_are_listed_on_request() {
    let workshop = Workshop::new();
    let program = workshop.compile("bare", BARE_CALLS, &[]);
    let table = stdout(&check(&workshop, &["--sites=all", program.to_str().expect("UTF-8")]));
    let row = |word: &str| {
        let found = table.lines().find(|line| line.contains(word));
        found.unwrap_or_else(|| panic!("no {word}")).to_owned()
    };
    assert!(row("bare_getpid+0x5").contains("left to the kernel"));
    assert!(row(" clock_nanosleep ").contains("rewritten"));
    let totals = row("all 3 objects: ");
    let found: usize =
        totals.split_whitespace().nth(3).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{totals}"));
    let rows = table.lines().filter(|line| line.starts_with("  0x")).count();
    assert_eq!(rows, found);
}

#[test]
fn the_man_pages_and_help_name_every_exit_status_and_option() {
    let workshop = Workshop::new();
    let print = |arguments: &[&str]| {
        let output = workshop.grivet().args(arguments).output().expect("grivet runs");
        assert_eq!(output.status.code(), Some(0));
        stdout(&output)
    };
    let page = print(&["man"]);
    let run_page = print(&["man", "run"]);
    let help = print(&["--help"]);
    for variable in ["GRIVET_SPAWN", "GRIVET_JOIN", "GRIVET_LIMIT", "GRIVET_SPAWN_STACK", "GRIVET_PROGRESS"] {
        assert!(run_page.matches(variable).count() >= 2, "{variable} is with its option and among the variables");
    }
    assert!(run_page.contains("EXIT STATUS") && run_page.contains("compact"), "{run_page}");
    assert!(print(&["man", "check"]).contains("sites"));
    for status in ["118", "120", "121", "122", "123", "124", "125", "126", "127"] {
        assert!(page.contains(status) && run_page.contains(status) && help.contains(status), "{status}");
    }
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let workshop = Workshop::new();
    let script = workshop.grivet().args(["completions", "bash"]).output().expect("grivet runs");
    let file = workshop.file("completions", &script.stdout, 0o644);
    let status = std::process::Command::new("bash").arg("-n").arg(file).status().expect("bash runs");
    assert!(!script.stdout.is_empty() && status.success());
}

#[test]
fn the_version_is_the_crates() {
    let output = Workshop::new().grivet().arg("--version").output().expect("grivet runs");
    assert_eq!(stdout(&output), format!("grivet {}\n", env!("CARGO_PKG_VERSION")));
}
