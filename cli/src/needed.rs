//! The libraries that a program is loaded with: its DT_NEEDED closure, resolved by the program's own loader.
//!
//! Runs `LOADER --list FILE` (ld.so(8)), which maps the objects but executes nothing of them; search paths, caches and
//! hardware variants are thus exactly those that will count.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::elf::{Elf, Kind};
use crate::status::{Refusal, Status};

/// Where the x86-64 psABI puts the loader; for libraries, which name none.
const STANDARD_LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Variables that would change what the loader prints or make it run code.
const LOADER_VARIABLES: [&str; 4] = ["LD_PRELOAD", "LD_AUDIT", "LD_DEBUG", "LD_VERBOSE"];

/// A program or library with all that is loaded with it; itself first.
pub struct Closure(pub Vec<Elf>);

impl Closure {
    pub fn of(path: &Path) -> Result<Self, Refusal> {
        let first = Elf::open(path)?;
        let libraries = libraries(&first)?;
        let mut objects = vec![first];
        for path in libraries {
            objects.push(Elf::open(&path)?);
        }
        Ok(Self(objects))
    }
}

/// The paths of the libraries of `elf` and of its loader, in the loader's order; without the vDSO.
///
/// Refuses with `NotFound`, which is also the loader's own exit status then, if one is missing: the loader stops at the first.
fn libraries(elf: &Elf) -> Result<Vec<PathBuf>, Refusal> {
    let loader = match &elf.kind {
        Kind::Dynamic { loader } => loader.as_path(),
        Kind::Library => Path::new(STANDARD_LOADER),
        Kind::Loader | Kind::Static => return Ok(Vec::new()),
    };
    let file = std::path::absolute(&elf.path).unwrap_or_else(|_| elf.path.clone());
    let mut command = Command::new(loader);
    command.arg("--list").arg(file).stdin(Stdio::null());
    for variable in LOADER_VARIABLES {
        command.env_remove(variable);
    }
    let output = command.output().map_err(|error| {
        Refusal::of(Status::NotFound, loader, format_args!("the loader cannot be run ({error}); install glibc"))
    })?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let line = complaint.lines().next().unwrap_or("no reason given");
        let reason = line.split_once("shared libraries: ").map_or(line, |(_, reason)| reason);
        return Err(Refusal::of(
            Status::NotFound,
            &elf.path,
            format_args!("its loader cannot load it ({}); install what is missing", reason.trim()),
        ));
    }
    Ok(parse(&output.stdout))
}

/// Reads lines like `libc.so.6 => /lib/libc.so.6 (0x…)`, `/lib64/ld.so (0x…)` and `linux-vdso.so.1 (0x…)`, which has no path.
fn parse(listing: &[u8]) -> Vec<PathBuf> {
    const ARROW: &[u8] = b" => ";
    let mut paths = Vec::new();
    for line in listing.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        let arrow = line.windows(ARROW.len()).position(|part| part == ARROW);
        let place = arrow.map_or(line, |at| &line[at + ARROW.len()..]);
        let end = place.windows(4).rposition(|part| part == b" (0x");
        let path = &place[..end.unwrap_or(place.len())];
        if path.starts_with(b"/") {
            paths.push(PathBuf::from(OsStr::from_bytes(path)));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_line_is_read() {
        let listing = b"\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f01)\n\
            \tlibodd.so => /opt/a b (0x)/libodd.so (0x00007f03)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f02)\n";
        let paths = ["/lib/x86_64-linux-gnu/libc.so.6", "/opt/a b (0x)/libodd.so", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(parse(listing), paths.map(PathBuf::from));
    }
}
