//! Finds the file that a command name stands for, as a shell or execvp(3) does.
//!
//! Reads the file system and PATH; opens nothing.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};

use crate::status::{Refusal, Status};

/// Where execvp(3) looks if PATH is not set (glibc's `confstr(_CS_PATH)`).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The file to execute for `name`: itself if it has a slash, else the first executable of that name in PATH.
///
/// `NotExecutable` if files of that name exist but none may be executed, `NotFound` if there is none.
pub fn locate(name: &OsStr) -> Result<PathBuf, Refusal> {
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        executable(&path)?;
        return Ok(path);
    }
    let path_variable = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(DEFAULT_PATH));
    let mut refusal = None;
    if !name.is_empty() {
        for directory in path_variable.as_bytes().split(|&byte| byte == b':') {
            // POSIX: an empty element is the current directory.
            let directory = if directory.is_empty() { b"." } else { directory };
            let path = Path::new(OsStr::from_bytes(directory)).join(name);
            match executable(&path) {
                Ok(()) => return Ok(path),
                // A directory of that name in PATH is passed over, as by the shells.
                Err(_) if path.is_dir() => {}
                Err(error) if error.status == Status::NotExecutable => {
                    refusal.get_or_insert(error);
                }
                Err(_) => {}
            }
        }
    }
    Err(refusal.unwrap_or_else(|| {
        Refusal::of(Status::NotFound, Path::new(name), "not found in PATH; give its path, or install it")
    }))
}

/// Whether `path` is a file that this process may execute.
pub fn executable(path: &Path) -> Result<(), Refusal> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            Refusal::of(Status::NotFound, path, "no such file; check the path, or install it")
        }
        _ => Refusal::of(
            Status::NotExecutable,
            path,
            format_args!("cannot be reached ({error}); check the permissions of its directories"),
        ),
    })?;
    if metadata.is_dir() {
        return Err(Refusal::of(Status::NotExecutable, path, "is a directory; name a program in it"));
    }
    if !metadata.is_file() {
        return Err(Refusal::of(Status::NotExecutable, path, "is not a regular file; name a program"));
    }
    faccessat(AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS).map_err(|error| {
        Refusal::of(
            Status::NotExecutable,
            path,
            format_args!("is not executable ({}); allow it with chmod +x, or name its interpreter", error.desc()),
        )
    })
}
