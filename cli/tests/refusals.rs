//! `grivet run` on what it cannot help: one line that names the program, and an exit status for each cause.

mod common;

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use common::{Workshop, install, refusal_line, stdout};
use nix::libc;

/// Exits 0 if the kernel asked for secure execution.
const SECURE: &str = "#include <sys/auxv.h>\nint main(void) { return !getauxval(AT_SECURE); }";
const EMPTY: &str = "int main(void) { return 0; }";

#[test]
fn missing_programs() {
    let workshop = Workshop::new();
    assert!(workshop.refusal(Path::new("no-such-program"), 127).contains("no-such-program"));
    workshop.refusal(&workshop.path("absent"), 127);
    workshop.refusal(Path::new(""), 127);
}

#[test]
fn files_that_cannot_be_executed() {
    let workshop = Workshop::new();
    let plain = workshop.file("plain", b"#!/bin/sh\n", 0o644);
    workshop.refusal(&plain, 126);
    workshop.refusal(Path::new("/"), 126);
    let output = workshop.grivet().args(["run", "plain"]).env("PATH", plain.parent().expect("a directory")).output();
    refusal_line(&output.expect("grivet runs"), 126);
}

#[test]
fn an_executable_later_in_path_wins_over_another_file() {
    let workshop = Workshop::new();
    workshop.file("true", b"", 0o644);
    let path = format!("{}:/bin", workshop.path("").display());
    let output = workshop.grivet().args(["run", "true"]).env("PATH", path).output().expect("grivet runs");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn static_programs() {
    let workshop = Workshop::new();
    for (name, option) in [("static", "-static"), ("static-pie", "-static-pie")] {
        let line = workshop.refusal(&workshop.compile(name, EMPTY, &[option]), 120);
        assert!(line.contains(name), "{line}");
    }
}

#[test]
fn other_machines() {
    const CLASS: usize = 4;
    const MACHINE: usize = 18;
    let workshop = Workshop::new();
    for (name, changes, word) in [
        ("i386", &[(CLASS, 1), (MACHINE, 3)][..], "32-bit x86"),
        ("x32", &[(CLASS, 1)], "x32"),
        ("arm64", &[(MACHINE, 183)], "ARM"),
    ] {
        let line = workshop.refusal(&workshop.altered_true(name, changes), 122);
        assert!(line.contains(word), "{line}");
    }
}

#[test]
fn other_c_libraries() {
    let workshop = Workshop::new();
    let musl = workshop.compile("musl", EMPTY, &["-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"]);
    assert!(workshop.refusal(&musl, 123).contains("ld-musl"));
    let lost = workshop.compile("lost", EMPTY, &["-Wl,--dynamic-linker=/absent/ld-linux-x86-64.so.2"]);
    workshop.refusal(&lost, 127);
}

#[test]
fn neither_elf_nor_script() {
    let workshop = Workshop::new();
    for (name, bytes) in [("empty", &b""[..]), ("text", b"echo\n"), ("torn", b"\x7fELF\x02\x01\x01"), ("bare", b"#!\n")]
    {
        workshop.refusal(&workshop.file(name, bytes, 0o755), 124);
    }
    workshop.refusal(&workshop.library(), 124);
}

#[test]
fn scripts_are_judged_by_their_interpreters() {
    let workshop = Workshop::new();
    let fixed = workshop.compile("static", EMPTY, &["-static"]);
    let script = |name: &str, line: String| workshop.file(name, line.as_bytes(), 0o755);
    let inner = script("inner", format!("#!{}\n", fixed.display()));
    workshop.refusal(&script("outer", format!("#!{}\n", inner.display())), 120);
    workshop.refusal(&script("env", format!("#!/usr/bin/env {}\n", fixed.display())), 120);
    let windows = workshop.refusal(&script("windows", "#!/bin/sh\r\n".to_owned()), 127);
    assert!(windows.contains("/bin/sh\\r"), "{windows}");
    let circle = workshop.path("circle");
    workshop.refusal(&script("circle", format!("#!{}\n", circle.display())), 124);
}

#[test]
fn a_missing_or_unfit_library() {
    let workshop = Workshop::new();
    let fixed = workshop.compile("static", EMPTY, &["-static"]);
    std::fs::copy(workshop.library(), workshop.path("a b.so")).expect("copied");
    for library in [workshop.path("absent.so"), fixed, workshop.path("a b.so")] {
        let output = workshop.grivet().args(["run", "true"]).env("GRIVET_LIB", &library).output().expect("grivet runs");
        let line = refusal_line(&output, 125);
        assert!(line.contains(library.to_str().expect("UTF-8")), "{line}");
    }
    std::fs::create_dir(workshop.path("bin")).expect("directory made");
    let alone = workshop.path("bin/grivet");
    install(Path::new(env!("CARGO_BIN_EXE_grivet")), &alone, 0o755);
    let output = workshop.command(&alone).args(["run", "true"]).env_remove("GRIVET_LIB").output();
    refusal_line(&output.expect("grivet runs"), 125);
}

#[test]
fn wrong_usage() {
    let workshop = Workshop::new();
    for arguments in [
        &[][..],
        &["run"],
        &["run", "--stack", "12Q", "true"],
        &["run", "--stack", "63K", "true"],
        &["run", "--unknown", "true"],
        &["run", "--spawn", "true"],
        &["run", "--spawn", "f=x", "true"],
        &["run", "--spawn", "f,", "true"],
        &["run", "--spawn", "", "true"],
        &["run", "--join", "f", "true"],
        &["run", "--spawn", "f", "--join", "g=1", "true"],
        &["run", "--spawn", "f", "--limit", "0", "true"],
        &["run", "--spawn", "f", "--limit", "1000001", "true"],
        &["run", "--spawn", "f", "--spawn-stack", "1K", "true"],
        &["run", "--limit", "2", "true"],
        &["run", "--spawn-stack", "64K", "true"],
        &["run", "--progress", "true"],
        &["check", "--sites", "--spawn", "f", "true"],
        &["walk"],
        &["check"],
        &["check", "--sites=some", "true"],
        &["man", "walk"],
    ] {
        let output = workshop.grivet().args(arguments).output().expect("grivet runs");
        refusal_line(&output, 2);
    }
}

/// Setting ids and capabilities takes root; without it a system's own setuid program serves.
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn with_mode(path: &Path, owner: u32, group: u32, mode: u32) {
    chown(path, Some(owner), Some(group)).expect("owner changed");
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode changed");
}

#[test]
fn setuid_and_setgid_programs_are_refused_exactly_if_the_kernel_secures_them() {
    let workshop = Workshop::new();
    if !is_root() {
        workshop.refusal(Path::new("su"), 121);
        return;
    }
    let program = workshop.compile("secure", SECURE, &[]);
    let mut refused = 0;
    for (owner, group, mode) in
        [(1, 0, 0o4755), (0, 0, 0o6755), (0, 1, 0o2755), (0, 1, 0o2745), (0, 0, 0o755), (1, 1, 0o755)]
    {
        with_mode(&program, owner, group, mode);
        let secured = Command::new(&program).status().expect("it runs").success();
        if secured {
            refused += 1;
            workshop.refusal(&program, 121);
        } else {
            let output = workshop.grivet().arg("run").arg(&program).output().expect("grivet runs");
            assert_eq!(output.status.code(), Some(1), "{owner}:{group} {mode:o}");
        }
    }
    assert_eq!(refused, 2);
}

#[test]
fn programs_with_file_capabilities_are_refused_for_others_than_root() {
    const NOBODY: u32 = 65534;
    let workshop = Workshop::new();
    if !is_root() {
        return;
    }
    let program = workshop.compile("capable", SECURE, &[]);
    let grivet = workshop.path("grivet");
    install(Path::new(env!("CARGO_BIN_EXE_grivet")), &grivet, 0o755);
    // struct vfs_cap_data, revision 2: flags, then permitted and inheritable, low and high words.
    const EFFECTIVE_NET_RAW: [u32; 5] = [0x0200_0001, 1 << 13, 0, 0, 0];
    let value: Vec<u8> = EFFECTIVE_NET_RAW.iter().flat_map(|word| word.to_le_bytes()).collect();
    let path = std::ffi::CString::new(program.to_str().expect("UTF-8")).expect("no NUL");
    // SAFETY: the strings end in NUL, and `value` is as long as stated.
    let outcome = unsafe {
        libc::setxattr(path.as_ptr(), c"security.capability".as_ptr(), value.as_ptr().cast(), value.len(), 0)
    };
    assert_eq!(outcome, 0, "{}", std::io::Error::last_os_error());

    let as_nobody = |mut command: Command| command.uid(NOBODY).gid(NOBODY).output().expect("it runs");
    assert_eq!(as_nobody(Command::new(&program)).status.code(), Some(0), "the kernel secures it");
    let mut command = workshop.command(&grivet);
    command.arg("run").arg(&program);
    assert!(refusal_line(&as_nobody(command), 121).contains("capabilities"));
    // For root they change nothing.
    let output = workshop.grivet().arg("run").arg(&program).output().expect("grivet runs");
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
}
