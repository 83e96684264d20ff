//! The exit statuses of `grivet` and the one-line messages that go with them.
//!
//! One table serves `--help`, the man page and the code. The values follow the shell where it has one
//! (126, 127; POSIX "Exit Status for Commands") and lie just below it otherwise, so that they
//! are unlikely to be a status of PROGRAM, which `grivet run` passes on by becoming PROGRAM.

use std::fmt;
use std::path::Path;

/// Why `grivet` ends without doing what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    NoThreads = 1,
    Usage = 2,
    NoProcess = 3,
    NotAllowed = 4,
    OtherKind = 5,
    Rule = 118,
    Static = 120,
    Secure = 121,
    Machine = 122,
    CLibrary = 123,
    Format = 124,
    NoLibrary = 125,
    NotExecutable = 126,
    NotFound = 127,
}

/// Every status with its meaning, as `--help` and the man page list them.
pub const MEANINGS: [(Status, &str); 10] = [
    (Status::Usage, "wrong usage"),
    (Status::Rule, "a --spawn or --join rule does not name one function of PROGRAM whose calls can be caught"),
    (Status::Static, "PROGRAM is statically linked: no loader reads LD_PRELOAD"),
    (Status::Secure, "PROGRAM is setuid, setgid or has file capabilities: LD_PRELOAD is ignored"),
    (Status::Machine, "PROGRAM is 32-bit or for another machine than x86-64"),
    (Status::CLibrary, "PROGRAM uses another C library than glibc (such as musl)"),
    (Status::Format, "PROGRAM is neither an ELF program nor a script"),
    (Status::NoLibrary, "libgrivet.so was not found"),
    (Status::NotExecutable, "PROGRAM was found but cannot be executed"),
    (Status::NotFound, "PROGRAM or its interpreter was not found"),
];

/// A refusal: the exit status and what the user reads after `grivet: `.
#[derive(Debug)]
pub struct Refusal {
    pub status: Status,
    pub message: String,
}

impl Refusal {
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// A refusal about one file; the message begins with its name.
    pub fn of(status: Status, path: &Path, what: impl fmt::Display) -> Self {
        Self::new(status, format!("{}: {what}", path.display()))
    }
}

/// The list of exit statuses for the end of `--help`.
pub fn help_text() -> String {
    let mut text =
        String::from("Exit status of `grivet run`: PROGRAM's own, as grivet becomes PROGRAM. If it could not:\n");
    for (status, meaning) in MEANINGS {
        text.push_str(&format!("  {:>3}  {meaning}\n", status as i32));
    }
    text.push_str("\nExit status of `grivet check`:\n");
    for (status, meaning) in CHECK_MEANINGS {
        text.push_str(&format!("  {status:>3}  {meaning}\n"));
    }
    text.push_str("\nExit status of `grivet dump` and `grivet top`:\n");
    for (status, meaning) in LOOK_MEANINGS {
        text.push_str(&format!("  {status:>3}  {meaning}\n"));
    }
    text
}

/// The exit statuses of `grivet dump` and `grivet top`.
pub const LOOK_MEANINGS: [(i32, &str); 6] = [
    (0, "the threads were shown"),
    (Status::NoThreads as i32, "PID has no green threads: it runs natively, or has made no threads yet"),
    (Status::Usage as i32, "wrong usage"),
    (Status::NoProcess as i32, "there is no such process, or it has ended, or has no such thread"),
    (Status::NotAllowed as i32, "the process may not be looked at: it is another user's, or another debugger has it"),
    (Status::OtherKind as i32, "the process is 32-bit, or has another version of libgrivet.so than this command's"),
];

/// The exit statuses of `grivet check`.
pub const CHECK_MEANINGS: [(i32, &str); 3] = [
    (
        0,
        "it will work: PROGRAM makes threads, or can load libraries that do; the calls that --spawn names can be caught",
    ),
    (1, "it will have no effect: PROGRAM makes no threads that grivet can see"),
    (2, "it is refused, or the usage was wrong"),
];
