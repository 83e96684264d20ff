//! The recording as a page: one file that needs no network. The page itself lies in `page/`; what is put into it is told
//! here, for `page/page.js` reads it.
//!
//! The threads are lines of JSON, the slices packed records in base64, about 12 KiB a line, each line complete in itself. A
//! record is, with all numbers but the second as little-endian base 128 (seven bits a byte, the eighth: more follow):
//!
//! - how long after the previous record's slice this one ends, in nanoseconds (slices come in the order of their ends)
//! - a byte: the state, and above its four bits the cause
//! - the track
//! - of a ready one: the track that woke it, plus one (0: none)
//! - of a cause with a value, or a call of the kernel: the value plus one, modulo 2^64
//! - of a read or write: the kind of file
//!
//! When a slice begins is not told: it is when the one before of the same track ends, or when the track begins.

use crate::Failed;
use crate::event::{Cause, Recording};
use crate::out::Out;
use crate::state::{STATES, State};
use crate::tracks::Tracks;
use crate::walk::{Slice, Visitor, walk};
use crate::words::{self, CALLS, FILES};
use alloc::vec::Vec;

/// The page's parts. Where it says `{{NAME}}`, that is put in.
const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// What the script consists of, in this order.
const SCRIPTS: [&str; 4] = [
    include_str!("page/data.js"),
    include_str!("page/draw.js"),
    include_str!("page/search.js"),
    include_str!("page/page.js"),
];

pub fn write(recording: &Recording, tracks: &Tracks, out: &mut Out) -> Result<(), Failed> {
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        out.text(before);
        match name {
            "program" => out.xml(recording.program.as_bytes()),
            "summary" => summary(recording, tracks, out),
            "remarks" => out.bytes(words::dropped(recording, tracks).as_ref().map_or(b"", words::Short::get)),
            "style" => style(out),
            "script" => SCRIPTS.iter().for_each(|script| out.text(script)),
            "about" => about(recording, tracks, out),
            "threads" => threads(recording, tracks, out)?,
            "slices" => slices(recording, out)?,
            _ => {}
        }
        rest = after;
        out.check()?;
    }
    out.text(rest);
    out.check()
}

fn summary(recording: &Recording, tracks: &Tracks, out: &mut Out) {
    out.bytes(words::summary(tracks).get());
    out.format(format_args!("; process {} ", recording.pid));
    out.xml(words::end(recording).get());
}

/// The colours of states as variables, and the style sheet.
fn style(out: &mut Out) {
    for (media, is_dark) in [(":root {", false), ("@media (prefers-color-scheme: dark) { :root {", true)] {
        out.text(media);
        for state in STATES {
            let [light, dark] = state.colours();
            out.format(format_args!(" --{}: {};", state.class(), if is_dark { dark } else { light }));
        }
        out.text(if is_dark { " } }\n" } else { " }\n" });
    }
    out.text(STYLE);
}

fn about(recording: &Recording, tracks: &Tracks, out: &mut Out) {
    out.format(format_args!("{{\"duration\":{},\"states\":[", tracks.duration));
    list(out, STATES, |out, state| {
        out.format(format_args!("[\"{}\",\"{}\",\"{}\"]", state.name(), state.class(), state.meaning()));
    });
    out.text("],\"files\":[");
    list(out, FILES, |out, name| out.json_string(name.as_bytes()));
    out.text("],\"calls\":{");
    list(out, CALLS, |out, (number, name)| out.format(format_args!("\"{number}\":\"{name}\"")));
    out.text("},\"program\":");
    out.json_string(recording.program.as_bytes());
    out.text("}");
}

fn list<T>(out: &mut Out, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Out, T)) {
    for (place, item) in items.into_iter().enumerate() {
        out.text(if place > 0 { "," } else { "" });
        write(out, item);
    }
}

/// A line for each: its name (0: the one before has the same), its id, and when it began.
fn threads(recording: &Recording, tracks: &Tracks, out: &mut Out) -> Result<(), Failed> {
    let mut previous = words::Short::new();
    out.text("[");
    for (number, track) in tracks.list.iter().enumerate() {
        out.text(if number > 0 { ",\n[" } else { "[" });
        let label = track.label(recording);
        if number > 0 && label.get() == previous.get() {
            out.text("0");
        } else {
            out.json_string(label.get());
        }
        out.text(",");
        out.number(track.tid.into());
        out.text(",");
        out.number(track.began);
        out.text("]");
        previous = label;
        out.check()?;
    }
    out.text("]");
    Ok(())
}

fn slices(recording: &Recording, out: &mut Out) -> Result<(), Failed> {
    let mut line = Vec::new();
    line.try_reserve_exact(LINE + LONGEST)?;
    let mut records = Records { line, last: 0, out };
    walk(recording, &mut records)?;
    let Records { line, out, .. } = records;
    base64(&line, out);
    Ok(())
}

/// How many bytes are a line.
const LINE: usize = 9 << 10;
/// No record has more.
const LONGEST: usize = 48;

struct Records<'a, 'b> {
    line: Vec<u8>,
    /// When the last slice ended.
    last: u64,
    out: &'a mut Out<'b>,
}

