//! What `grivet` writes itself: reports to stdout, messages to stderr as `grivet: …`, one line each.

use std::io::Write;

/// Writes a report to stdout. A reader that went away is not an error.
pub fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes one line to stderr.
pub fn complain(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "grivet: {}", message.replace('\n', " "));
}
