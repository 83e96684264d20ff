//! The `#!` line of a script: which interpreter the kernel starts for it.
//!
//! Follows execve(2) "Interpreter scripts" and the kernel's fs/binfmt_script.c; pure functions on bytes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// How much of a file the kernel looks at to tell what it is (BINPRM_BUF_SIZE, linux/binfmts.h).
pub const HEAD_BYTES: usize = 256;

/// What a `#!` line names.
#[derive(Debug, PartialEq, Eq)]
pub struct Interpreter {
    pub path: PathBuf,
    /// The rest of the line, which the kernel passes as one argument.
    pub argument: Option<OsString>,
}

/// Reads the `#!` line from the first `HEAD_BYTES` bytes of a file; `None` if the kernel would refuse it.
pub fn interpreter(head: &[u8]) -> Option<Interpreter> {
    let line = head.strip_prefix(b"#!")?;
    let (line, complete) = match line.iter().position(|byte| matches!(byte, b'\n' | b'\0')) {
        Some(end) => (&line[..end], true),
        None => (line, head.len() < HEAD_BYTES),
    };
    let line = trim_blanks(line);
    let path_end = line.iter().position(is_blank);
    // A path that reaches the end of the buffer may be cut off: the kernel refuses it (ENOEXEC).
    if line.is_empty() || (path_end.is_none() && !complete) {
        return None;
    }
    let (path, rest) = line.split_at(path_end.unwrap_or(line.len()));
    let argument = trim_blanks(rest);
    Some(Interpreter {
        path: PathBuf::from(OsStr::from_bytes(path)),
        argument: (!argument.is_empty()).then(|| OsStr::from_bytes(argument).to_owned()),
    })
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Cuts off blanks only, as the kernel does: a carriage return before the newline stays part of the line.
fn trim_blanks(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line
        && is_blank(first)
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && is_blank(last)
    {
        line = rest;
    }
    line
}

impl Interpreter {
    /// For `#!/usr/bin/env NAME` and `#!/usr/bin/env -S NAME …`: the name that env(1) will look up in PATH.
    ///
    /// `None` for other interpreters and for options of env that change more than the arguments.
    pub fn env_target(&self) -> Option<OsString> {
        if self.path.file_name()? != "env" {
            return None;
        }
        let argument = self.argument.as_ref()?.as_bytes();
        let name = match argument.strip_prefix(b"-S") {
            Some(split) => {
                split.split(u8::is_ascii_whitespace).find(|word| !word.is_empty() && !word.contains(&b'='))?
            }
            None => argument,
        };
        (!name.starts_with(b"-")).then(|| OsStr::from_bytes(name).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_and_argument(head: &[u8]) -> Option<(String, Option<String>)> {
        interpreter(head).map(|found| {
            (
                found.path.to_string_lossy().into_owned(),
                found.argument.map(|argument| argument.to_string_lossy().into_owned()),
            )
        })
    }

    #[test]
    fn path_and_single_argument_are_read() {
        assert_eq!(path_and_argument(b"#! /bin/sh  -e -x \necho"), Some(("/bin/sh".into(), Some("-e -x".into()))));
        assert_eq!(path_and_argument(b"#!/bin/sh"), Some(("/bin/sh".into(), None)));
        assert_eq!(path_and_argument(b"#!/bin/sh\r\n"), Some(("/bin/sh\r".into(), None)));
    }

    #[test]
    fn empty_and_cut_off_lines_are_refused() {
        assert_eq!(path_and_argument(b"echo"), None);
        assert_eq!(path_and_argument(b"#!  \n/bin/sh"), None);
        let mut long = b"#!/".to_vec();
        long.resize(HEAD_BYTES, b'a');
        assert_eq!(path_and_argument(&long), None);
    }

    #[test]
    fn env_is_seen_through() {
        let target = |line: &[u8]| {
            interpreter(line).and_then(|found| found.env_target()).map(|name| name.to_string_lossy().into_owned())
        };
        assert_eq!(target(b"#!/usr/bin/env python3\n").as_deref(), Some("python3"));
        assert_eq!(target(b"#!/usr/bin/env -S A=1 perl -w\n").as_deref(), Some("perl"));
        assert_eq!(target(b"#!/usr/bin/env -i sh\n"), None);
        assert_eq!(target(b"#!/bin/sh -e\n"), None);
    }
}
