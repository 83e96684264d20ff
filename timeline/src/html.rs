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
