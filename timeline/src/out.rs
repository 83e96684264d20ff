//! Collects what renderers write and hands it to the sink in pieces. It knows how each format writes numbers, and text
//! that may hold anything: thread names are whatever bytes the program chose.
//!
//! The first failure of the sink is kept and told at the end; what is written after it goes nowhere.

use crate::{Failed, Sink};
use alloc::vec::Vec;
use core::fmt;

/// How much is collected.
const SIZE: usize = 16 << 10;

pub struct Out<'a> {
    sink: &'a mut dyn Sink,
    buffer: Vec<u8>,
    failed: bool,
}

impl<'a> Out<'a> {
    pub fn new(sink: &'a mut dyn Sink) -> Result<Out<'a>, Failed> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(SIZE)?;
        Ok(Out { sink, buffer, failed: false })
    }

    /// Hands over the rest.
    pub fn finish(mut self) -> Result<(), Failed> {
        self.flush();
        self.check()
    }

    /// Whether it is of any use to go on.
    pub fn check(&self) -> Result<(), Failed> {
        if self.failed { Err(Failed::Sink) } else { Ok(()) }
    }

    fn flush(&mut self) {
        if !self.failed && !self.buffer.is_empty() {
            self.failed = !self.sink.write(&self.buffer);
        }
        self.buffer.clear();
    }

    pub fn bytes(&mut self, mut bytes: &[u8]) {
        while bytes.len() > SIZE - self.buffer.len() {
            let (now, later) = bytes.split_at(SIZE - self.buffer.len());
            self.buffer.extend_from_slice(now);
            self.flush();
            bytes = later;
        }
        self.buffer.extend_from_slice(bytes);
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// In decimal. Files hold millions of numbers, and `core::fmt` takes several times as long.
    pub fn number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            first -= 1;
            if number == 0 {
                break;
            }
        }
        self.bytes(digits.get(first..).unwrap_or_default());
    }

    /// Nanoseconds as microseconds with three decimals.
    pub fn microseconds(&mut self, nanoseconds: u64) {
        self.number(nanoseconds / 1000);
        let rest = (nanoseconds % 1000) as u32;
        self.bytes(&[b'.', digit(rest / 100), digit(rest / 10 % 10), digit(rest % 10)]);
    }

    /// The inside of a string of JSON, safe inside a script element of HTML too. What is not UTF-8 becomes U+FFFD.
    pub fn json(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            for piece in chunk.valid().split_inclusive(needs_escape_in_json) {
                let (plain, escaped) = split_last_if(piece, needs_escape_in_json);
                self.text(plain);
                match escaped {
                    None => {}
                    Some('"') => self.text("\\\""),
                    Some('\\') => self.text("\\\\"),
                    Some(other) => self.format(format_args!("\\u{:04x}", other as u32)),
                }
            }
            if !chunk.invalid().is_empty() {
                self.text("\u{fffd}");
            }
        }
    }

    /// The same with its quotes.
    pub fn json_string(&mut self, bytes: &[u8]) {
        self.bytes(b"\"");
        self.json(bytes);
        self.bytes(b"\"");
    }

    /// Text of XML or HTML, also inside an attribute in double quotes. XML can say no control characters, so their
    /// pictures (U+2400…) stand for them.
    pub fn xml(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            for piece in chunk.valid().split_inclusive(needs_escape_in_xml) {
                let (plain, escaped) = split_last_if(piece, needs_escape_in_xml);
                self.text(plain);
                match escaped {
                    None => {}
                    Some('<') => self.text("&lt;"),
                    Some('>') => self.text("&gt;"),
                    Some('&') => self.text("&amp;"),
                    Some('"') => self.text("&quot;"),
                    Some(control @ '\0'..' ') => {
                        let picture = char::from_u32(0x2400 + control as u32).unwrap_or('\u{fffd}');
                        self.text(picture.encode_utf8(&mut [0; 4]));
                    }
                    Some(_) => self.text("\u{fffd}"),
                }
            }
            if !chunk.invalid().is_empty() {
                self.text("\u{fffd}");
            }
        }
    }

    pub fn format(&mut self, arguments: fmt::Arguments) {
        // Writing here cannot fail, and what is written can't either.
        let _ = fmt::write(self, arguments);
    }
}

impl fmt::Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

fn digit(digit: u32) -> u8 {
    b'0' + digit as u8
}

/// `<`, `>` and `&`, lest a script element end early; the line separators, which scripts take for ends of lines.
fn needs_escape_in_json(character: char) -> bool {
    matches!(character, '\0'..' ' | '"' | '\\' | '<' | '>' | '&' | '\u{7f}' | '\u{2028}' | '\u{2029}')
}

fn needs_escape_in_xml(character: char) -> bool {
    matches!(character, '\0'..' ' | '"' | '<' | '>' | '&' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

/// Takes the last character off if it is such a one.
fn split_last_if(text: &str, is_such: fn(char) -> bool) -> (&str, Option<char>) {
    let mut characters = text.chars();
    match characters.next_back() {
        Some(last) if is_such(last) => (characters.as_str(), Some(last)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many pieces.
    struct Pieces(Vec<Vec<u8>>, usize);

    impl Sink for Pieces {
        fn write(&mut self, bytes: &[u8]) -> bool {
            self.0.push(bytes.to_vec());
            self.0.len() <= self.1
        }
    }

    fn written(write: impl FnOnce(&mut Out)) -> String {
        let mut sink = Pieces(Vec::new(), usize::MAX);
        let mut out = Out::new(&mut sink).unwrap();
        write(&mut out);
        out.finish().unwrap();
        String::from_utf8(sink.0.concat()).unwrap()
    }

    #[test]
    fn numbers() {
        for number in [0, 9, 10, 12_345, u64::MAX] {
            assert_eq!(written(|out| out.number(number)), number.to_string());
        }
        assert_eq!(written(|out| out.microseconds(0)), "0.000");
        assert_eq!(written(|out| out.microseconds(1_234_567)), "1234.567");
        assert_eq!(written(|out| out.microseconds(1_002)), "1.002");
    }

    #[test]
    fn strings_of_json() {
        assert_eq!(written(|out| out.json_string(b"a\"b\\c")), r#""a\"b\\c""#);
        assert_eq!(written(|out| out.json_string(b"</script>\n\x7f")), r#""\u003c/script\u003e\u000a\u007f""#);
        assert_eq!(written(|out| out.json_string(b"\xc3\xa4\xff\xc3")), "\"\u{e4}\u{fffd}\u{fffd}\"");
    }

    #[test]
    fn text_of_xml() {
        assert_eq!(written(|out| out.xml(b"<a b=\"&\">")), "&lt;a b=&quot;&amp;&quot;&gt;");
        assert_eq!(written(|out| out.xml(b"\x00\x1b\x7f\xef\xbf\xbf\xfe")), "\u{2400}\u{241b}\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_sink_gets_pieces_and_none_after_it_failed() {
        let mut sink = Pieces(Vec::new(), 1);
        let mut out = Out::new(&mut sink).unwrap();
        out.bytes(&[b'x'; 3 * SIZE]);
        assert_eq!(out.check(), Err(Failed::Sink));
        assert_eq!(out.finish(), Err(Failed::Sink));
        assert_eq!(sink.0.iter().map(Vec::len).collect::<Vec<_>>(), [SIZE, SIZE]);
    }
}
