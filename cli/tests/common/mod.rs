//! What the tests of the `grivet` command share: a directory of their own, programs made on the spot, and the command run on them.
//!
//! The library that the tests load is an empty one: here only the command is tested, not what libgrivet.so does.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory with an empty libgrivet.so, removed at the end.
pub struct Workshop {
    directory: TempDir,
}

impl Workshop {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("grivet-cli-")
            // Others must reach it: some tests run grivet as another user.
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .expect("a directory for the test");
        let workshop = Self { directory };
        workshop.compile("libgrivet.so", "int nothing;", &["-shared", "-fPIC"]);
        workshop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn library(&self) -> PathBuf {
        self.path("libgrivet.so")
    }

    /// Compiles C `source` to `name`.
    pub fn compile(&self, name: &str, source: &str, options: &[&str]) -> PathBuf {
        let source_path = self.file(&format!("{name}.c"), source.as_bytes(), 0o644);
        let path = self.path(name);
        let output =
            Command::new("cc").arg("-o").args([&path, &source_path]).args(options).output().expect("cc can be run");
        assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        path
    }

    pub fn file(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.path(name);
        let draft = self.path(&format!("{name}.draft"));
        fs::write(&draft, bytes).expect("written");
        install(&draft, &path, mode);
        path
    }

    /// A copy of /bin/true with some bytes of its ELF header replaced.
    pub fn altered_true(&self, name: &str, changes: &[(usize, u8)]) -> PathBuf {
        let mut bytes = fs::read("/bin/true").expect("/bin/true");
        for &(offset, byte) in changes {
            bytes[offset] = byte;
        }
        self.file(name, &bytes, 0o755)
    }

    /// The command `grivet`, with no GRIVET variables but the library's path.
    pub fn grivet(&self) -> Command {
        self.command(Path::new(env!("CARGO_BIN_EXE_grivet")))
    }

    pub fn command(&self, grivet: &Path) -> Command {
        let mut command = Command::new(grivet);
        for variable in [
            "GRIVET",
            "GRIVET_STACK",
            "GRIVET_STATS",
            "GRIVET_SPAWN",
            "GRIVET_JOIN",
            "GRIVET_LIMIT",
            "GRIVET_SPAWN_STACK",
            "GRIVET_PROGRESS",
            "LD_PRELOAD",
            "GLIBC_TUNABLES",
        ] {
            command.env_remove(variable);
        }
        command.env("GRIVET_LIB", self.library()).stdin(Stdio::null());
        command
    }

    /// `grivet run PROGRAM` is expected to refuse: exit `status`, nothing on stdout, one line on stderr, which is returned.
    pub fn refusal(&self, program: &Path, status: i32) -> String {
        let output = self.grivet().arg("run").arg(program).output().expect("grivet runs");
        refusal_line(&output, status)
    }
}

pub fn refusal_line(output: &Output, status: i32) -> String {
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{line}");
    assert!(output.stdout.is_empty());
    assert!(line.starts_with("grivet: "), "{line}");
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    line
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Copies a file in a process of its own. If this process had it open for writing, a child that another test starts meanwhile
/// could hold it open for a moment longer, and executing it would fail with ETXTBSY.
pub fn install(from: &Path, to: &Path, mode: u32) {
    let status = Command::new("install").arg(format!("--mode={mode:o}")).args([from, to]).status();
    assert!(status.expect("install can be run").success(), "{} cannot be copied", from.display());
}
