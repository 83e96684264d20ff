//! One-line messages on standard error.
//!
//! Each message is put together in a buffer on the worker's stack and leaves in one write(2), so lines of several
//! processes do not mix, nothing is allocated, and libc's `stderr` is not touched. A message that cannot be written is lost: there
//! is nobody to tell.

use crate::raw;
use core::fmt::{self, Write};

/// Longest message in bytes, with its prefix and its newline.
const CAPACITY: usize = 1024;

/// Standard error.
pub const STDERR: i32 = 2;

/// How every message begins.
const PREFIX: &str = "grivet: ";

/// How a message ends that did not fit.
const ELLIPSIS: &str = "...";

/// A message being written. It begins with `grivet: `; what does not fit is cut off at a character and marked with `...`.
pub struct Line {
    buffer: [u8; CAPACITY],
    length: usize,
    full: bool,
}

impl Line {
    /// A line that holds the prefix only.
    pub fn new() -> Self {
        let mut line = Self { buffer: [0; CAPACITY], length: 0, full: false };
        line.append(PREFIX);
        line
    }

    /// What was written so far, without the newline.
    #[cfg(test)]
    pub fn text(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Writes the line and its newline to standard error with one write(2). Errors are ignored.
    pub fn send(self) {
        self.send_to(STDERR);
    }

    /// As `send`, to another descriptor.
    pub fn send_to(mut self, fd: i32) {
        self.buffer[self.length] = b'\n';
        let _ = raw::write(fd, &self.buffer[..=self.length]);
    }

    fn append(&mut self, text: &str) {
        self.buffer[self.length..][..text.len()].copy_from_slice(text.as_bytes());
        self.length += text.len();
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Room for the ellipsis and the newline is never given away.
        const ROOM: usize = CAPACITY - ELLIPSIS.len() - 1;
        if self.full {
            return Ok(());
        }
        let room = ROOM - self.length;
        if text.len() <= room {
            self.append(text);
        } else {
            self.full = true;
            self.append(&text[..text.floor_char_boundary(room)]);
            self.append(ELLIPSIS);
        }
        Ok(())
    }
}

/// Prints one line on standard error: `say!("{} threads", count)` prints `grivet: 7 threads`.
macro_rules! say {
    ($($argument:tt)*) => {{
        let mut line = $crate::report::message::Line::new();
        // Writing to a line never fails: it cuts off what does not fit.
        let _ = ::core::fmt::Write::write_fmt(&mut line, ::core::format_args!($($argument)*));
        line.send();
    }};
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_with_the_prefix() {
        let mut line = Line::new();
        write!(line, "{} of {}", 3, "many".repeat(2)).unwrap();
        assert_eq!(line.text(), b"grivet: 3 of manymany");
    }

    #[test]
    fn cuts_a_long_message_and_marks_it() {
        let mut line = Line::new();
        for _ in 0..CAPACITY / 5 {
            write!(line, "0123456789").unwrap();
        }
        let text = core::str::from_utf8(line.text()).unwrap();
        assert_eq!(text.len(), CAPACITY - 1);
        assert!(text.starts_with("grivet: 0123456789012"));
        assert!(text.ends_with("..."));
        assert_eq!(text.matches("...").count(), 1);
    }

    #[test]
    fn cuts_between_characters_at_every_offset() {
        for shift in 0..4 {
            let mut line = Line::new();
            write!(line, "{}{}", "x".repeat(shift), "\u{1F412}".repeat(CAPACITY / 3)).unwrap();
            let text = core::str::from_utf8(line.text()).expect("valid UTF-8");
            assert!(text.ends_with("\u{1F412}..."));
            assert!(text.len() < CAPACITY);
        }
    }

    #[test]
    fn leaves_as_one_line_with_one_newline() {
        use std::io::{Read, Write as _};
        // Standard error of a child process that prints one message is what a user would see.
        if std::env::var_os("GRIVET_TEST_SAY").is_some() {
            std::io::stderr().flush().unwrap();
            crate::report::message::say!("{} + {} = {}", 1, 2, 3);
            return;
        }
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--quiet"])
            .arg(std::thread::current().name().unwrap())
            .env("GRIVET_TEST_SAY", "1")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = String::new();
        child.stderr.take().unwrap().read_to_string(&mut printed).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(printed, "grivet: 1 + 2 = 3\n");
    }
}
