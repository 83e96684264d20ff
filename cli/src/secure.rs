//! Whether the kernel would run a file in "secure execution" mode (AT_SECURE), in which the dynamic
//! loader ignores LD_PRELOAD.
//!
//! Follows ld.so(8) "Secure-execution mode" and the kernel's `bprm_fill_uid` (fs/exec.c) and
//! `cap_bprm_creds_from_file` (security/commoncap.c). A setuid file is not secure as such: it is if the ids that the
//! process gets by it differ from its real ones, so a setuid-root file run by root keeps LD_PRELOAD.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::libc;
use nix::sys::prctl::get_no_new_privs;
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{getegid, geteuid, getgid, getuid};

use crate::status::{Refusal, Status};

/// Refuses `path` with `Secure` if executing it here would set AT_SECURE.
pub fn check(path: &Path) -> Result<(), Refusal> {
    let Ok(metadata) = std::fs::metadata(path) else {
        return Ok(());
    };
    let privileges_fixed = get_no_new_privs().unwrap_or(false);
    let nosuid = statvfs(path).is_ok_and(|fs| fs.flags().contains(FsFlags::ST_NOSUID));
    let mode = Mode::from_bits_truncate(metadata.mode());
    let honoured = !nosuid && !privileges_fixed;

    let setuid = honoured && mode.contains(Mode::S_ISUID);
    // Without the group's execute bit, setgid once meant mandatory locking, and changes no id.
    let setgid = honoured && mode.contains(Mode::S_ISGID | Mode::S_IXGRP);
    let new_uid = if setuid { metadata.uid() } else { geteuid().as_raw() };
    let new_gid = if setgid { metadata.gid() } else { getegid().as_raw() };

    if new_uid != getuid().as_raw() {
        let cause = if setuid {
            format!("it is setuid, to user {new_uid}")
        } else {
            format!("grivet's effective user {new_uid} is not its real one")
        };
        return Err(secure(path, &cause));
    }
    if new_gid != getgid().as_raw() {
        let cause = if setgid {
            format!("it is setgid, to group {new_gid}")
        } else {
            format!("grivet's effective group {new_gid} is not its real one")
        };
        return Err(secure(path, &cause));
    }
    let grows = !nosuid && !getuid().is_root();
    if grows
        && let Some(capabilities) = file_capabilities(path)
        && (capabilities.effective || (capabilities.permitted && !privileges_fixed))
    {
        return Err(secure(path, "it has file capabilities (see getcap(8))"));
    }
    Ok(())
}

fn secure(path: &Path, cause: &str) -> Refusal {
    Refusal::of(
        Status::Secure,
        path,
        format_args!(
            "runs with other privileges than its caller ({cause}), so the loader ignores LD_PRELOAD; \
             call grivet with those privileges, or use a copy of the program without them"
        ),
    )
}

/// What the `security.capability` attribute of a file grants.
struct FileCapabilities {
    /// The capabilities are in force from the start.
    effective: bool,
    /// At least one capability is permitted.
    permitted: bool,
}

/// Reads `struct vfs_cap_data` (linux/capability.h, revisions 1 to 3): a little-endian flag word, then
/// one or two pairs of words (permitted, inheritable). `None` if the file has no such attribute.
fn file_capabilities(path: &Path) -> Option<FileCapabilities> {
    const EFFECTIVE: u32 = 1;
    const REVISION_1: u32 = 0x0100_0000;
    const REVISION_MASK: u32 = 0xff00_0000;
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut value = [0_u8; 24];
    // SAFETY: both strings end in NUL, and the kernel writes at most `value.len()` bytes to `value`.
    let length = unsafe {
        libc::getxattr(path.as_ptr(), c"security.capability".as_ptr(), value.as_mut_ptr().cast(), value.len())
    };
    let length = usize::try_from(length).ok()?;
    let words: Vec<u32> =
        value[..length].chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    let flags = *words.first()?;
    let pairs = if flags & REVISION_MASK == REVISION_1 { 1 } else { 2 };
    Some(FileCapabilities {
        effective: flags & EFFECTIVE != 0,
        permitted: words[1..].chunks(2).take(pairs).any(|pair| pair[0] != 0),
    })
}
