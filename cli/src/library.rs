//! Where libgrivet.so is.
//!
//! `$GRIVET_LIB` wins; else the directory of the `grivet` command (a build tree) or `../lib` of it (an installed tree).

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::elf::{Elf, Kind};
use crate::status::{Refusal, Status};

const FILE_NAME: &str = "libgrivet.so";

/// The absolute path of the library, fit for LD_PRELOAD; refuses with `NoLibrary`.
pub fn find() -> Result<PathBuf, Refusal> {
    let path = match std::env::var_os("GRIVET_LIB") {
        Some(named) if !named.is_empty() => {
            let named = PathBuf::from(named);
            if !named.is_file() {
                return Err(Refusal::new(
                    Status::NoLibrary,
                    format!("GRIVET_LIB={}: no such file; set it to the path of {FILE_NAME}", named.display()),
                ));
            }
            named
        }
        _ => beside_the_command()?,
    };
    let path = std::path::absolute(&path).unwrap_or(path);
    check(&path)?;
    Ok(path)
}

fn beside_the_command() -> Result<PathBuf, Refusal> {
    let command = std::env::current_exe().unwrap_or_default();
    let directory = command.parent().unwrap_or(Path::new("/"));
    let candidates = [directory.join(FILE_NAME), directory.with_file_name("lib").join(FILE_NAME)];
    candidates.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        Refusal::new(
            Status::NoLibrary,
            format!(
                "neither {} nor {} exists; build it with `cargo build --release -p grivet-preload`, \
                     or set GRIVET_LIB to its path",
                candidates[0].display(),
                candidates[1].display()
            ),
        )
    })
}

/// Refuses what the loader would ignore with no more than a warning, or take for several names (ld.so(8), LD_PRELOAD).
fn check(path: &Path) -> Result<(), Refusal> {
    let refuse = |what: &str| Err(Refusal::of(Status::NoLibrary, path, what));
    if path.as_os_str().as_bytes().iter().any(|byte| b": ".contains(byte)) {
        return refuse(
            "LD_PRELOAD cannot hold a path with a colon or a space; copy the library elsewhere and set GRIVET_LIB to it",
        );
    }
    match Elf::open(path) {
        Ok(Elf { kind: Kind::Library, .. }) => Ok(()),
        _ => refuse("is not a readable 64-bit x86-64 shared library; build it again, or set GRIVET_LIB to it"),
    }
}
