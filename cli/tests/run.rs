//! `grivet run`: PROGRAM runs as it would without, with the library loaded and the variables set.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use common::{Workshop, install, stdout};

fn run(workshop: &Workshop, arguments: &[&str]) -> std::process::Output {
    workshop.grivet().arg("run").args(arguments).output().expect("grivet runs")
}

#[test]
fn the_exit_status_is_the_programs() {
    let output = run(&Workshop::new(), &["sh", "-c", "exit 7"]);
    assert_eq!(output.status.code(), Some(7));
    assert!(output.stderr.is_empty());
}

#[test]
fn a_signal_that_kills_the_program_is_seen_as_such() {
    let output = run(&Workshop::new(), &["sh", "-c", "kill -TERM $$"]);
    assert_eq!(output.status.signal(), Some(15));
}

#[test]
fn no_process_stays_behind() {
    let workshop = Workshop::new();
    let child = workshop
        .grivet()
        .args(["run", "sh", "-c", "echo $$"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("grivet runs");
    let id = child.id();
    let output = child.wait_with_output().expect("output");
    assert_eq!(stdout(&output).trim(), id.to_string());
}

#[test]
fn the_library_is_loaded() {
    let workshop = Workshop::new();
    let maps = stdout(&run(&workshop, &["cat", "/proc/self/maps"]));
    assert!(maps.contains(workshop.library().to_str().expect("UTF-8")), "{maps}");
}

#[test]
fn the_library_is_loaded_into_a_scripts_interpreter() {
    let workshop = Workshop::new();
    let script = workshop.file("script", b"#!/usr/bin/env -S cat\nthe script\n", 0o755);
    let maps = stdout(&run(&workshop, &[script.to_str().expect("UTF-8"), "/proc/self/maps"]));
    assert!(maps.contains("the script") && maps.contains("libgrivet.so"), "{maps}");
}

#[test]
fn arguments_arrive_as_typed() {
    let output = run(&Workshop::new(), &["--stats", "--", "cat", "/proc/self/cmdline", "--", "-"]);
    assert_eq!(stdout(&output), "cat\0/proc/self/cmdline\0--\0-\0");
}

#[test]
fn options_set_their_variables() {
    let workshop = Workshop::new();
    let library = workshop.library();
    let output = workshop
        .grivet()
        .args(["run", "--stack", "256K", "--stats", "--compact", "env", "-0"])
        .env_clear()
        .env("GRIVET_LIB", &library)
        .env("PATH", "/bin:/usr/bin")
        .env("ODD", "a=b\nc")
        .output()
        .expect("grivet runs");
    let environment = stdout(&output);
    let mut entries: Vec<_> = environment.split_terminator('\0').collect();
    entries.sort_unstable();
    let preload = format!("LD_PRELOAD={}", library.display());
    let path = format!("GRIVET_LIB={}", library.display());
    assert_eq!(
        entries,
        [
            "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=0:glibc.rtld.nns=1",
            &path,
            "GRIVET_STACK=256K",
            "GRIVET_STATS=table",
            &preload,
            "ODD=a=b\nc",
            "PATH=/bin:/usr/bin",
        ]
    );
}

/// What `prelude` leaves to a program started with and without `grivet run`: its open files and ignored and blocked signals.
fn inherited(workshop: &Workshop, prelude: &str, starter: &str) -> String {
    let script = format!("{prelude}; exec {starter} \"$0\"");
    let reporter = workshop.compile(
        "reporter",
        r#"
        #include <fcntl.h>
        #include <signal.h>
        #include <stdio.h>
        int main(void) {
            struct sigaction action;
            sigset_t mask;
            char line[256];
            int length = 0;
            for (int fd = 0; fd < 10; fd++)
                length += sprintf(line + length, "%d ", fcntl(fd, F_GETFD));
            sigprocmask(SIG_BLOCK, NULL, &mask);
            for (int number = 1; number < 32; number++) {
                sigaction(number, NULL, &action);
                length += sprintf(line + length, "%d%d", action.sa_handler == SIG_IGN, sigismember(&mask, number));
            }
            FILE *file = fopen(REPORT, "w");
            fputs(line, file);
            return fclose(file);
        }"#,
        &[&format!("-DREPORT=\"{}\"", workshop.path("report").display())],
    );
    let status = Command::new("bash")
        .args(["-c", &script])
        .arg(reporter)
        .env("GRIVET_LIB", workshop.library())
        .status()
        .expect("bash runs");
    assert!(status.success());
    std::fs::read_to_string(workshop.path("report")).expect("a report")
}

#[test]
fn open_files_and_signals_are_inherited_unchanged() {
    let workshop = Workshop::new();
    let grivet = format!("'{}' run", env!("CARGO_BIN_EXE_grivet"));
    let mut seen = Vec::new();
    for prelude in [":", "trap '' PIPE INT", "exec 0<&- 5</dev/null", "exec 0<&- 1>&- 2>&-"] {
        let native = inherited(&workshop, prelude, "");
        assert_eq!(inherited(&workshop, prelude, &grivet), native, "{prelude}");
        seen.push(native);
    }
    seen.dedup();
    assert_eq!(seen.len(), 4, "the report tells the cases apart");
}

#[test]
fn the_library_is_found_beside_the_command_and_in_lib() {
    let workshop = Workshop::new();
    for (command, library) in [("a/grivet", "a/libgrivet.so"), ("b/bin/grivet", "b/lib/libgrivet.so")] {
        let (command, library) = (workshop.path(command), workshop.path(library));
        for path in [&command, &library] {
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("directory made");
        }
        install(Path::new(env!("CARGO_BIN_EXE_grivet")), &command, 0o755);
        std::fs::copy(workshop.library(), &library).expect("copied");
        let output = workshop
            .command(&command)
            .env_remove("GRIVET_LIB")
            .args(["run", "sh", "-c", "echo $LD_PRELOAD"])
            .output()
            .expect("grivet runs");
        assert_eq!(stdout(&output).trim(), library.to_str().expect("UTF-8"));
    }
}
