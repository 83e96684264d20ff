//! The Debian package: made by scripts/package, installed on a Debian 12 that has nothing but its base system, used there, and
//! removed to the last file. The base system is a folder, made once below the target folder (50 s, 200 MB), and entered as root.

use grivet_tests::{Language, compile, target_directory};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the command prints on both streams; it must do well.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}: {text}", output.status);
    text
}

/// Where this machine has its own packages from.
fn mirror() -> String {
    let files = "cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true";
    let sources = output(Command::new("sh").args(["-c", files]));
    let words = sources.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    words.into_iter().find(|word| word.contains("://")).expect("a source of packages").to_owned()
}

/// A Debian 12 with its base system.
fn base_system() -> PathBuf {
    let root = target_directory().join("bookworm");
    let done = target_directory().join("bookworm.made");
    if !done.exists() {
        let _ = fs::remove_dir_all(&root);
        let mut make = Command::new("timeout");
        make.args(["-s", "KILL", "900", "debootstrap", "--variant=minbase", "bookworm"]).arg(&root).arg(mirror());
        output(&mut make);
        fs::write(done, "").expect("a mark");
    }
    root
}

/// Runs COMMAND in ROOT, with a /proc that goes away with it.
#[track_caller]
fn inside(root: &Path, command: &str) -> String {
    let enter = "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" timeout -s KILL 60 sh -c \"$1\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", enter]).arg(root).arg(command).env_clear();
    output(unshare.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
}

/// All that is there, but for what dpkg itself writes down.
fn everything(root: &Path) -> BTreeSet<String> {
    let list = inside(
        root,
        "find / -xdev \\( -path /proc -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache \\) -prune -o -print",
    );
    list.lines().map(str::to_owned).collect()
}

#[test]
fn the_debian_package_installs_works_and_leaves_nothing() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("scripts/package");
    let made = output(Command::new(package).arg("--no-build").env("CARGO_TARGET_DIR", target_directory()));
    let package = PathBuf::from(made.lines().find(|line| line.ends_with(".deb")).expect("a package"));
    let root = base_system();
    // Of a run that was cut off.
    inside(&root, "dpkg --purge grivet 2>&1");
    fs::copy(compile(Language::C, "loading/threads_asleep", &[]), root.join("root/threads_asleep")).expect("a program");
    fs::copy(&package, root.join("root/grivet.deb")).expect("the package");

    let before = everything(&root);
    inside(&root, "dpkg -i /root/grivet.deb");
    let text = inside(&root, "grivet --version && grivet run --stats -- /root/threads_asleep 2");
    assert!(text.contains("2 threads\n") && text.contains("grivet: ") && text.contains("threads=2"), "{text}");
    // The base system's own program, which makes threads for so many lines.
    let text = inside(&root, "seq 400000 | grivet run --stats -- sort -r --parallel=4 -S 200M | tail -1");
    assert!(text.lines().any(|line| line == "1") && text.contains("stats: threads="), "{text}");
    // By its mere name, as the loader finds it.
    let text = inside(&root, "GRIVET_STATS=1 LD_PRELOAD=libgrivet.so /root/threads_asleep 3");
    assert!(text.contains("3 threads\n") && text.contains("threads=3"), "{text}");
    assert!(inside(&root, "grivet check /root/threads_asleep").contains("threads"));
    let added: Vec<String> = everything(&root).difference(&before).cloned().collect();
    for file in [
        "/usr/bin/grivet",
        "/usr/lib/libgrivet.so",
        "/usr/share/man/man1/grivet.1.gz",
        "/usr/share/man/man7/libgrivet.7.gz",
    ] {
        assert!(added.iter().any(|name| name == file), "no {file}: {added:?}");
    }

    inside(&root, "dpkg -r grivet && ! dpkg -s grivet 2>/dev/null");
    let left: Vec<String> = everything(&root).difference(&before).cloned().collect();
    assert_eq!(left, [""; 0]);
    for name in ["threads_asleep", "grivet.deb"] {
        fs::remove_file(root.join("root").join(name)).expect("removing it");
    }
}
