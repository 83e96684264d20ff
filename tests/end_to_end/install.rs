//! scripts/install: what it puts works from where it was put, in shells, in man and in gdb, and goes away again to the last
//! folder.

use grivet_tests::{Language, Program, compile, target_directory};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of this test's own, which goes away with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = target_directory().join("tests-programs").join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder.canonicalize().expect("its path"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The installing script, so that it builds nothing.
fn script() -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("scripts/install");
    let mut command = Command::new(script);
    command.arg("--no-build").env("CARGO_TARGET_DIR", target_directory()).env_remove("DESTDIR");
    command
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// What the command prints, which must do well and have nothing to complain of.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success() && output.stderr.is_empty(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn refused(command: &mut Command, reason: &str) {
    let output = run(command);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{message}");
    assert!(message.starts_with("scripts/install: ") && message.contains(reason), "{message}");
}

/// All files below FOLDER, and folders that hold nothing, by their paths below it, in order.
fn files(folder: &Path) -> Vec<String> {
    let list = output(Command::new("find").arg(folder).args([
        "-mindepth",
        "1",
        "(",
        "-type",
        "f",
        "-o",
        "-empty",
        ")",
        "-printf",
        "%P\\n",
    ]));
    let mut list: Vec<String> = list.lines().map(str::to_owned).collect();
    list.sort_unstable();
    list
}

#[test]
fn what_is_installed_works_and_goes_away_again() {
    let folder = Folder::new("installed");
    fs::create_dir_all(folder.path("share/doc/other")).expect("a folder");
    fs::write(folder.path("share/doc/other/notes"), "another's\n").expect("a file");
    let before = files(&folder.0);
    output(script().arg(&folder.0));
    // Once more, over itself.
    output(script().arg(&folder.0));

    let grivet = folder.path("bin/grivet");
    let program = compile(Language::C, "loading/threads_asleep", &[]);
    let ran = run(Command::new(&grivet).args(["run", "--stats", "--"]).arg(program).arg("5").env_remove("GRIVET_LIB"));
    let stats = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "5 threads\n", "{stats}");
    assert!(stats.contains("threads=5"), "{stats}");

    let python = grivet_tests::programs_directory().join("languages/threads_and_locks.py");
    let interpreter = Program::python("languages/threads_and_locks.py").path().to_path_buf();
    let command = [OsStr::new("run"), OsStr::new("--stats"), OsStr::new("--"), interpreter.as_os_str()];
    let ran = run(Command::new(&grivet).args(command).arg(python).env_remove("GRIVET_LIB"));
    assert!(ran.status.success() && String::from_utf8_lossy(&ran.stderr).contains("stats: threads="), "{ran:?}");

    let share = |name: &str| folder.path("share").join(name).to_str().expect("text").to_owned();
    man_pages_render(&folder.path("share/man"));
    let bash = "source \"$0\"; complete -p grivet";
    let spoken = output(Command::new("bash").args(["-c", bash, &share("bash-completion/completions/grivet")]));
    assert!(spoken.contains("-F _grivet"), "{spoken}");
    let zsh =
        "fpath=(\"$1\" $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[grivet]; autoload +X _grivet";
    assert_eq!(output(Command::new("zsh").args(["-fc", zsh, "zsh", &share("zsh/site-functions")])), "_grivet\n");
    let fish = "source $argv[1]; complete -C 'grivet che'";
    let spoken =
        output(Command::new("fish").args(["--no-config", "-c", fish, &share("fish/vendor_completions.d/grivet.fish")]));
    assert!(spoken.starts_with("check"), "{spoken}");

    output(script().arg("--uninstall").arg(&folder.0));
    assert_eq!(files(&folder.0), before);
    refused(script().arg("--uninstall").arg(&folder.0), "there is nothing to remove");
}

/// Every page, without a warning, and with all subcommands among them.
fn man_pages_render(folder: &Path) {
    let pages = files(folder);
    for page in ["man1/grivet.1.gz", "man1/grivet-run.1.gz", "man1/grivet-check.1.gz", "man7/libgrivet.7.gz"] {
        assert!(pages.iter().any(|name| name == page), "no {page}: {pages:?}");
    }
    for page in pages {
        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-P", "cat", "-l"]).arg(folder.join(&page)).env("LC_ALL", "C.UTF-8");
        let text = output(man.env("MANWIDTH", "80"));
        assert!(text.contains("GRIVET_STACK") && text.contains("SEE ALSO"), "{page}: {text}");
        assert!(text.ends_with(")\n") && text.contains("grivet manual"), "{page}: {text}");
    }
}

#[test]
fn gdb_loads_its_commands_with_the_library() {
    let folder = Folder::new("installed-for-gdb");
    output(script().arg(&folder.0));
    let scripts = folder.path("share/gdb/auto-load").display().to_string();
    let mut gdb = Command::new("timeout");
    gdb.args(["-s", "KILL", "50", "gdb", "-nx", "-batch"]);
    for setting in ["add-auto-load-scripts-directory", "add-auto-load-safe-path"] {
        gdb.arg("-iex").arg(format!("{setting} {scripts}"));
    }
    let preload = format!("set environment LD_PRELOAD={}", folder.path("lib/libgrivet.so").display());
    for command in [
        "set debuginfod enabled off",
        "set startup-with-shell off",
        &preload,
        "break works",
        "run",
        "info grivet threads",
    ] {
        gdb.args(["-ex", command]);
    }
    let text = String::from_utf8(run(gdb.arg(compile(Language::C, "process/debugged", &[]))).stdout).expect("text");
    assert!(text.contains("9 green threads"), "{text}");
    output(script().arg("--uninstall").arg(&folder.0));
    assert_eq!(files(&folder.0), [""; 0]);
}

#[test]
fn a_package_is_put_below_another_root() {
    let folder = Folder::new("staged");
    output(script().arg("/usr").env("DESTDIR", folder.path("root")));
    let files = files(&folder.0);
    for file in
        ["root/usr/bin/grivet", "root/usr/lib/libgrivet.so", "root/usr/share/gdb/auto-load/usr/lib/libgrivet.so-gdb.py"]
    {
        assert!(files.iter().any(|name| name == file), "no {file}: {files:?}");
    }
    output(script().args(["--uninstall", "/usr"]).env("DESTDIR", folder.path("root")));
}

#[test]
fn where_nothing_can_be_installed() {
    let folder = Folder::new("not-installed");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o555)).expect("permissions");
    let mut command = script();
    if nix::unistd::Uid::effective().is_root() {
        // Who may write everywhere.
        let mut other = Command::new("setpriv");
        other
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(command.get_program())
            .args(command.get_args());
        command = other;
    }
    refused(command.arg(&folder.0), "is not yours to write to; run this as root, or choose another PREFIX");
    refused(script().arg("/dev/null"), "/dev/null is not a folder");
    refused(script().arg(folder.path("a b")), "cannot hold a path with a space or a colon");
    refused(script().arg(folder.path("c")).env("CARGO_TARGET_DIR", folder.path("nothing")), "leave out --no-build");
    assert_eq!(run(script().arg("--unknown")).status.code(), Some(2));
}