impl Visitor for Records<'_, '_> {
    fn slice(&mut self, slice: &Slice) -> Result<(), Failed> {
        let what = &slice.what;
        self.number(slice.to.saturating_sub(self.last));
        self.last = slice.to;
        self.line.push(slice.state as u8 | (what.cause as u8) << 4);
        self.number(slice.track.into());
        match (slice.state, what.cause) {
            (State::Ready, _) => self.number(slice.wake.map_or(0, |wake| u64::from(wake.by) + 1)),
            (State::Kernel, _) | (_, Cause::Lock | Cause::Poll | Cause::Read | Cause::Write | Cause::Helper) => {
                self.number(what.value.wrapping_add(1));
            }
            _ => {}
        }
        if matches!(what.cause, Cause::Read | Cause::Write) {
            self.line.push(what.file as u8);
        }
        if self.line.len() >= LINE {
            base64(&self.line, self.out);
            self.line.clear();
        }
        self.out.check()
    }
}

impl Records<'_, '_> {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.line.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.line.push(number as u8);
    }
}

/// A line of base64.
fn base64(bytes: &[u8], out: &mut Out) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |place: usize| match DIGITS.get((bits >> (18 - 6 * place)) as usize & 63) {
            Some(digit) if place <= three.len() => *digit,
            _ => b'=',
        };
        out.bytes(&[digit(0), digit(1), digit(2), digit(3)]);
    }
    out.text("\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;
    use crate::testing::{Bytes, fails_when_full, rendered, two_threads};
    use serde_json::Value;

    /// What is inside the element of this id.
    fn part<'a>(page: &'a str, id: &str) -> &'a str {
        let (_, after) = page.split_once(&format!(" id=\"{id}\"")).expect("the element");
        after.split_once('>').and_then(|(_, inside)| inside.split_once("</")).expect("its end").0
    }

    #[test]
    fn the_page_is_whole_and_asks_nobody() {
        let page = rendered(Format::Html, &two_threads(b"worker").recording(200));
        assert!(page.ends_with("</html>\n") && !page.contains("{{"));
        assert!(!page.contains("://") && !page.contains("src=") && !page.contains("@import"));
        assert_eq!(part(&page, "summary"), "2 threads, 200 µs, 4 switches; process 4242 exited");
        assert_eq!(part(&page, "remarks"), "");
        let about: Value = serde_json::from_str(part(&page, "about")).expect("JSON");
        assert_eq!((&about["duration"], &about["states"][4][0]), (&200_000.into(), &"lock".into()));
    }

    #[test]
    fn what_is_dropped_and_the_end_are_told() {
        let events = two_threads(b"worker");
        let mut recording = events.recording(200);
        (recording.dropped, recording.end) = (99, "signal 11");
        let page = rendered(Format::Html, &recording);
        assert!(part(&page, "summary").ends_with("process 4242 ended by signal 11"));
        assert!(part(&page, "remarks").starts_with("99 older events were dropped"));
    }

    #[test]
    fn no_name_ends_the_script() {
        for name in [b"</script>".as_slice(), b"<!--<script", b"\"\\\n\x01", b"\xff"] {
            let events = two_threads(name);
            let mut recording = events.recording(200);
            recording.program = "</title><script>";
            let page = rendered(Format::Html, &recording);
            assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (5, 5));
            let threads: Value = serde_json::from_str(part(&page, "threads")).expect("JSON");
            assert_eq!(threads[1], serde_json::json!([String::from_utf8_lossy(name), 5_000_001, 10_000]));
        }
    }

    /// Takes base64 apart, so that records can be looked at.
    fn unpacked(lines: &str) -> Vec<u8> {
        let value = |byte: u8| match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            _ => {
                if byte == b'+' {
                    62
                } else {
                    63
                }
            }
        };
        let mut bytes = Vec::new();
        for line in lines.lines() {
            let digits: Vec<u32> = line.bytes().filter(|byte| *byte != b'=').map(|byte| value(byte).into()).collect();
            for four in digits.chunks(4) {
                let bits = four.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - four.len()));
                bytes.extend(&[(bits >> 16) as u8, (bits >> 8) as u8, bits as u8][..four.len() - 1]);
            }
        }
        bytes
    }

    #[test]
    fn slices_are_packed_as_told() {
        let page = rendered(Format::Html, &two_threads(b"worker").recording(200));
        let records = unpacked(part(&page, "slices").trim());
        // Main runs for 20,000 ns; then the worker's being ready ends, by track 0; then its running after 10,000 ns.
        assert_eq!(records[..9], [0xa0, 0x9c, 1, 0, 0, 0, 2, 1, 1]);
        assert_eq!(records[9..13], [0x90, 0x4e, 0, 1]);
    }

    #[test]
    fn lines_are_complete_in_themselves() {
        let mut bytes = Bytes(Vec::new());
        let mut out = Out::new(&mut bytes).unwrap();
        for length in 0..5 {
            base64(&b"\x00\xff\x10any"[..length], &mut out);
        }
        out.finish().unwrap();
        assert_eq!(bytes.0, b"\nAA==\nAP8=\nAP8Q\nAP8QYQ==\n");
        assert_eq!(unpacked("AP8QYQ==\nAA=="), b"\x00\xff\x10a\x00");
    }

    #[test]
    fn a_full_disk_is_told() {
        fails_when_full(Format::Html, &two_threads(b"worker").recording(200), 20_000);
    }
}
