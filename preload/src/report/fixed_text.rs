//! Text of a limited length, made where nothing can be allocated.

use core::fmt::{self, Write};

/// At most `LIMIT` bytes. What does not fit is an error, and left out.
pub struct FixedText<const LIMIT: usize> {
    bytes: [u8; LIMIT],
    length: usize,
}

impl<const LIMIT: usize> FixedText<LIMIT> {
    /// Nothing yet.
    pub const fn new() -> Self {
        FixedText { bytes: [0; LIMIT], length: 0 }
    }

    /// The text that `arguments` make, as far as it fits.
    pub fn of(arguments: fmt::Arguments<'_>) -> Self {
        let mut text = Self::new();
        let _ = text.write_fmt(arguments);
        text
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub fn text(&self) -> &str {
        // Only whole strings are added.
        core::str::from_utf8(self.bytes()).unwrap_or("")
    }
}

impl<const LIMIT: usize> Write for FixedText<LIMIT> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_fits() {
        assert_eq!(FixedText::<4>::of(format_args!("{}", 1234)).text(), "1234");
        let mut text = FixedText::<4>::new();
        assert!(text.write_str("abc").is_ok() && text.write_str("de").is_err() && text.write_str("f").is_ok());
        assert_eq!(text.bytes(), b"abcf");
    }
}
